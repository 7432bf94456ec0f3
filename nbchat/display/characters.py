"""Characters that a terminal would obey, a page cannot hold, or a stream does not know."""

from __future__ import annotations

import re
from typing import TextIO

_PICTURES = {
    **{code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\t\n\r"},
    **{code: f"\\x{code:02x}" for code in range(0x7F, 0xA0)},
}
_SURROGATES = re.compile(r"[\ud800-\udfff]")


def visible(text: str) -> str:
    """Make control characters visible: a terminal would obey them. Line ends and tabs stay."""
    if text.isprintable():
        return text
    return text.translate(_PICTURES)


def encodable(text: str) -> str:
    """Replace halves of characters, which no message can hold, by U+FFFD."""
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)


def write(out: TextIO, text: str) -> None:
    """Write a text at once; what the stream's encoding does not have becomes a question mark."""
    encoding = getattr(out, "encoding", None) or "utf-8"
    out.write(text.encode(encoding, "replace").decode(encoding))
    out.flush()
