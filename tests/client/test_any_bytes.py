"""Whatever a server sends, a client gives an answer or an error of its own, and works on."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat import frames
from nbchat.client import Client, Timeouts, read_stream
from nbchat.errors import ApiError, TransportError
from nbchat.run import Run
from tests.client.raw_http import Framing, Length
from tests.fuzzing import examples, outcome
from tests.scripted import Reply, ScriptedServer
from tests.wire import chunk, completion, logprob_entry, sse, usage_of

pytestmark = pytest.mark.fuzz

CALL = {
    "index": 0,
    "id": "c",
    "type": "function",
    "function": {"name": "f", "arguments": '{"a":1}'},
}
EVENTS: list[dict[str, Any]] = [
    chunk(role="assistant", delta={"content": ""}),
    chunk("Hi", logprobs=[logprob_entry("Hi", -0.1, [("Hi", -0.1), ("Yo", -3.0)], id=7)]),
    chunk("!", logprobs={"tokens": ["!"], "token_logprobs": [-1], "top_logprobs": [{"!": -1}]}),
    chunk(delta={"reasoning": "hm", "reasoning_details": [{"type": "t", "index": 0, "text": "h"}]}),
    chunk(delta={"tool_calls": [CALL]}),
    chunk(delta={"tool_calls": [CALL, {**CALL, "index": 1}]}, index=1),
    chunk(delta={"function_call": {"name": "f", "arguments": "{}"}}),
    chunk(delta={"audio": {"id": "a", "data": "QUJD", "transcript": "x"}, "annotations": [{}]}),
    chunk(
        delta={"content": [{"type": "text", "text": "x"}, {"type": "thinking", "thinking": "y"}]}
    ),
    chunk(finish_reason="stop"),
    chunk(usage=usage_of(), timings={"predicted_ms": 5.0}),
    completion("whole", message={"tool_calls": [CALL]}, logprobs=[logprob_entry("w", -0.5)]),
    {"error": {"message": "no", "code": 503}},
]
ODD = st.one_of(
    st.sampled_from([None, True, 0, -1, 2**63, 10**30, 1e308, "", "x", "0", [], {}, [[]], [None]]),
    st.floats(),
    st.text(max_size=5),
    st.recursive(
        st.none(),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
        max_leaves=5,
    ),
)


@st.composite
def bent(draw: st.DrawFn) -> Any:
    """An event of the API with some of its values replaced, taken out or put elsewhere."""
    event = json.loads(json.dumps(draw(st.sampled_from(EVENTS))))
    for _ in range(draw(st.integers(0, 3))):
        _bend(draw, event)
    return event


def _bend(draw: st.DrawFn, event: Any) -> None:
    spots = list(_spots(event))
    if not spots:
        return
    holder, key = draw(st.sampled_from(spots))
    change = draw(st.sampled_from(["replace", "remove", "copy", "text", "list"]))
    if change == "replace":
        holder[key] = json.loads(json.dumps(draw(ODD)))
    elif change == "remove":
        del holder[key]
    elif change == "copy":
        other, place = draw(st.sampled_from(spots))
        holder[key] = json.loads(json.dumps(other[place]))
    else:
        holder[key] = str(holder[key]) if change == "text" else [holder[key]]


def _spots(value: Any) -> Iterator[tuple[Any, Any]]:
    items = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
    for key, inner in items:
        yield value, key
        if isinstance(inner, (dict, list)):
            yield from _spots(inner)


def _as_event(event: Any) -> bytes:
    return b"data: " + json.dumps(event).encode() + b"\n\n"


streams = st.lists(bent(), max_size=8).map(lambda events: b"".join(map(_as_event, events)))
wholes = st.one_of(bent(), st.lists(bent(), max_size=3)).map(lambda body: json.dumps(body).encode())
lines = st.lists(
    st.one_of(
        st.sampled_from(
            [
                *(
                    b"data: ",
                    b"data:",
                    b"data: data: ",
                    b"event: error\n",
                    b"event: ping\n",
                    b": x\n",
                ),
                *(b"\n", b"\r\n", b"\r", b"{", b"}", b"[DONE]", b"[", b"<html>", b"\xef\xbb\xbf"),
                *(b"id: 1\n", b"retry: 5\n", b'error: {"message":"no"}\n', b"\x1f\x8b"),
            ]
        ),
        st.binary(max_size=6),
        bent().map(_as_event),
    ),
    max_size=12,
).map(b"".join)
bodies = st.one_of(streams, wholes, lines, st.binary(max_size=200))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Bytes of a body, of which some are cut off, doubled or others."""
    body = draw(bodies)
    for _ in range(draw(st.integers(0, 2))):
        at, size = draw(st.integers(0, len(body))), draw(st.integers(0, 9))
        body = body[:at] + draw(st.binary(max_size=3)) + body[at + size :]
    return body


@pytest.mark.long
@examples(150)
@given(damaged(), st.integers(1, 40))
def test_any_bytes_give_an_answer_or_an_error_of_our_own(body: bytes, size: int) -> None:
    found, error = outcome([body])
    assert found is not None
    pickle.dumps(error)
    msgspec.json.encode(found.to_dict())
    assert repr(pickle.loads(pickle.dumps(found)).to_dict()) == repr(found.to_dict())
    run = Run.from_completion(found)
    for frame in (frames.runs, frames.usage, frames.choices, frames.tokens, frames.alternatives):
        frame(run)
    # and the same however it is cut
    again, its_error = outcome(body[at : at + size] for at in range(0, len(body), size))
    assert repr(its_error) == repr(error)
    assert repr(again) == repr(found)


framings = st.builds(
    Framing,
    st.sampled_from(["1.0", "1.1"]),
    st.sampled_from(["keep-alive", "close"]),
    st.sampled_from(get_args(Length)),
    st.just("one"),
    st.booleans(),
)


@pytest.fixture(scope="module")
def asked() -> Iterator[tuple[ScriptedServer, Client]]:
    timeouts = Timeouts(connect_s=5, first_byte_s=5, between_bytes_s=5)
    with ScriptedServer() as server:
        with Client(server.url, timeout=timeouts, max_retries=0) as client:
            yield server, client


@examples(60)
@given(damaged(), framings, st.booleans(), st.sampled_from([200, 200, 204, 400, 429, 500, 999]))
def test_the_next_request_works_whatever_came_before(
    asked: tuple[ScriptedServer, Client],
    body: bytes,
    framing: Framing,
    streams_it: bool,
    status: int,
) -> None:
    server, client = asked
    server.reply(Reply([b"".join(framing.pieces("text/plain", body, status))], framing="raw"))
    _ask(client, streams=streams_it)
    assert client.complete("Hi").choices[0].message.content == "Hello from the scripted server."


@examples(40)
@given(st.binary(max_size=300), st.booleans())
def test_what_is_no_http_is_an_error_of_our_own(
    asked: tuple[ScriptedServer, Client], answer: bytes, begins_well: bool
) -> None:
    server, client = asked
    server.reply(Reply([b"HTTP/1.1 200 OK\r\n" * begins_well + answer], framing="raw"))
    _ask(client, streams=True)
    assert client.complete("Hi").choices[0].message.content == "Hello from the scripted server."


def _ask(client: Client, *, streams: bool) -> None:
    try:
        if streams:
            list(client.stream("Hi"))
        else:
            client.complete("Hi")
    except (ApiError, TransportError):
        pass


def test_the_events_that_are_bent_are_read_as_they_stand() -> None:
    read = [event for event in EVENTS if "error" not in event]
    assert read_stream([sse(*read, chunk(finish_reason="stop", index=1))]).choices
