"""Bytes on their way to the page, as text.

Behind a gateway (``jupyter lab --gateway-url``, many hubs) Jupyter Server reads every frame as text
and the first binary one ends the notebook's link to its kernel for good. A kernel cannot know what
stands between it and the page, so bytes go as base64, a third longer.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import Any


def as_text(value: Any) -> Any:
    """Give a value with base64 in the place of all bytes in it."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return b64encode(value).decode("ascii")
    if isinstance(value, dict):
        return {key: as_text(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_text(each) for each in value]
    return value


def with_bytes(content: Any, buffers: Sequence[Any] | None) -> Any:
    """Give the content of a message with its buffers inside it, as text."""
    return {**content, "packed": as_text([*buffers])} if buffers else content
