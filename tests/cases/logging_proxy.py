"""A proxy that does what a proxy does, and writes down all that goes through it."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self


class LoggingProxy:
    """Forwards plain HTTP requests and CONNECT tunnels; `seen` is every byte that came in."""

    def __init__(self) -> None:
        self.seen = b""
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for sock in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        for thread in self._threads:
            thread.join()
        for sock in (self._listener, *self._sockets):
            sock.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self.connections += 1
                self._sockets.append(sock)
                self._start(self._serve, sock)

    def _start(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self._forward(client)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)

    def _forward(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            piece = client.recv(65_536)
            if not piece:
                return
            head += piece
        self.seen += head
        method, target, _ = head.split(b"\r\n")[0].decode().split()
        host, _, path = target.removeprefix("http://").partition("/")
        name, _, port = host.partition(":")
        server = socket.create_connection((name, int(port or 80)))
        self._sockets.append(server)
        if method == "CONNECT":
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            first, _, rest = head.partition(b"\r\n")
            server.sendall(first.replace(target.encode(), f"/{path}".encode()) + b"\r\n" + rest)
        self._start(self._pump, server, client, False)
        self._pump(client, server, True)

    def _pump(self, source: socket.socket, target: socket.socket, is_request: bool) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65_536):
                if is_request:
                    self.seen += piece
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)
