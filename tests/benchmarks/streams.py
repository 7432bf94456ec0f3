"""CPU for each chunk of a stream, from bytes to the folded completion.

Measured twice: in memory (openai through a mock transport, nbchat through `read_stream`), and over
TCP with each chunk arriving by itself, as a model sends them, through the whole of each client.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Any

from tests.benchmarks.inputs import stream_pieces
from tests.benchmarks.measure import Line, cpu_seconds, isolated, seconds
from tests.replies import Step
from tests.scripted import Pause, Reply, ScriptedServer

HERE = "tests.benchmarks.streams"
ROUNDS = 3


def split_events(pieces: Iterable[bytes]) -> list[bytes]:
    events: list[bytes] = []
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n\n")
        events += whole
    return events


def splitting(chunks: int, alternatives: int) -> float:
    pieces = stream_pieces(chunks, alternatives)
    return cpu_seconds(lambda: split_events(pieces)) / chunks


def decoding(chunks: int, alternatives: int) -> float:
    import msgspec

    pieces = stream_pieces(chunks, alternatives)
    decode = msgspec.json.Decoder().decode

    def work() -> None:
        for data in split_events(pieces)[:-1]:
            decode(data[6:])

    return cpu_seconds(work) / chunks


def nbchat(chunks: int, alternatives: int) -> float:
    from nbchat.client import read_stream

    pieces = stream_pieces(chunks, alternatives)
    whole = read_stream(pieces)
    table = whole.choices[0].logprobs
    if alternatives:
        assert table is not None
        assert table.content is not None
        assert len(table.content) == chunks
    assert whole.choices[0].finish_reason == "stop"
    return cpu_seconds(lambda: read_stream(pieces)) / chunks


def openai(chunks: int, alternatives: int) -> float:
    import httpx2
    from openai import OpenAI

    pieces = stream_pieces(chunks, alternatives)

    def serve(_: Any) -> Any:
        return httpx2.Response(
            200, headers={"content-type": "text/event-stream"}, content=iter(pieces)
        )

    http = httpx2.Client(transport=httpx2.MockTransport(serve))
    client = OpenAI(api_key="none", base_url="http://bench.invalid/v1", http_client=http)

    def work() -> None:
        stream = client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "hi"}], stream=True
        )
        assert sum(1 for _ in stream) == chunks + 3

    return cpu_seconds(work, 3) / chunks


def rounds(names: Iterable[str], chunks: int, alternatives: int) -> dict[str, float]:
    """The least of several processes; they take turns, so that a busy moment hits them all."""
    best: dict[str, float] = {}
    for _ in range(ROUNDS):
        for name in names:
            cost = isolated(f"{HERE}:{name}", chunks, alternatives)
            best[name] = min(cost, best.get(name, cost))
    return best


def raw_over_tcp(url: str, chunks: int) -> float:
    """The floor: a socket's bytes, split."""
    host, port = url.removeprefix("http://").removesuffix("/v1").split(":")

    def work() -> None:
        with socket.create_connection((host, int(port))) as sock:
            sock.sendall(b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}")
            split_events(iter(lambda: sock.recv(65536), b""))

    return cpu_seconds(work, 2) / chunks


def openai_over_tcp(url: str, chunks: int) -> float:
    from openai import OpenAI

    client = OpenAI(api_key="none", base_url=url)

    def work() -> None:
        stream = client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "hi"}], stream=True
        )
        assert sum(1 for _ in stream) == chunks + 3

    return cpu_seconds(work, 2) / chunks


def nbchat_over_tcp(url: str, chunks: int) -> float:
    from nbchat.client import Client

    client = Client(url)

    def work() -> None:
        with client.stream("hi", model="m") as stream:
            assert sum(1 for _ in stream) == chunks + 3
        assert stream.completion.choices[0].finish_reason == "stop"

    return cpu_seconds(work, 2) / chunks


def over_tcp(chunks: int, alternatives: int) -> dict[str, float]:
    pieces: list[Step] = []
    for piece in stream_pieces(chunks, alternatives):
        pieces += [piece, Pause(0.0005)]  # long enough that each chunk is read by itself
    names = {"raw": "floor, raw socket", "openai": "openai create", "nbchat": "nbchat"}
    best: dict[str, float] = {}
    with ScriptedServer(default=Reply(pieces, framing="close")) as server:
        for _ in range(ROUNDS):
            for function, name in names.items():
                cost = isolated(f"{HERE}:{function}_over_tcp", server.url, chunks)
                best[name] = min(cost, best.get(name, cost))
    return best


def tcp_line(chunks: int, alternatives: int, what: str) -> Line:
    """No bound: waking up for each chunk costs the raw socket 1/20 of openai's whole time."""
    cost = over_tcp(chunks, alternatives)
    return Line(
        f"{what}: over TCP, chunk by chunk, the whole client ({chunks:,} chunks)",
        shown(cost),
        cost["nbchat"] / cost["openai create"],
        None,
        "nbchat / openai create",
    )


def chunk() -> list[Line]:
    """No logprobs."""
    what = "CPU for a streamed chunk, bytes to folded completion, no logprobs"
    count = 5_000
    names = ("splitting", "decoding", "openai", "nbchat")
    cost = rounds(names, count, 0)
    return [
        Line(
            f"{what}: in memory ({count:,} chunks)",
            shown(cost),
            cost["nbchat"] / cost["openai"],
            1 / 20,
            "nbchat / openai create",
        ),
        tcp_line(2_000, 0, what),
    ]


def alternatives() -> list[Line]:
    """20 alternatives for each token, and whether the cost is linear."""
    what = "CPU for a streamed chunk with 20 alternatives, bytes to folded completion"
    few, many = 5_000, 10_000
    names = ("splitting", "decoding", "openai", "nbchat")
    cost = rounds(names, few, 20)
    twice = min(isolated(f"{HERE}:nbchat", many, 20) for _ in range(ROUNDS))
    return [
        Line(
            f"{what}: in memory ({few:,} chunks)",
            shown(cost),
            cost["nbchat"] / cost["openai"],
            1 / 10,
            "nbchat / openai create",
        ),
        tcp_line(2_000, 20, what),
        Line(
            f"the same is linear: CPU for each chunk, {many:,} chunks beside {few:,}",
            {f"{few:,}": seconds(cost["nbchat"]), f"{many:,}": seconds(twice)},
            twice / cost["nbchat"],
            1.25,
            f"for each chunk, {many:,} / {few:,}",
        ),
    ]


def shown(cost: dict[str, float]) -> dict[str, str]:
    meaning = {
        "splitting": "floor, splitting bytes",
        "decoding": "splitting and msgspec, no folding",
        "openai": "openai create",
    }
    return {meaning.get(name, name): seconds(value) for name, value in cost.items()}
