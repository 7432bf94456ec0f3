"""A request whose answer has not begun can be given up from another thread.

Many servers send the first byte of an answer only with its first token. Until then there is no
response that could be closed, and the thread that sent the request waits in the library: so the
connections here know for whom they wait, and their socket can be shut from outside.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import requests
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from nbchat.client.incoming import Answer

#: bytes of a request that are held back until all of it is there
_MOST_HELD = 65_536


class SlowHandshakeError(TimeoutError):
    """Connected, but what comes before a request (TLS, a proxy's consent) was not done in time."""


class Pending:
    """One request that waits. `cut` ends the waiting, now or as soon as it begins."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sock: socket.socket | None = None
        self._is_cut = False

    @contextlib.contextmanager
    def here(self) -> Iterator[None]:
        """Wait in this thread: what is sent within belongs to this request."""
        _thread.pending = self
        try:
            yield
        finally:
            _thread.pending = None

    def cut(self) -> None:
        """Shut the socket that is waited for; the thread that waits gets an error."""
        with self._lock:
            self._is_cut = True
            _shut(self._sock)

    def _begin(self, sock: socket.socket | None) -> None:
        with self._lock:
            self._sock = sock
            if self._is_cut:
                _shut(sock)

    def _end(self) -> None:
        with self._lock:
            self._sock = None


class _Thread(threading.local):
    pending: Pending | None = None
    #: whether the last request of this thread went out on a connection that had answered before
    reuses: bool = False


_thread = _Thread()


def is_cut() -> bool:
    """Tell whether the request that this thread sends was given up."""
    return _thread.pending is not None and _thread.pending._is_cut  # noqa: SLF001 - of this module


def was_reused() -> bool:
    """Tell whether this thread's last request went out on a connection kept from another one."""
    return _thread.reuses


def _shut(sock: socket.socket | None) -> None:
    if sock is not None:
        with contextlib.suppress(OSError, ValueError):  # it has just ended by itself
            sock.shutdown(socket.SHUT_RDWR)


def _answer_of(connection: _Plain | _Secure, answer: Any) -> Any:
    pending, sock = _thread.pending, connection.sock
    if pending is not None:
        pending._begin(sock)  # noqa: SLF001 - of this module
    try:
        result = answer()
    finally:
        if pending is not None:
            pending._end()  # noqa: SLF001
    connection.answered_on = sock
    return result


class _InOnePiece:
    """Sends the head of a request with its body: two pieces are two calls, and two packets."""

    answered_on: object = None
    _held: bytearray | None = None

    def request(self, *arguments: Any, **options: Any) -> None:
        _thread.reuses = self.sock is not None and self.sock is self.answered_on  # type: ignore[attr-defined]
        self._held = bytearray()
        try:
            super().request(*arguments, **options)  # type: ignore[misc]
            held, self._held = self._held, None
            if held:
                self.send(held)
        finally:
            self._held = None

    def send(self, data: Any) -> None:
        held = self._held
        if held is None:
            super().send(data)  # type: ignore[misc]
        elif isinstance(data, bytes) and len(held) + len(data) <= _MOST_HELD:
            held += data
        else:
            self._held = None
            if held:
                super().send(held)  # type: ignore[misc]
            super().send(data)  # type: ignore[misc]


class _Plain(_InOnePiece, HTTPConnection):
    response_class = Answer

    def getresponse(self) -> Any:
        return _answer_of(self, super().getresponse)


class _Secure(_InOnePiece, HTTPSConnection):
    response_class = Answer

    def connect(self) -> None:
        try:
            super().connect()
        except TimeoutError as error:
            # of a connection that never came urllib3 has an error of its own
            raise SlowHandshakeError(str(error)) from None

    def getresponse(self) -> Any:
        return _answer_of(self, super().getresponse)


class _PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _Secure


class Adapter(requests.adapters.HTTPAdapter):
    """The adapter of requests, with connections that can be given up.

    What it would find out for each request anew, and is the same for all to an address, it
    keeps: that costs more than the request itself. It takes no cookies.
    """

    def __init__(self, *arguments: Any, **options: Any):
        self._pools: dict[Any, Any] = {}
        self._paths: dict[str, str] = {}
        super().__init__(*arguments, **options)

    def get_connection_with_tls_context(
        self, request: Any, verify: Any, proxies: Any = None, cert: Any = None
    ) -> Any:
        """Give the pool of connections for a request."""
        if proxies:
            return super().get_connection_with_tls_context(request, verify, proxies, cert)
        known = (request.url, verify, cert)
        pool = self._pools.get(known)
        if pool is None or pool.pool is None:  # it was closed
            pool = super().get_connection_with_tls_context(request, verify, proxies, cert)
            self._pools[known] = pool
        return pool

    def request_url(self, request: Any, proxies: Any) -> str:
        """Give the path of a request, or, through a proxy, its whole address."""
        if proxies:
            return super().request_url(request, proxies)
        path = self._paths.get(request.url)
        if path is None:
            path = self._paths[request.url] = super().request_url(request, proxies)
        return path

    def build_response(self, request: Any, answer: Any) -> requests.Response:
        """Give the answer to a request, its body unread."""
        response: Any = requests.Response()
        response.status_code, response.reason = answer.status, answer.reason
        response.headers = requests.structures.CaseInsensitiveDict(answer.headers)
        response.raw, response.url = answer, request.url
        response.request, response.connection = request, self
        whole: requests.Response = response
        return whole

    def close(self) -> None:
        """Close all connections."""
        self._pools.clear()
        super().close()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        _take_over(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: Any) -> urllib3.ProxyManager:
        """Give the pools of a proxy."""
        manager: urllib3.ProxyManager = super().proxy_manager_for(proxy, **options)
        _take_over(manager)
        return manager


def _take_over(manager: urllib3.PoolManager) -> None:
    manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}
