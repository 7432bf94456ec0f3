"""Text for streams that do not know all of its characters, as that of a pipe on Windows."""

from __future__ import annotations

from typing import TextIO


def write(out: TextIO, text: str) -> None:
    """Write a text at once; what the stream's encoding does not have becomes a question mark."""
    encoding = getattr(out, "encoding", None) or "utf-8"
    out.write(text.encode(encoding, "replace").decode(encoding))
    out.flush()
