"""Connections that stay open, and what is sent on them.

A connection is opened by requests and urllib3: addresses, proxies, certificates are theirs, and so
is the first request on it. The next ones say the same with another body; what is there already is
sent again, and a plain answer read, without what the libraries find out anew for each request.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import queue
from collections.abc import Iterator
from typing import Any

import requests
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from nbchat.client.incoming import Answer, Patience
from nbchat.client.plain_answers import PlainAnswer, read_head
from nbchat.client.waiting import SlowHandshakeError, awaited, note_connection

#: bytes of a request that are held back until all of it is there
_MOST_HELD = 65_536
#: bytes that are sent or read at a time: a time-out holds for one such piece
_PIECE = 65_536

HttpAnswer = requests.Response | PlainAnswer


class _InOnePiece:
    """Sends the head of a request with its body: two pieces are two calls, and two packets."""

    #: the socket on which an answer has come
    answered_on: object = None
    _held: bytearray | None = None

    def request(self, *arguments: Any, **options: Any) -> None:
        note_connection(is_reused=self.sock is not None and self.sock is self.answered_on)  # type: ignore[attr-defined]
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
            for piece in _pieces(data):
                super().send(piece)  # type: ignore[misc]
        elif isinstance(data, bytes) and len(held) + len(data) <= _MOST_HELD:
            held += data
        else:
            self._held = None
            if held:
                self.send(held)
            self.send(data)

    def getresponse(self) -> Any:
        sock = self.sock  # type: ignore[attr-defined]
        with awaited(sock):
            answer = super().getresponse()  # type: ignore[misc]
        self.answered_on = sock
        return answer


class _Plain(_InOnePiece, HTTPConnection):
    response_class = Answer


class _Secure(_InOnePiece, HTTPSConnection):
    response_class = Answer

    def connect(self) -> None:
        try:
            super().connect()
        except TimeoutError as error:
            # of a connection that never came urllib3 has an error of its own
            raise SlowHandshakeError(str(error)) from None


class _Kept:
    """A pool of connections that sends again what was sent before, with another body."""

    def head_of(self: Any, method: str, path: str, headers: dict[str, str]) -> bytes:
        """Give the head of a request as urllib3 writes it, up to the length of its body."""
        written = bytearray()
        connection = self.ConnectionCls(self.host, self.port)
        connection.send = written.extend
        headers = {name: value for name, value in headers.items() if name != "Content-Length"}
        connection.request(method, path, headers={**headers, "Content-Length": "0"})
        return bytes(written).removesuffix(b"0\r\n\r\n")

    def ask(
        self: Any, head: bytes, body: bytes, silence_s: float
    ) -> PlainAnswer | urllib3.HTTPResponse | None:
        """Send a request on a connection that is open; None where none is, and nothing was sent.

        `silence_s` is how long the server may take no byte, and then send none. Raise OSError and
        `http.client.HTTPException` where no answer came.
        """
        connection = self._open_connection()
        if connection is None:
            return None
        sock = connection.sock
        note_connection(is_reused=True)
        try:
            incoming = Patience(sock, silence_s)
            # it may have answered before it had read all
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                for piece in _pieces(b"%s%d\r\n\r\n%s" % (head, len(body), body)):
                    incoming.send(piece)
            with awaited(sock):
                with incoming.for_head():
                    begun = incoming.recv(_PIECE)
                if begun:  # what breaks from now on is no connection that had been closed before
                    note_connection(is_reused=False)
                plain = read_head(begun)
                if plain is not None:
                    give_back = functools.partial(self._give_back, connection)
                    return PlainAnswer(plain, begun[plain.n_bytes :], incoming, give_back)
                answer: urllib3.HTTPResponse = self._read_by_libraries(connection, begun)
                return answer
        except (
            BaseException
        ):  # an interrupt too leaves half an answer on it, which is nobody else's
            self._give_back(connection, is_whole=False)
            raise

    def _give_back(self: Any, connection: Any, *, is_whole: bool) -> None:
        if not is_whole:
            connection.close()
        self._put_conn(connection)

    def _open_connection(self: Any) -> Any:
        """Take a connection on which the last answer has come, None where there is none."""
        try:
            connection = self.pool.get(block=False)
        except (queue.Empty, AttributeError):  # urllib3 makes another one, or the pool is closed
            return None
        if connection is None or connection.sock is None:
            self._put_conn(connection)
            return None
        if connection.sock is connection.answered_on and connection.is_connected:
            return connection
        connection.close()
        self._put_conn(connection)
        return None

    def _read_by_libraries(self: Any, connection: Any, begun: bytes) -> urllib3.HTTPResponse:
        """Give an answer of which some bytes are read already."""
        sock = connection.sock
        answer: Any = Answer(sock, begun=begun, method="POST")
        try:
            answer.begin()
        except BaseException:  # else it holds the socket open, as http.client has it in getresponse
            answer.close()
            raise
        if answer.will_close:
            connection.close()
        return urllib3.HTTPResponse(
            body=answer,
            headers=urllib3.HTTPHeaderDict((n, v.strip(" \t")) for n, v in answer.msg.items()),
            status=answer.status,
            version=answer.version,
            reason=answer.reason,
            preload_content=False,
            decode_content=False,
            original_response=answer,
            pool=self,
            connection=connection,
            request_method="POST",
            sock_shutdown=sock.shutdown,
        )


class _PlainPool(_Kept, urllib3.HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(_Kept, urllib3.HTTPSConnectionPool):
    ConnectionCls = _Secure


class Adapter(requests.adapters.HTTPAdapter):
    """The adapter of requests, with connections that can be given up, and are used again cheaply.

    What it would find out for each request anew, and is the same for all to an address, it
    keeps: that costs more than the request itself. It takes no cookies.
    """

    def __init__(self, *arguments: Any, **options: Any):
        self._pools: dict[Any, Any] = {}
        self._paths: dict[str, str] = {}
        super().__init__(*arguments, **options)

    def ask(
        self,
        kept: KeptRequest,
        body: bytes,
        silence_s: float,
        *,
        verify: Any,
        cert: Any,
    ) -> HttpAnswer | None:
        """Send a request on a connection that is open; None where none is, and nothing was sent.

        Raise what requests raises.
        """
        request = kept.request
        pool = self.get_connection_with_tls_context(request, verify, cert=cert)
        if kept.head is None:
            headers = dict(request.headers)
            kept.head = pool.head_of(request.method, self.request_url(request, None), headers)
        try:
            answer = pool.ask(kept.head, body, silence_s)
        except TimeoutError:
            raise
        except (OSError, http.client.HTTPException) as error:
            reason = urllib3.exceptions.ProtocolError("Connection aborted.", error)
            raise requests.ConnectionError(reason, request=request) from error
        if isinstance(answer, urllib3.HTTPResponse):
            return self.build_response(request, answer)
        whole: PlainAnswer | None = answer
        return whole

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


def _pieces(data: Any) -> Iterator[Any]:
    """Cut what is long: a slow line may take its time, as long as it takes something."""
    if not isinstance(data, (bytes, bytearray)) or len(data) <= _PIECE:
        yield data
        return
    view = memoryview(data)
    for begin in range(0, len(view), _PIECE):
        yield view[begin : begin + _PIECE]


class KeptRequest:
    """A request that is sent again and again, each time with another body.

    `head` is what goes before the length of the body, None before it was written once.
    """

    def __init__(self, request: requests.PreparedRequest):
        self.request = request
        self.head: bytes | None = None


def _take_over(manager: urllib3.PoolManager) -> None:
    manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}
