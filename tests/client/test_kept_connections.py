"""What is sent on a connection that is open already, and how its answer is read."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat.client import Client
from nbchat.client.plain_answers import read_head
from nbchat.client.stream import Timeouts
from nbchat.errors import (
    BetweenBytesTimeout,
    ConnectError,
    FirstByteTimeout,
    RateLimitError,
    StreamCutError,
)
from tests.client.raw_http import Framing, RawServer, serving
from tests.wire import completion, usage_of

BODY = json.dumps(completion("Hello", usage=usage_of())).encode()
FRAMING = Framing("1.1", "keep-alive", "length", "one", is_compressed=False)
[PLAIN] = FRAMING.pieces("application/json", BODY)
HI = [{"role": "user", "content": "Hi"}]
HEAD_SIZE = PLAIN.index(b"\r\n\r\n") + 4


def headers_by_the_library(data: bytes) -> tuple[Any, ...]:
    sock: Any = SimpleNamespace(makefile=lambda _: io.BytesIO(data))
    answer = http.client.HTTPResponse(sock, method="POST")
    answer.begin()
    headers: dict[str, str] = {}
    for name, value in answer.msg.items():
        known = headers.get(name.lower())
        value = value.strip()
        headers[name.lower()] = value if known is None else f"{known}, {value}"
    body = answer.read()
    return answer.status, headers, answer.will_close, len(body), data.index(body + b"END")


LINES = st.sampled_from(
    [
        b"Content-Length: 3", b"content-length:3", b"content-length: 03", b"content-length: 3, 3",
        b"content-length: -3", b"content-length: 3 ", b"content-length: x", b"x-empty:", b"X-A: b",
        b"x-a:  c\t", b"transfer-encoding: chunked", b"content-encoding: gzip",
        b"connection: close",
        b"connection: Keep-Alive", b"x-latin: caf\xe9", b"x-nul: a\x00b", b"x-return: a\rb",
        b" folded", b"no colon", b"a blank : 1", b": no name", b"x-line: a\nb",
    ]
)  # fmt: skip
STARTS = st.sampled_from(
    [
        b"HTTP/1.1 200 OK", b"HTTP/1.1 200 ", b"HTTP/1.1 200", b"HTTP/1.1 429 Too many",
        b"HTTP/1.0 200 OK", b"HTTP/1.1 100 Continue", b"HTTP/1.1 204 No", b"HTTP/1.1 2000 OK",
        b"HTTP/1.1  200 OK", b"ICY 200 OK", b"HTTP/1.1 304 Not", b"http/1.1 200 OK",
    ]
)  # fmt: skip


@given(STARTS, st.lists(LINES, max_size=6), st.sampled_from([b"\r\n", b"\r\n", b"\n"]))
def test_a_plain_head_is_read_as_the_library_does(
    start: bytes, lines: list[bytes], end: bytes
) -> None:
    data = end.join([start, *lines, b"", b""]) + b"END" * 2
    head = read_head(data)
    if head is not None:
        status, headers, will_close, body_size, n_bytes = headers_by_the_library(data)
        assert (head.status, head.headers) == (status, headers)
        assert (head.body_size, head.n_bytes, will_close) == (body_size, n_bytes, False)


def test_heads_as_servers_send_them_are_plain() -> None:
    for lines in (
        b"",
        b"server: uvicorn\r\nx-ratelimit-limit-requests: 5\r\n",
        b"Set-Cookie: a=b\r\n",
    ):
        head = read_head(b"HTTP/1.1 200 OK\r\n" + lines + b"content-length: 12\r\n\r\n{}")
        assert head is not None
        assert (head.status, head.body_size) == (200, 12)
        assert read_head(b"HTTP/1.1 200 OK\r\n" + lines + b"content-length: 12\r\n") is None


@pytest.mark.parametrize(
    "line",
    [
        b"transfer-encoding: chunked", b"content-encoding: gzip", b"connection: close",
        b"content-length: 3", b" folded", b"no colon", b"a blank : 1", b"x-line: a\nb", b"x: a\x00",
    ],
)  # fmt: skip
def test_what_is_in_any_way_different_is_left_to_the_libraries(line: bytes) -> None:
    whole = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n%s\r\n\r\nEND"
    assert read_head(whole % b"x: y") is not None
    assert read_head(whole % line) is None


def test_a_head_that_is_made_to_be_slow_is_read_quickly() -> None:
    for hostile in (b"a:" + b" " * 60_000 + b"\n", b"a:b\r\n" * 12_000, b"a" * 60_000):
        began = time.perf_counter()
        assert read_head(b"HTTP/1.1 200 OK\r\n" + hostile) is None
        assert time.perf_counter() - began < 1.0


@pytest.mark.parametrize("streams", [True, False])
def test_a_connection_is_sent_the_same_head_again(*, streams: bool) -> None:
    with (
        serving([PLAIN], keeps_connection=True) as server,
        Client(server.url, timeout=10) as client,
    ):
        for prompt in ("Hi", "Hi, at greater length", "Hi"):
            with (
                client.stream(prompt)
                if streams
                else client.start(HI, _params(), streams=False) as it
            ):
                list(it)
        assert server.connections == 1
    first, *later = (re.sub(rb"(?i)(content-length: )\d+", rb"\1", head) for head in server.heads)
    names = [
        [line.partition(b":")[0].lower() for line in head.splitlines()] for head in (first, *later)
    ]
    assert len(later) == 2
    assert all(sorted(first.splitlines()) == sorted(head.splitlines()) for head in later), names
    assert all(len(set(of_one)) == len(of_one) for of_one in names)


def _params() -> Any:
    from nbchat.api import check

    return check({"model": "m"})


def test_what_comes_behind_an_answer_is_no_other_answers() -> None:
    with (
        serving([PLAIN + b"HTTP/1.1 200 OK\r\n"], keeps_connection=True) as server,
        Client(server.url) as client,
    ):
        for _ in range(3):
            assert client.complete("Hi").choices[0].message.content == "Hello"
        # the libraries read the first one, and forget what they have read too much
        assert (server.requests, server.connections) == (3, 2)


def test_an_error_is_one_and_the_connection_is_kept() -> None:
    error = FRAMING.pieces("application/json", b'{"error": {"message": "Slower."}}', status=429)
    with (
        serving([PLAIN], keeps_connection=True, then=error) as server,
        Client(server.url, max_retries=0) as client,
    ):
        client.complete("Hi")
        for _ in range(2):
            with pytest.raises(RateLimitError, match="Slower"):
                client.complete("Hi")
        assert (server.requests, server.connections) == (3, 1)


CUT = {
    "nothing": (b"", FirstByteTimeout, ConnectError),
    "half a status line": (b"HTTP/1.", FirstByteTimeout, ConnectError),
    "half a head": (PLAIN[: HEAD_SIZE // 2], FirstByteTimeout, StreamCutError),
    "a head": (PLAIN[:HEAD_SIZE], FirstByteTimeout, StreamCutError),
    "half a body": (PLAIN[: HEAD_SIZE + 20], BetweenBytesTimeout, StreamCutError),
}


@contextlib.contextmanager
def kept(piece: bytes) -> Iterator[tuple[RawServer, Client]]:
    """A client whose connection is open, and a server that answers with this from now on."""
    with (
        serving([PLAIN], keeps_connection=True, then=[piece]) as server,
        Client(server.url, max_retries=0) as client,
    ):
        client.complete("Hi")
        yield server, client


@contextlib.contextmanager
def when_asked_again(server: RawServer, act: Callable[[], object]) -> Iterator[None]:
    """Do something in a thread as soon as the second request has come."""

    def wait() -> None:
        while server.requests < 2:
            time.sleep(0.002)
        time.sleep(0.02)  # so that what is sent of an answer is there, most of the time
        act()

    thread = threading.Thread(target=wait)
    thread.start()
    yield
    thread.join()


@pytest.mark.parametrize("what", CUT)
def test_silence_on_an_open_connection_is_bounded(what: str) -> None:
    piece, error, _ = CUT[what]
    with kept(piece) as (server, client):
        impatient = client.start(HI, _params(), streams=False, timeout=Timeouts(5, 0.1, 0.1))
        with impatient as stream, pytest.raises((error, FirstByteTimeout)):
            list(stream)
        assert (server.requests, server.connections) == (2, 1)


@pytest.mark.parametrize("what", CUT)
def test_a_request_on_an_open_connection_can_be_cancelled(what: str) -> None:
    piece, _, _ = CUT[what]
    with kept(piece) as (server, client):
        with (
            client.start(HI, _params(), streams=False) as stream,
            when_asked_again(server, stream.cancel),
        ):
            assert list(stream) == []
        assert (server.requests, server.connections) == (2, 1)


@pytest.mark.parametrize("what", CUT)
def test_an_answer_cut_short_on_an_open_connection_is_asked_for_once(what: str) -> None:
    piece, _, error = CUT[what]
    with kept(piece) as (server, client):
        # of one that ends without a byte it is not known whether it was closed before
        cut = server.drop if piece else server.close
        with when_asked_again(server, cut), pytest.raises(error):
            client.complete("Hi")
        assert server.requests == 2


@pytest.mark.long
def test_a_slow_line_may_take_its_time() -> None:
    """What is bounded is silence, and not the whole of a long request."""
    prompt = "word " * 400_000
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def serve() -> None:
            sock, _ = listener.accept()
            with sock:
                for _ in range(2):
                    data = b""
                    while b"\r\n\r\n" not in data:
                        data += sock.recv(65_536)
                    head, _, begun = data.partition(b"\r\n\r\n")
                    size = re.search(rb"(?i)content-length: (\d+)", head)
                    assert size is not None
                    left = int(size[1]) - len(begun)
                    while left:
                        time.sleep(0.02)
                        left -= len(sock.recv(min(left, 65_536)))
                    sock.sendall(PLAIN)

        server = threading.Thread(target=serve, daemon=True)
        server.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        with Client(url, timeout=Timeouts(0.25, 30, 30), max_retries=0) as client:
            for _ in range(2):
                client.complete(prompt)
        server.join()
