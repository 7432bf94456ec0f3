"""Answers made to break the reader: bounded in memory, in depth and in number."""

from __future__ import annotations

import contextlib
import itertools
import json
import pickle
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

import nbchat
from nbchat import frames
from nbchat.api.response import Completion
from nbchat.client import Client, read_stream
from nbchat.client.fold import MOST_CHOICES
from nbchat.client.stream import most_bytes
from nbchat.errors import AnswerTooLongError, ApiError, CheckError, NbchatError
from nbchat.run import Run
from tests.fuzzing import outcome
from tests.scripted import Reply, ScriptedServer, chunk, completion, sse, usage_of

STOP = chunk(finish_reason="stop")
FRAMES = (frames.runs, frames.usage, frames.choices, frames.tokens, frames.alternatives)


def endless(piece: bytes, first: bytes = b"") -> Callable[[], Iterator[bytes]]:
    return lambda: itertools.chain([first], itertools.repeat(piece))


TOO_LONG = {
    "an event without end": endless(b"a" * 1000, b'data: {"'),
    "an event of endless lines": endless(b"data: a\n"),
    "an event of endless empty lines": endless(b"data:\n" * 100),
    "a field without end": endless(b"a" * 1000, b"event: "),
    "a comment without end": endless(b"a" * 1000, b": "),
    "an object without end": endless(b" " * 1000, b'{"a":'),
    "a list without end": endless(b"[" * 1000),
    "a page without end": endless(b"<p>" * 300, b"<html>"),
}


@pytest.mark.parametrize("name", TOO_LONG)
@pytest.mark.parametrize("gzip", [False, True])
def test_a_message_without_end_is_left_and_the_next_request_works(
    server: ScriptedServer, name: str, gzip: bool
) -> None:
    server.reply(Reply(TOO_LONG[name](), gzip=gzip))
    with Client(server.url, max_message_bytes=100_000) as client:
        with pytest.raises(AnswerTooLongError, match=r"0\.1 MB .*max_message_bytes"):
            list(client.stream("Hi"))
        assert client.complete("Hi").choices
    assert len(server.requests) == 2  # and it was not asked for again


def test_what_came_before_a_message_without_end_is_kept(server: ScriptedServer) -> None:
    server.default = Reply(endless(b"a" * 1000, sse(chunk("par"), done=False) + b"data: {")())
    with Client(server.url, max_message_bytes=100_000) as client:
        with pytest.raises(AnswerTooLongError) as caught:
            list(client.stream("Hi"))
    assert caught.value.completion is not None
    assert caught.value.completion.choices[0].message.content == "par"
    assert pickle.loads(pickle.dumps(caught.value)).most_bytes == 100_000


@pytest.mark.long
@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("framing", ["chunked", "close", "length"])
@pytest.mark.parametrize("start", [b'data: {"', b'{"', b"<"])
def test_what_unpacks_to_a_hundred_times_its_size_is_unpacked_only_in_part(
    server: ScriptedServer, framing: Any, start: bytes, status: int
) -> None:
    size = 40_000_000
    packed = gzipped(start + b"a" * size)
    assert len(packed) < size / 500
    headers = {"content-encoding": "gzip"}
    server.default = Reply(packed, status, headers, framing=framing)
    with Client(server.url, max_message_bytes=1_000_000, max_retries=0) as client:
        with traced() as peak, pytest.raises(NbchatError):
            list(client.stream("Hi"))
    assert peak[0] < size / 4


def test_an_answer_of_just_the_size_allowed_is_read(server: ScriptedServer) -> None:
    body = json.dumps(completion("a" * 1000)).encode()
    server.default = Reply(body, framing="length")
    with Client(server.url, max_message_bytes=len(body)) as client:
        assert client.complete("Hi").choices
    with Client(server.url, max_message_bytes=len(body) - 1) as client:
        with pytest.raises(AnswerTooLongError):
            client.complete("Hi")
        server.models_reply = Reply(body)
        with pytest.raises(AnswerTooLongError):
            client.models()


def test_the_bound_can_be_set_for_all_and_holds_for_open_clients(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nbchat.session.settings import settings

    monkeypatch.setattr(settings, "max_message_bytes", None)
    server.default = completion("a" * 1000)
    assert nbchat.chat("Hi", profile=server.url, stream=False).text
    nbchat.configure(max_message_bytes=500)
    with pytest.raises(AnswerTooLongError):
        nbchat.chat("Hi", profile=server.url, stream=False)
    with ScriptedServer(default=server.default) as other, pytest.raises(AnswerTooLongError):
        nbchat.chat("Hi", profile=other.url, stream=False)


@pytest.mark.parametrize("odd", [0, -1, 1.5, "1", True])
def test_a_bound_that_is_none_is_refused(odd: Any) -> None:
    with pytest.raises(CheckError, match="whole number of bytes above 0"):
        Client("http://127.0.0.1:1/v1", max_message_bytes=odd)
    with pytest.raises(CheckError):
        nbchat.configure(max_message_bytes=odd)


@pytest.mark.parametrize(
    ("body", "times"),
    [
        ({}, 1),
        ({"top_logprobs": 20, "logprobs": True}, 1),
        ({"top_logprobs": 49_152, "logprobs": True}, 2458),
        ({"logprobs": 40, "prompt": [1]}, 2),
        ({"top_logprobs": "all"}, 1),
    ],
)
def test_the_bound_grows_with_the_alternatives_asked_for(body: Any, times: int) -> None:
    assert most_bytes(body, 1000) == 1000 * times


@pytest.mark.parametrize("is_whole", [True, False])
def test_no_more_choices_than_anyone_asks_for_are_kept(is_whole: bool) -> None:
    if is_whole:
        answers = [read_stream([json.dumps(completion(*["a"] * 5000)).encode()])]
    else:
        choices = [{"delta": {"content": "a"}, "finish_reason": "stop"} for _ in range(5000)]
        indexed = [{**choice, "index": index} for index, choice in enumerate(choices)]
        answers = [read_stream([sse({"choices": given})]) for given in (choices, indexed)]
    for answer in answers:
        assert [choice.index for choice in answer.choices] == list(range(MOST_CHOICES))


def nested(depth: int, kind: str) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value] if kind == "lists" else {"a": value}
    return value


PLACES: dict[str, Callable[[Any], dict[str, Any]]] = {
    "usage": lambda deep: chunk("", usage={"x": deep}),
    "usage details": lambda deep: chunk("", usage={"prompt_tokens_details": {"x": deep}}),
    "metadata": lambda deep: chunk("", metadata={"x": deep}),
    "moderation": lambda deep: chunk("", moderation={"x": deep}),
    "timings": lambda deep: chunk("", timings={"x": deep}),
    "an unknown key": lambda deep: chunk("", odd=deep),
    "an unknown key of the delta": lambda deep: chunk(delta={"odd": deep}),
    "annotations": lambda deep: chunk(delta={"annotations": [deep]}),
    "audio": lambda deep: chunk(delta={"audio": {"x": deep}}),
    "content": lambda deep: chunk(delta={"content": deep}),
    "arguments": lambda deep: chunk(
        delta={
            "tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": deep}}]
        }
    ),
    "a legacy call": lambda deep: chunk(delta={"function_call": {"name": "f", "arguments": deep}}),
    "log probabilities": lambda deep: chunk("", logprobs={"content": deep}),
    "an error": lambda deep: {"error": {"message": "no", "x": deep}},
    "a bare error": lambda deep: {"message": "no", "code": 5, "x": deep},
}


@pytest.mark.parametrize("depth", [50, 101, 600, 900])
@pytest.mark.parametrize("kind", ["lists", "objects"])
@pytest.mark.parametrize("place", PLACES)
def test_nesting_gives_an_answer_or_an_error_of_our_own(place: str, kind: str, depth: int) -> None:
    event = msgspec.json.encode(PLACES[place](nested(depth, kind)))
    usable_or_refused([sse(chunk("par"), done=False), b"data: ", event, b"\n\n", sse(STOP)])


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("depth", [50, 101, 600, 100_000])
def test_nesting_in_an_error_is_an_error_of_our_own(
    server: ScriptedServer, status: int, depth: int
) -> None:
    body = b'{"error":{"message":"no","x":' + b"[" * depth + b"]" * depth + b"}}"
    server.default = Reply(body, status, framing="length", content_type="application/json")
    with Client(server.url, max_retries=0) as client, pytest.raises(ApiError) as caught:
        client.complete("Hi")
    pickle.dumps(caught.value)
    assert "no" in str(caught.value)


ODD_VALUES = [10**25, -(10**25), 10**400, 1e308, True, None, "x", [], {}, [[]], 2**63, -1, 0.5]
SPOTS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "cached_tokens": lambda odd: completion(
        "a", usage={**usage_of(), "prompt_tokens_details": {"cached_tokens": odd}}
    ),
    "every count": lambda odd: completion("a", usage=dict.fromkeys(usage_of(), odd)),
    "details": lambda odd: completion(
        "a", usage={**usage_of(), "completion_tokens_details": odd, "prompt_tokens_details": odd}
    ),
    "top_logprobs": lambda odd: completion(
        "a", logprobs=[{"token": "a", "logprob": -1.0, "bytes": None, "top_logprobs": odd}]
    ),
    "a token": lambda odd: completion(
        "a", logprobs=[{"token": odd, "logprob": odd, "bytes": odd, "id": odd, "top_logprobs": []}]
    ),
    "an alternative": lambda odd: completion(
        "a",
        logprobs=[
            {"token": "a", "logprob": -1.0, "top_logprobs": [{"token": odd, "logprob": odd}, odd]}
        ],
    ),
    "logprobs": lambda odd: completion("a", logprobs={"content": odd, "refusal": odd}),
    "facts": lambda odd: completion(
        "a", created=odd, model=odd, id=odd, service_tier=odd, system_fingerprint=odd
    ),
    "timings": lambda odd: completion("a", timings=odd),
    "a call": lambda odd: completion(
        None,
        message={"tool_calls": [{"id": odd, "type": odd, "index": odd, "function": {"name": odd}}]},
    ),
    "a call's arguments": lambda odd: completion(
        None,
        message={"tool_calls": [{"id": "a", "function": {"name": "f", "arguments": odd}}, odd]},
    ),
    "the message": lambda odd: completion(
        None, message={"content": odd, "role": odd, "refusal": odd, "annotations": odd}
    ),
    "a choice": lambda odd: {"choices": [{"index": odd, "message": {"content": "a"}}, odd]},
}


@pytest.mark.parametrize("odd", ODD_VALUES, ids=lambda odd: repr(odd)[:12])
@pytest.mark.parametrize("spot", SPOTS)
def test_an_odd_value_costs_itself_alone(spot: str, odd: Any) -> None:
    usable_or_refused([json.dumps(SPOTS[spot](odd)).encode()])


def test_one_odd_run_does_not_take_the_frame_of_all() -> None:
    from nbchat.api.response import Usage

    good = Run.from_completion(read_stream([json.dumps(completion("a")).encode()]))
    odd = Run.from_completion(Completion(usage=Usage(prompt_tokens=10**30)))
    found = frames.usage([good, odd, good])["prompt_tokens"]
    assert found.isna().tolist() == [False, True, False]
    assert found[0] == 9


def test_arguments_that_are_brackets_alone_end_in_an_error_of_our_own(
    server: ScriptedServer,
) -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "[" * 100_000}}
    found = usable_or_refused(
        [json.dumps(completion(None, message={"tool_calls": [call]})).encode()]
    )
    assert found is not None
    assert found.choices[0].message.tool_calls == [call]


def usable_or_refused(pieces: list[bytes]) -> Completion | None:
    """Read an answer: an error of our own keeps what came, a completion can be worked with."""
    found, error = outcome(pieces)
    assert found is not None
    if error is not None:
        pickle.dumps(error)
        assert len(pieces) == 1 or found.choices[0].message.content == "par"
        return None
    run = Run.from_completion(found)
    json.dumps(msgspec.to_builtins(found.to_dict()))
    pickle.loads(pickle.dumps(found))
    for frame in FRAMES:
        frame(run)
    return found


def gzipped(data: bytes) -> bytes:
    import gzip

    return gzip.compress(data)


@contextlib.contextmanager
def traced() -> Iterator[list[int]]:
    """Give a list that holds, afterwards, how many bytes were in use at most."""
    peak: list[int] = []
    tracemalloc.start()
    try:
        yield peak
    finally:
        peak.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
