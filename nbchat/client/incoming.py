"""The bytes of an answer as they come in, with every wait for them bounded.

A socket's own time-out bounds one wait: an answer that drips byte by byte never meets it. And the
HTTP libraries close the socket behind the last byte of an answer, after which it takes no time-out
at all. So nobody sets one from outside: who waits is a `Patience`, and who reads tells it how long.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import re
import socket
import time
import types
from collections.abc import Iterator
from typing import Any

#: a time-out that is so much longer than need be is left as it is
_NEARLY = 1.02


class SlowHeadError(TimeoutError):
    """The status line or the headers of an answer began, and were not whole in time."""


class Patience:
    """How long a request may take to be sent, and the bytes of its answer to come.

    `silence_s` is the longest wait for the next bytes, in seconds, None for ever; after `ends_at`,
    in seconds of `time.perf_counter`, nothing is waited for. Both may change at any time.
    `has_begun`: whether a byte has come.
    """

    def __init__(self, sock: Any, silence_s: float | None):
        self.silence_s = silence_s
        self.ends_at: float | None = None
        self.has_begun = False
        self._sock = sock
        self._in_force: float | None = sock.gettimeout()

    def send(self, data: Any) -> None:
        """Send all of this. Raise TimeoutError where it took too long."""
        self._set_timeout()
        self._sock.sendall(data)

    def recv(self, size: int) -> bytes:
        """Give the next bytes, at most so many, none at the end.

        Raise TimeoutError where it took too long.
        """
        self._set_timeout()
        data: bytes = self._sock.recv(size)
        self.has_begun = True
        return data

    def shut(self) -> None:
        """Have whoever waits for bytes, in another thread, get none. Raise OSError, ValueError."""
        self._sock.shutdown(socket.SHUT_RD)

    def end_in(self, seconds: float | None) -> None:
        """Wait for nothing once so many seconds have passed; None: without such an end."""
        self.ends_at = None if seconds is None else time.perf_counter() + seconds

    @contextlib.contextmanager
    def for_head(self) -> Iterator[None]:
        """Have a head that is read here be there in the time for a first byte, all of it."""
        before = self.ends_at
        self.end_in(self.silence_s)
        try:
            yield
        except TimeoutError:
            if self.has_begun:
                raise SlowHeadError("timed out") from None
            raise
        finally:
            self.ends_at = before

    def _set_timeout(self) -> None:
        patience = self.silence_s
        if self.ends_at is not None:
            left = self.ends_at - time.perf_counter()
            if left <= 0:
                raise TimeoutError("timed out")
            patience = left if patience is None else min(patience, left)
        in_force = self._in_force
        if patience == in_force:
            return
        # it costs a call of the system, and who waits for minutes may wait a moment longer
        if patience is None or in_force is None or not patience <= in_force <= _NEARLY * patience:
            self._sock.settimeout(patience)
            self._in_force = patience


class Incoming(Patience, io.RawIOBase):
    """The raw bytes of one answer. `begun` is what was read of it already."""

    def __init__(self, raw: io.RawIOBase, sock: Any, begun: bytes = b""):
        super().__init__(sock, sock.gettimeout())
        self.has_begun = bool(begun)
        self._raw = raw
        self._begun = begun

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what there is, as `io.RawIOBase` does. Raise TimeoutError where it took too long."""
        if self._begun:
            piece, self._begun = self._begun[: len(buffer)], self._begun[len(buffer) :]
            buffer[: len(piece)] = piece
            return len(piece)
        self._set_timeout()
        count: int | None = self._raw.readinto(buffer)
        self.has_begun = True
        return count

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
            super().close()


#: a header in one line, as nearly all are
_HEADER = re.compile(rb"([!-9;-~]+):[ \t]*([^\r\n]*)\r?\n")
#: bytes of a line and lines of a head, as the standard library bounds them
_MOST_BYTES, _MOST_LINES = 65_536, 100


def headers_of(fp: Any, _class: Any = http.client.HTTPMessage, **more: Any) -> Any:
    """Read the headers of an answer, as `http.client.parse_headers` does.

    That one has them read by a parser of mail, which takes half the time of a head. What is in any
    way unusual is left to it. Raise what it raises. `more` is what later versions of it take.
    """
    lines: list[bytes] = []
    message = _class()
    is_plain = True
    while True:
        line = fp.readline(_MOST_BYTES + 1)
        if len(line) > _MOST_BYTES:
            raise http.client.LineTooLong("header line")
        lines.append(line)
        if len(lines) > _MOST_LINES:
            raise http.client.HTTPException(f"got more than {_MOST_LINES} headers")
        if line in (b"\r\n", b"\n", b""):
            break
        match = _HEADER.fullmatch(line)
        if match is None:
            is_plain = False
        elif is_plain:
            message.set_raw(match[1].decode("ascii"), match[2].decode("iso-8859-1"))
    if not is_plain:
        return http.client.parse_headers(io.BytesIO(b"".join(lines)), _class, **more)
    return message


#: the standard library's own `begin`, which looks `parse_headers` up among its globals
_begin: Any = types.FunctionType(
    http.client.HTTPResponse.begin.__code__,
    {**vars(http.client), "parse_headers": headers_of},
    argdefs=http.client.HTTPResponse.begin.__defaults__,
    closure=http.client.HTTPResponse.begin.__closure__,
)
_begin.__kwdefaults__ = http.client.HTTPResponse.begin.__kwdefaults__


class Answer(http.client.HTTPResponse):
    """The standard library's answer, read through an `Incoming`."""

    def __init__(self, sock: Any, *arguments: Any, begun: bytes = b"", **options: Any):
        super().__init__(sock, *arguments, **options)
        self.incoming = Incoming(self.fp.detach(), sock, begun)
        self.fp = io.BufferedReader(self.incoming)

    def begin(self) -> None:
        """Read the status line and the headers, all of them within the time for a first byte."""
        with self.incoming.for_head():
            _begin(self)
