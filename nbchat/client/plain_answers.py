"""Answers of the plainest kind: whole in their head's words, neither packed nor in chunks.

That is what a server without a stream answers nearly always. Their head is read here, and their
body as it comes; the HTTP libraries take several times as long for it as for the request itself.
Whatever is in any way different is no plain answer, and the libraries read it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Self

import urllib3

from nbchat.client.incoming import Patience

#: a status line and headers, each in one line and of characters that nothing can be said against
_HEAD = re.compile(
    rb"HTTP/1\.1 ([2-5][0-9][0-9])(?: [\t -~\x80-\xff]*)?\r\n"
    rb"((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~\x80-\xff]*\r\n){0,99})\r\n"
)
_HEADER = re.compile(r"([^:]+):([^\r]*)\r\n")
#: these have no body, whatever their headers say
_BODILESS = (204, 205, 304)


class Head:
    """The head of a plain answer.

    - `headers`: their names in small letters
    - `body_size`: bytes of the body; `n_bytes`: those of the head
    """

    __slots__ = ("body_size", "headers", "n_bytes", "status")

    def __init__(self, status: int, headers: dict[str, str], body_size: int, n_bytes: int):
        self.status, self.headers = status, headers
        self.body_size, self.n_bytes = body_size, n_bytes


def read_head(data: bytes) -> Head | None:
    """Read the head at the beginning of an answer; None where it is not whole, or not plain."""
    match = _HEAD.match(data)
    if match is None:
        return None
    headers: dict[str, str] = {}
    for written, padded in _HEADER.findall(match[2].decode("iso-8859-1")):
        name, value = written.lower(), padded.strip(" \t")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    size = headers.get("content-length", "")
    status = int(match[1])
    if (
        not (size.isascii() and size.isdecimal() and len(size) < 16)
        or "transfer-encoding" in headers
        or "content-encoding" in headers
        or headers.get("connection", "keep-alive").lower() != "keep-alive"
        or status in _BODILESS
    ):
        return None
    return Head(status, headers, int(size), match.end())


class PlainAnswer:
    """A plain answer, its body unread.

    - `begun`: what came of the body with the head
    - `give_back`: told of the connection when no more is read from it, with `is_whole`, whether
      another request may be sent on it
    """

    def __init__(
        self,
        head: Head,
        begun: bytes,
        incoming: Patience,
        give_back: Callable[..., object],
    ):
        self.status_code, self.headers = head.status, head.headers
        self.incoming = incoming
        self._begun = begun
        self._n_left = head.body_size
        self._give_back: Callable[..., object] | None = give_back

    def pieces(self, size: int) -> Iterator[bytes]:
        """Give the body as it comes, at most so many bytes at a time.

        Raise TimeoutError, OSError, and `urllib3.exceptions.IncompleteRead` where it was cut.
        """
        n_read = 0
        while self._n_left:
            size = min(size, self._n_left)
            piece, self._begun = self._begun[:size], self._begun[size:]
            piece = piece or self.incoming.recv(size)
            if not piece:
                raise urllib3.exceptions.IncompleteRead(n_read, self._n_left)
            self._n_left -= len(piece)
            n_read += len(piece)
            yield piece

    def close(self) -> None:
        """Give the connection back. What was not read, or came too much, is on no other answer."""
        give_back, self._give_back = self._give_back, None
        if give_back is not None:
            give_back(is_whole=not self._n_left and not self._begun)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
