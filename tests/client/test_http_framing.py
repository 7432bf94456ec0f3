"""Whatever way HTTP has to send an answer, it is read whole, at once, and paid once."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from nbchat.client import Client, connections
from nbchat.client.retry import Wait
from tests.client.raw_http import Framing, serving
from tests.client.real_servers import SERVERS, WORDS, count
from tests.wire import chunk, completion, sse, usage_of

MATRIX = [
    Framing(*ways)
    for ways in itertools.product(
        ("1.0", "1.1"),
        ("keep-alive", "close"),
        ("length", "chunked", "neither"),
        ("one", "many"),
        (False, True),
    )
]
STREAMED = sse(*map(chunk, WORDS), chunk(finish_reason="stop"), chunk(usage=usage_of()))
WHOLE = json.dumps(completion("".join(WORDS), usage=usage_of())).encode()
LARGE = json.dumps(completion("".join(WORDS) * 20_000, usage=usage_of())).encode()


@pytest.mark.parametrize("streams", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("framing", MATRIX, ids=lambda framing: "-".join(map(str, framing)))
def test_an_answer_of_any_framing_is_read_and_asked_for_once(
    framing: Framing, streams: bool
) -> None:
    content_type = "text/event-stream" if streams else "application/json"
    pieces = framing.pieces(content_type, STREAMED if streams else WHOLE)
    waits: list[Wait] = []
    with (
        serving(pieces, keeps_connection=framing.keeps_connection) as server,
        Client(server.url, on_wait=waits.append) as client,
    ):
        for number in (1, 2):
            assert _said(client, streams=streams) == ("".join(WORDS), "stop", 12)
            assert server.requests == number
        assert server.connections == (1 if framing.keeps_connection else 2)
    assert waits == []


@pytest.mark.parametrize("streams", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("framing", MATRIX, ids=lambda framing: "-".join(map(str, framing)))
def test_an_answer_cut_short_is_never_taken_for_a_whole_one(
    framing: Framing, streams: bool
) -> None:
    from nbchat.errors import NbchatError

    content_type = "text/event-stream" if streams else "application/json"
    sent = b"".join(framing.pieces(content_type, STREAMED if streams else WHOLE))
    head = sent.index(b"\r\n\r\n") + 4
    with (
        serving([sent[: head + (len(sent) - head) // 4]]) as server,
        Client(server.url, max_retries=0) as client,
        pytest.raises(NbchatError),
    ):
        _said(client, streams=streams)
    assert server.requests == 1


@pytest.mark.parametrize("length", ["length", "chunked", "neither"])
def test_an_answer_of_many_packets_is_read_whole(length: str) -> None:
    framing = Framing("1.1", "close", length, "one", is_compressed=False)  # type: ignore[arg-type]
    with (
        serving(framing.pieces("application/json", LARGE)) as server,
        Client(server.url) as client,
    ):
        said, _, _ = _said(client, streams=False)
    assert said == "".join(WORDS) * 20_000
    assert server.requests == 1


@pytest.fixture(scope="module", params=SERVERS)
def real_url(request: pytest.FixtureRequest) -> Iterator[str]:
    with SERVERS[request.param]() as url:
        yield url


@pytest.mark.parametrize("streams", [True, False], ids=["streamed", "whole"])
def test_servers_by_other_hands_are_asked_once(real_url: str, streams: bool) -> None:
    before = count(real_url)
    with Client(real_url) as client:
        for _ in range(3):
            assert _said(client, streams=streams) == ("".join(WORDS), "stop", 12)
    assert count(real_url) == before + 3


def _said(client: Client, *, streams: bool) -> tuple[str | None, str | None, int | None]:
    if streams:
        with client.stream("Hi") as stream:
            for _ in stream:
                pass
        answer = stream.completion
    else:
        answer = client.complete("Hi")
    assert answer.usage is not None
    choice = answer.choices[0]
    return choice.message.content, choice.finish_reason, answer.usage.total_tokens


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(("size", "n_pieces"), [(100, 1), (60_000, 1), (150_000, 4)])
def test_the_head_of_a_request_goes_with_its_body_where_that_is_small(
    scheme: str, size: int, n_pieces: int
) -> None:
    sent: list[bytes] = []
    sock = SimpleNamespace(sendall=lambda data: sent.append(bytes(data)), settimeout=lambda _: None)
    kinds: Any = connections.Adapter().poolmanager.pool_classes_by_scheme
    connection = kinds[scheme]("server.test").ConnectionCls("server.test")
    connection.sock = sock
    for n in (1, 2):
        connection.request("POST", "/v1", body=b"x" * size, headers={"X-A": "b"})
        connection._HTTPConnection__state = "Idle"
        assert len(sent) == n * n_pieces
    head, _, body = b"".join(sent[:n_pieces]).partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1 HTTP/1.1\r\n")
    assert b"X-A: b" in head
    assert body == b"x" * size
