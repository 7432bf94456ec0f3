"""A request that was copied from elsewhere: a curl command, JSON, or a call in Python."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from nbchat.api.fields import FIELDS
from nbchat.code.curl_command import is_curl, read_curl
from nbchat.code.python_source import is_source, read_source
from nbchat.errors import CheckError
from nbchat.request.draft import Draft


def read_pasted(text: str, variables: Mapping[str, Any] | None = None) -> Draft | None:
    """Give the draft of a request that was written down elsewhere; None where a text is none.

    It is the text of a curl command, of JSON (a body, a list of messages, fields, a line of a
    batch file), or of Python that calls `openai`, `litellm` or `nbchat`. Nothing of it is run:
    names are looked up among what the text itself sets and in `variables`. Keys are left out.

    Raise CheckError, with the reason, where a text is plainly a request and cannot be read.
    """
    if is_curl(text):
        return read_curl(text)
    draft = _json(text)
    if draft is not None:
        return draft
    return read_source(text, variables or {}) if is_source(text) else None


def _json(text: str) -> Draft | None:
    from nbchat.code.as_draft import draft_of

    stripped = text.strip()
    if stripped[:1] not in ("{", "["):
        return None
    try:
        value = json.loads(stripped)
    except ValueError as error:
        if '"messages"' not in stripped and '"role"' not in stripped:
            return None
        raise CheckError(f"This is no whole JSON: {error}.", field="messages") from None
    if isinstance(value, dict) and isinstance(value.get("body"), dict) and "url" in value:
        value = value["body"]
    if isinstance(value, list):
        is_messages = value and all(isinstance(one, dict) and "role" in one for one in value)
        return draft_of(value) if is_messages else None
    is_body = isinstance(value.get("messages"), list)
    if not is_body and not (value and all(name in FIELDS() for name in value)):
        return None
    try:
        return draft_of(value)
    except TypeError as error:
        raise CheckError(str(error), field="messages") from None
