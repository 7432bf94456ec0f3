"""A request as it goes over the wire: as JSON, and as a command of the shell."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING, Any

from nbchat.code.as_draft import body_of, draft_of, profile_of
from nbchat.code.inline_data import as_here_document, base64_in
from nbchat.redact import looks_secret, names_secret

if TYPE_CHECKING:
    from nbchat.client.profiles import Profile
    from nbchat.request.draft import Draft


def as_json(draft: Draft | Any, profile: Profile | None = None) -> str:
    """Give the body that is sent, indented, checked or not.

    `draft` can be anything that `draft_of` takes; `profile` stands in the place of its own.
    Raise ProfileError where that is unknown.
    """
    return json.dumps(body_of(draft_of(draft), profile), ensure_ascii=False, indent=2)


def as_curl(draft: Draft | Any, profile: Profile | None = None) -> str:
    """Give a shell command that sends the request. The key stands in its variable.

    So do headers of the profile's own that may hold one, each in a variable of its name
    (``X_API_KEY``).
    Base64 that came from a file is made of it again when the command runs. `profile` stands
    in the place of the draft's own. Raise ProfileError where that is unknown.
    """
    draft = draft_of(draft)
    target = profile_of(draft) if profile is None else profile
    variable = target.key_variable or "OPENAI_API_KEY"
    bearer = "Bearer " if target.key_header == "Authorization" else ""
    body = body_of(draft, target)
    lines = [f"curl -N {shlex.quote(target.url)}", "-H 'Content-Type: application/json'"]
    if target.key is not None or target.key_variable is not None:
        lines.append(f'-H "{target.key_header}: {bearer}${variable}"')
    lines += [_header(name, value) for name, value in target.headers.items()]
    if base64_in(body):
        lines.append(f"--data-binary @- {as_here_document(body)}")
    else:
        lines.append(f"-d {shlex.quote(json.dumps(body, ensure_ascii=False))}")
    return " \\\n  ".join(lines)


def _header(name: str, value: str) -> str:
    if not (names_secret(name) or looks_secret(value)):
        return f"-H {shlex.quote(f'{name}: {value}')}"
    scheme, is_split, _ = value.partition(" ")
    variable = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_").upper()
    # "Bearer", "Basic": the word before a key is none itself
    word = f"{scheme} " if is_split and scheme.isalpha() else ""
    return f'-H "{name}: {word}${variable}"'
