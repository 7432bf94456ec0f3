"""Server-sent events: bytes to events, with no I/O.

The rules are those of the WHATWG HTML standard, section 9.2.6. Two tolerances beyond it: an
event that the end of the stream cuts off before its blank line is still given (several
servers end that way), and a field named ``error`` makes an event of that type (llama.cpp
before September 2025), which the standard would pass over in silence.
"""

from __future__ import annotations

import re

import msgspec

from nbchat.errors import AnswerTooLongError

#: bytes of one event, or of one answer that is no stream, unless set otherwise
MOST_BYTES = 64_000_000

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\n|\r")


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event: `data` is the joined lines as UTF-8 bytes, `type` is "message" by default."""

    data: bytes
    type: str = "message"
    id: str = ""


class Decoder:
    """Turn pieces of bytes, cut anywhere, into events.

    `retry_ms` holds the last reconnection time that the server asked for, or None. An event of
    more than `most_bytes` raises `AnswerTooLongError`.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self.retry_ms: int | None = None
        self._most_bytes = most_bytes
        self._partial = bytearray()
        self._is_start = True
        # whether the next byte begins a line, and that line an event
        self._is_fresh = False
        self._skips_lf = False
        self._data: list[bytes] = []
        self._data_size = 0
        self._type = ""
        self._id = ""

    def feed(self, piece: bytes) -> list[Event]:
        """Give the events that this piece completes."""
        # most pieces are one event of one line: no need to take them apart
        if (
            self._is_fresh
            and piece.startswith(b"data: {")
            and piece.endswith(b"}\n\n")
            and piece.find(b"\n", 0, -2) < 0
            and b"\r" not in piece
        ):
            return [Event(piece[6:-2], "message", self._id)]
        events = self._feed(piece)
        self._is_fresh = not (
            self._partial or self._data or self._type or self._is_start or self._skips_lf
        )
        return events

    def _feed(self, piece: bytes) -> list[Event]:
        if self._skips_lf and piece:
            self._skips_lf = False
            if piece[0] == 10:
                piece = piece[1:]
        if self._is_start:
            piece = self._without_bom(piece)
        has_cr = b"\r" in piece
        if not has_cr and b"\n" not in piece:
            self._partial += piece
            self._check(len(self._partial))
            return []
        if self._partial:
            piece = bytes(self._partial + piece)
            self._partial.clear()
        if has_cr:
            # a CR that ends the piece may be half of a CRLF: the line ends here all the same
            self._skips_lf = piece.endswith(b"\r")
            lines = _LINE_END.split(piece)
        else:
            lines = piece.split(b"\n")
        rest = lines.pop()
        if rest:
            self._partial += rest
        return self._read(lines)

    def end(self) -> list[Event]:
        """Give the event that stood unfinished when the stream ended."""
        lines = [bytes(self._partial)] if self._partial else []
        self._partial.clear()
        return self._read([*lines, b""])

    def _without_bom(self, piece: bytes) -> bytes:
        head = bytes(self._partial + piece)
        self._partial.clear()
        if len(head) < len(_BOM) and _BOM.startswith(head):
            self._partial += head
            return b""
        self._is_start = False
        return head.removeprefix(_BOM)

    def _read(self, lines: list[bytes]) -> list[Event]:
        events: list[Event] = []
        for line in lines:
            if not line:
                if self._data:
                    data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
                    events.append(Event(data, self._type or "message", self._id))
                    self._data = []
                    self._data_size = 0
                self._type = ""
            elif line.startswith(b"data:"):
                self._data.append(line[6:] if line[5:6] == b" " else line[5:])
                self._data_size += len(line)
                if len(self._data) > 1:
                    self._check(self._data_size)
            elif line[0] != 58:  # a comment begins with a colon
                self._field(line)
        return events

    def _check(self, size: int) -> None:
        if size > self._most_bytes:
            self._partial.clear()
            self._data = []
            raise AnswerTooLongError(self._most_bytes)

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._type = value.decode("utf-8", "replace")
        elif name == b"id":
            if b"\0" not in value:
                self._id = value.decode("utf-8", "replace")
        elif name == b"retry":
            if value.isdigit():
                self.retry_ms = int(value)
        elif name == b"error" and value.startswith(b"{"):
            self._type = "error"
            self._data.append(value)
