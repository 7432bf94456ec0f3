"""Messages of the panels held against the table of them, `nbchat.widgets.protocol`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Union

import msgspec

from nbchat.widgets.protocol import Record


def read(content: Any, messages: Iterable[type[Record]]) -> Record:
    """Give the message that `content` is, as JSON. Raise ValidationError where it is none."""
    sent = json.loads(json.dumps(content, allow_nan=False))
    found: Record = msgspec.convert(sent, Union[tuple(messages)])  # noqa: UP007 - not written out
    return found


def name_of(message: type[Record]) -> str:
    """Give the name under which a message goes."""
    return str(message.__struct_config__.tag)
