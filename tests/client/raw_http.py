"""A server of plain sockets, whose every byte is the test's own, and who keeps count."""

from __future__ import annotations

import contextlib
import io
import socket
import threading
import time
import zlib
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

Length = Literal["length", "chunked", "neither"]


class Framing(NamedTuple):
    """One way to send an answer by HTTP."""

    version: str  # "1.0" or "1.1"
    connection: Literal["keep-alive", "close"]
    length: Length
    reads: Literal["one", "many"]
    is_compressed: bool

    @property
    def keeps_connection(self) -> bool:
        return self.connection == "keep-alive" and self.length != "neither"

    def pieces(self, content_type: str, body: bytes, status: int = 200) -> list[bytes]:
        """The bytes of an answer, in pieces that are sent one by one."""
        if self.is_compressed:
            squeeze = zlib.compressobj(wbits=31)
            body = squeeze.compress(body) + squeeze.flush()
        lines = [f"HTTP/{self.version} {status} Said", f"content-type: {content_type}"]
        lines += [f"connection: {self.connection}"]
        lines += ["content-encoding: gzip"] * self.is_compressed
        if self.length == "length":
            lines.append(f"content-length: {len(body)}")
        elif self.length == "chunked":
            lines.append("transfer-encoding: chunked")
            size = max(1, len(body) // 3)
            parts = [body[at : at + size] for at in range(0, len(body), size)]
            body = b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in parts) + b"0\r\n\r\n"
        whole = "\r\n".join([*lines, "", ""]).encode() + body
        if self.reads == "one":
            return [whole]
        return [whole[at : at + 60] for at in range(0, len(whole), 60)]


class RawServer:
    """Answers each request with the same pieces; `requests` and `connections` are counts.

    All after the first one get `then`, where it is given. `heads` are those of the requests.
    """

    def __init__(
        self, pieces: Iterable[bytes], *, keeps_connection: bool, then: list[bytes] | None
    ) -> None:
        self.requests = self.connections = 0
        self.heads: list[bytes] = []
        self._pieces = list(pieces)
        self._then = self._pieces if then is None else then
        self._keeps_connection = keeps_connection
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._shut(self._listener, *self._open)

    def drop(self) -> None:
        """Close the connections that there are."""
        self._shut(*self._open)

    def _shut(self, *socks: socket.socket) -> None:
        for sock in socks:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self.connections += 1
                self._open.append(sock)
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError), sock, sock.makefile("rb") as file:
            while (head := _head_of_request(file)) is not None:
                pieces = self._then if self.requests else self._pieces
                self.requests += 1
                self.heads.append(head)
                for piece in pieces:
                    sock.sendall(piece)
                    time.sleep(0.0002 * (len(pieces) > 1))  # so that each is read by itself
                if not self._keeps_connection:
                    return


def _head_of_request(file: io.BufferedIOBase) -> bytes | None:
    """Read a request, and give its head; None where there is none."""
    size = 0
    lines = []
    while (line := file.readline()) not in (b"", b"\r\n"):
        lines.append(line)
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            size = int(value)
    is_whole = line == b"\r\n" and len(file.read(size)) == size
    return b"".join(lines) if is_whole else None


@contextlib.contextmanager
def serving(
    pieces: Iterable[bytes], *, keeps_connection: bool = False, then: list[bytes] | None = None
) -> Iterator[RawServer]:
    """Serve these pieces for as long as the test takes; `then` to each request but the first."""
    server = RawServer(pieces, keeps_connection=keeps_connection, then=then)
    try:
        yield server
    finally:
        server.close()
