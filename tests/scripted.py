"""A scripted Chat Completions server: real TCP, one thread for each connection, every byte and
pause decided by the test, and a record of what the client sent and when it went away.

    with ScriptedServer() as server:
        server.reply(Reply([sse(chunk("Hel"), done=False), Pause(0.2), CUT]), speaking("Hello."))
        ... a client talks to server.url ...
        server.requests[0].body["messages"], server.requests[0].disconnected_at

All times are `time.perf_counter()` seconds, which on Linux all processes share.
"""

from __future__ import annotations

import contextlib
import http.client
import select
import socket
import struct
import threading
import time
import zlib
from collections import deque
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self

from tests.replies import (
    CLOSE,
    CUT,
    HANG,
    Gate,
    Pause,
    Reply,
    Request,
    Script,
    Step,
    Until,
    error,
    speaking,
)
from tests.wire import (
    MODEL,
    chunk,
    completion,
    error_body,
    event,
    logprob_entry,
    made_up_logprobs,
    split_tokens,
    sse,
    usage_of,
)

if TYPE_CHECKING:
    import io
    from collections.abc import Iterable, Iterator

# one import line for a test, whatever it needs
__all__ = [
    "CLOSE", "CUT", "HANG", "MODEL", "Gate", "Pause", "Reply", "Request", "ScriptedServer", "Until",
    "chunk", "completion", "deaf_url", "error", "error_body", "event", "logprob_entry",
    "made_up_logprobs", "refusing_url", "speaking", "split_tokens", "sse", "usage_of",
]  # fmt: skip


class _ClientGoneError(Exception):
    pass


class _ReplyEndedError(Exception):
    """The script itself ended the connection."""


class _Line:
    """One TCP connection: reads requests, sends replies, notices at once when the client leaves."""

    def __init__(self, sock: socket.socket, stop: Gate) -> None:
        self.sock = sock
        self.stop = stop
        self.began = 0.0
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = sock.makefile("rb")

    def wait(self, seconds: float | None, gate: Gate | None = None) -> None:
        """Let time pass; raise if the client leaves meanwhile."""
        deadline = None if seconds is None else time.perf_counter() + seconds
        watched: list[Any] = [self.sock, self.stop] + ([gate] if gate else [])
        while True:
            left = None if deadline is None else max(0.0, deadline - time.perf_counter())
            ready, _, _ = select.select(watched, [], [], left)
            if self.stop in ready:
                raise _ReplyEndedError
            if self.sock in ready:
                try:
                    if not self.sock.recv(1, socket.MSG_PEEK):
                        raise _ClientGoneError
                except OSError:
                    raise _ClientGoneError from None
                watched.remove(self.sock)  # it has begun its next request: it is still there
            if (gate and gate in ready) or not ready:
                return

    def send(self, data: bytes) -> None:
        try:
            self.sock.sendall(data)
        except OSError:
            raise (_ReplyEndedError if self.stop.is_open else _ClientGoneError) from None

    def take(self, step: Step) -> bytes | None:
        """Do what a step says; bytes are handed back for the framing to dress."""
        if isinstance(step, bytes):
            self.wait(0)
            return step
        if isinstance(step, Pause):
            self.wait(step.seconds)
        elif isinstance(step, Until):
            self.wait(max(0.0, self.began + step.seconds - time.perf_counter()))
        elif isinstance(step, Gate):
            self.wait(None, step)
        elif step is HANG:
            self.wait(None)
        else:
            if step is CUT:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raise _ReplyEndedError
        return None

    def close(self) -> None:
        self.file.close()  # the socket's descriptor lives until its file is closed too
        self.sock.close()


def _compressed(steps: Iterable[Step]) -> Iterator[Step]:
    squeeze = zlib.compressobj(wbits=31)
    for step in steps:
        if isinstance(step, bytes):
            yield squeeze.compress(step) + squeeze.flush(zlib.Z_SYNC_FLUSH)
        else:
            yield step
    yield squeeze.flush()


def _head(reply: Reply, length: int | None) -> bytes:
    try:
        phrase = HTTPStatus(reply.status).phrase
    except ValueError:
        phrase = "Unknown"
    headers = {} if reply.content_type is None else {"content-type": reply.content_type}
    if reply.gzip:
        headers["content-encoding"] = "gzip"
    if reply.framing == "chunked":
        headers["transfer-encoding"] = "chunked"
    elif reply.framing == "close":
        headers["connection"] = "close"
    else:
        headers["content-length"] = str(length)
    headers |= {name.lower(): value for name, value in reply.headers.items()}
    lines = [f"HTTP/1.1 {reply.status} {phrase}"] + [f"{k}: {v}" for k, v in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


class ScriptedServer:
    """Answers each chat request with the next reply of the queue, then with `default` for ever.

    A reply is a `Reply`, a mapping (sent as JSON), bytes (sent as an event stream) or a function of
    the request that gives one of these. `GET …/models` has its own answer (`models_reply`, else
    the names in `models`) and its own record (`model_requests`). `GET /props`, by which llama.cpp
    is known, is a 404.
    """

    def __init__(self, *replies: Script, default: Script | None = None) -> None:
        self.requests: list[Request] = []
        self.model_requests: list[Request] = []
        self.models = [MODEL]
        self.models_reply: Script | None = None
        self.default: Script = default if default is not None else speaking()
        self._replies: deque[Script] = deque(replies)
        self._changed = threading.Condition()
        self._stop = Gate()
        self._served: list[tuple[threading.Thread, socket.socket]] = []
        self._connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self._accepting = threading.Thread(target=self._accept, daemon=True, name="scripted-accept")
        self._accepting.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def reply(self, *replies: Script) -> None:
        with self._changed:
            self._replies.extend(replies)

    @property
    def connections(self) -> int:
        """How many TCP connections were accepted so far."""
        return self._connections

    def wait_for_requests(self, count: int = 1, timeout: float = 5) -> list[Request]:
        """The requests, once there are `count` of them."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.requests) >= count, timeout):
                raise TimeoutError(f"{len(self.requests)} of {count} requests after {timeout} s")
            return list(self.requests)

    def close(self) -> None:
        self._stop.open()
        self._accepting.join()
        for thread, sock in self._served:
            with contextlib.suppress(OSError):  # wakes a thread whose client does not read
                sock.shutdown(socket.SHUT_RDWR)
            thread.join()
        self._listener.close()
        self._stop.close()

    def _accept(self) -> None:
        waiting: list[Any] = [self._listener, self._stop]
        while self._stop not in select.select(waiting, [], [])[0]:
            sock, _ = self._listener.accept()
            number = self._connections
            self._connections += 1
            thread = threading.Thread(target=self._serve, args=(sock, number), daemon=True)
            self._served.append((thread, sock))
            thread.start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        line = _Line(sock, self._stop)
        with contextlib.closing(line), contextlib.suppress(OSError, _ReplyEndedError):
            while (request := self._next_request(line, number)) is not None:
                reply = self._reply_to(request)
                try:
                    self._send(line, reply, request)
                    request.finished_at = time.perf_counter()
                except _ClientGoneError:
                    request.disconnected_at = time.perf_counter()
                    return
                finally:
                    request._over.set()
                if reply.framing in {"close", "raw"}:
                    return

    def _next_request(self, line: _Line, number: int) -> Request | None:
        waiting: list[Any] = [line.sock, self._stop]
        if self._stop in select.select(waiting, [], [])[0]:
            return None
        start = line.file.readline().decode("latin-1").split()
        if len(start) != 3:
            return None
        received_at = time.perf_counter()
        headers = http.client.parse_headers(line.file)
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = _read_chunked(line.file)
        else:
            body = line.file.read(int(headers.get("content-length") or 0))
        return Request(start[0], start[1], headers, body, number, received_at)

    def _reply_to(self, request: Request) -> Reply:
        with self._changed:
            if request.method == "GET" and request.path.endswith("/models"):
                self.model_requests.append(request)
                listed = [{"id": name, "object": "model", "created": 0} for name in self.models]
                script = self.models_reply or {"object": "list", "data": listed}
            elif request.method == "GET" and request.path == "/props":  # of llama.cpp alone
                self.model_requests.append(request)
                script = Reply.json({"error": {"message": "no such path"}}, 404)
            else:
                self.requests.append(request)
                script = self._replies.popleft() if self._replies else self.default
            self._changed.notify_all()
        answer = script(request) if callable(script) else script
        if isinstance(answer, Reply):
            return answer
        return Reply(answer) if isinstance(answer, bytes) else Reply.json(answer)

    @staticmethod
    def _send(line: _Line, reply: Reply, request: Request) -> None:
        for step in reply.before:
            line.take(step)
        steps = _compressed(reply.steps()) if reply.gzip else reply.steps()
        length = None
        if reply.framing == "length":
            steps = list(steps)
            length = sum(len(step) for step in steps if isinstance(step, bytes))
        line.began = time.perf_counter()
        if reply.framing != "raw":
            line.send(_head(reply, length))
        for step in steps:
            piece = line.take(step)
            if not piece:
                continue
            request.sent_at.append(time.perf_counter())
            if reply.framing == "chunked":
                piece = b"%x\r\n%b\r\n" % (len(piece), piece)
            line.send(piece)
        if reply.framing == "chunked":
            line.send(b"0\r\n\r\n")


def _read_chunked(file: io.BufferedReader) -> bytes:
    body = b""
    while size := int(file.readline(), 16):
        body += file.read(size)
        file.readline()
    file.readline()
    return body


def refusing_url() -> str:
    """A base URL where nobody listens: connecting is refused at once."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{sock.getsockname()[1]}/v1"


@contextlib.contextmanager
def deaf_url() -> Iterator[str]:
    """A base URL whose host never answers a connection attempt: a connect timeout."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):  # fill the queue of connections that nobody accepts
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
