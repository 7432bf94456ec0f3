"""From the server's first chunk to the loop of the client, and from the call to the loop."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from typing import Any

from tests.benchmarks.measure import Line, isolated, middle, seconds
from tests.replies import Step
from tests.scripted import Pause, Reply, ScriptedServer, chunk, event

HERE = "tests.benchmarks.latency"
REQUESTS = 200
WARM_UP = 10
MESSAGES: Any = [{"role": "user", "content": "hi"}]
Times = list[list[float]]  # for each request: when it was called for, when its first text came


def repeated(first_text: Callable[[], Callable[[], object]]) -> Times:
    """`first_text` returns when the text is there, with what reads the rest of the answer."""
    times = []
    for _ in range(REQUESTS + WARM_UP):
        called = time.perf_counter()
        read_the_rest = first_text()
        times.append([called, time.perf_counter()])
        read_the_rest()
    return times


def raw(port: int) -> Times:
    body = json.dumps({"model": "m", "messages": MESSAGES, "stream": True}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
    request = head.encode() + body
    sock = socket.create_connection(("127.0.0.1", port))

    def read_until(mark: bytes) -> None:
        got = b""
        while mark not in got:
            got += sock.recv(65536)

    def first_text() -> Callable[[], object]:
        sock.sendall(request)
        read_until(b'"content": "Hello"')
        return lambda: read_until(b"\r\n0\r\n\r\n")

    with sock:
        return repeated(first_text)


def openai(port: int) -> Times:
    from openai import OpenAI

    client = OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none")

    def first_text() -> Callable[[], object]:
        stream: Any = client.chat.completions.create(model="m", messages=MESSAGES, stream=True)
        for part in stream:
            if part.choices[0].delta.content:
                break
        return lambda: list(stream)

    return repeated(first_text)


def nbchat(port: int) -> Times:
    import nbchat as package

    url = f"http://127.0.0.1:{port}/v1"

    def first_text() -> Callable[[], object]:
        stream = package.stream("hi", model="m", profile=url)
        next(stream)
        return lambda: list(stream)

    return repeated(first_text)


def measured(name: str) -> tuple[float, float]:
    """Seconds from the chunk's sending to the loop, and from the call to the loop; medians."""
    # the pause lets the first chunk travel alone
    pieces: list[Step] = [event(chunk("Hello")), Pause(0.001), event(chunk(finish_reason="stop"))]
    with ScriptedServer(default=Reply(pieces)) as server:
        times = isolated(f"{HERE}:{name}", server.port)[WARM_UP:]
        sent = [request.sent_at[0] for request in server.requests][WARM_UP:]
        assert server.connections == 1, f"{name} opened {server.connections} connections"
    arrived = [came - at for (_, came), at in zip(times, sent, strict=True)]
    return middle(arrived), middle([came - called for called, came in times])


def latency() -> list[Line]:
    """Both with a connection that is open already; the server's own time is in the second."""
    both = {name: measured(name) for name in ("raw", "openai", "nbchat")}
    whats = ("from the server's first chunk", "from the call, server that answers at once,")
    return [
        Line(
            f"{what} to the client's loop (median of {REQUESTS})",
            {name: seconds(figures[which]) for name, figures in both.items()},
            both["nbchat"][which] * 1e3,
            1.5,
            "nbchat, ms",
        )
        for which, what in enumerate(whats)
    ]
