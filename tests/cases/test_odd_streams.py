"""Streams that leave the reference: what was meant is read, and nothing twice."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nbchat.client import read_stream
from nbchat.errors import NbchatError
from tests.wire import chunk, completion, sse, usage_of

STOP = chunk(finish_reason="stop")
A, B = sse(chunk("a"), done=False), sse(chunk("b"), STOP)


def message_of(*events: dict[str, Any]) -> Any:
    return read_stream([sse(*events)]).choices[0].message


def whole_message(**message: Any) -> dict[str, Any]:
    said = {"role": "assistant", **message}
    return {"id": "x", "choices": [{"index": 0, "message": said, "finish_reason": "stop"}]}


@pytest.mark.parametrize("repeats", [1, 2])
def test_a_whole_message_after_its_deltas_is_not_added_up(repeats: int) -> None:
    # hermes-browser-extension#11
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    deltas = [
        chunk(delta={"reasoning": "h"}),
        chunk(delta={"reasoning": "m"}),
        chunk("Hel"),
        chunk("lo", delta={"tool_calls": [call]}),
    ]
    last = whole_message(content="Hello", reasoning="hm", tool_calls=[call])
    message = message_of(*deltas, *[last] * repeats)
    assert (message.content, message.reasoning) == ("Hello", "hm")
    assert [c["function"]["arguments"] for c in message.tool_calls] == ["{}"]


def test_a_whole_message_that_leaves_something_out_takes_nothing_away() -> None:
    message = message_of(
        chunk(delta={"reasoning": "hm"}), chunk("Hello"), whole_message(content="")
    )
    assert (message.content, message.reasoning) == ("Hello", "hm")


def test_log_probabilities_that_come_again_with_the_whole_message_are_not_added_up() -> None:
    entry = {"token": "Hi", "logprob": -0.5, "bytes": None, "top_logprobs": []}
    last = whole_message(content="Hi")
    last["choices"][0]["logprobs"] = {"content": [entry], "refusal": None}
    answer = read_stream([sse(chunk("Hi", logprobs=[entry]), last)])
    assert answer.choices[0].logprobs is not None
    assert answer.choices[0].logprobs.content is not None
    assert len(answer.choices[0].logprobs.content) == 1


def test_messages_that_are_deltas_by_another_name_are_added_up() -> None:
    parts = [{"choices": [{"index": 0, "message": {"content": text}}]} for text in ("Hel", "lo")]
    assert message_of(*parts, STOP).content == "Hello"


def test_deltas_that_repeat_what_came_are_kept() -> None:  # guard: chatlas#435
    assert message_of(chunk("\n"), chunk("\n"), chunk("x"), STOP).content == "\n\nx"


@pytest.mark.parametrize(
    "kind", ["usage of the last choice (Kimi, pi#2017)", "usage of a whole answer's choice"]
)
def test_usage_may_stand_in_the_choice(kind: str) -> None:
    usage = usage_of(5, 2)
    if "whole" in kind:
        body = completion("a", usage={})
        del body["usage"]
        body["choices"][0]["usage"] = usage
        answer = read_stream([json.dumps(body).encode()])
    else:
        last = chunk(finish_reason="stop")
        last["choices"][0]["usage"] = usage
        answer = read_stream([sse(chunk("a"), last)])
    assert answer.usage is not None
    assert (answer.usage.total_tokens, answer.usage.completion_tokens) == (7, 2)


@pytest.mark.parametrize("given", [{"finish_reason": None}, {"finish_reason": ""}, {}])
def test_a_whole_answer_needs_no_finish_reason(given: dict[str, Any]) -> None:
    # openai-openapi#20, maria#203
    body = completion("all of it")
    del body["choices"][0]["finish_reason"]
    body["choices"][0] |= given
    assert read_stream([json.dumps(body).encode()]).choices[0].message.content == "all of it"


def test_half_of_a_whole_answer_is_no_answer() -> None:
    with pytest.raises(NbchatError):
        read_stream([json.dumps(completion("all of it")).encode()[:-20]])


@pytest.mark.parametrize(
    "between",
    [
        pytest.param(b"event: ping\ndata: ping\n\n", id="a named ping (mcp/go-sdk#636)"),
        pytest.param(b"event: ping\ndata: 1718000000\n\n", id="a ping that is a number"),
        pytest.param(b'event: ping\ndata: {"type": "ping"}\n\n', id="a ping that is an object"),
        pytest.param(b'event: ping\ndata: "x"\n\n', id="a ping that is a JSON text"),
        pytest.param(b"event: heartbeat\ndata:\n\n", id="a heartbeat"),
        pytest.param(
            b"retry: 3000\n\nid: 7\n\n: ping - 2024-01-01\n\n", id="openai-python#2721, #3833"
        ),
    ],
)
def test_what_a_server_sends_for_itself_is_passed_over(between: bytes) -> None:
    whole = read_stream([between + A + between + B + between])
    assert whole.choices[0].message.content == "ab"
    assert whole.extra in ({}, {"type": "ping"})


def test_words_in_an_event_without_a_name_are_no_ping() -> None:
    with pytest.raises(NbchatError, match="not JSON"):
        read_stream([A + b"data: ping\n\n" + B])


@pytest.mark.parametrize("times", [1, 2, 3])
def test_the_name_of_a_field_may_be_written_more_than_once(times: int) -> None:
    # fauxpilot#131, new-api#5367
    data = (A + B).replace(b"data: ", b"data: " * times)
    assert read_stream([data]).choices[0].message.content == "ab"
    cut = [data[at : at + 7] for at in range(0, len(data), 7)]
    assert read_stream(cut).choices[0].message.content == "ab"


@pytest.mark.parametrize("index", ["1", 1, 1.0])
def test_an_index_of_a_choice_may_be_a_text(index: Any) -> None:
    events = [chunk("a"), chunk("b", index=index), STOP, chunk(finish_reason="stop", index=index)]
    answer = read_stream([sse(*events)])
    assert [(c.index, c.message.content) for c in answer.choices] == [(0, "a"), (1, "b")]


@pytest.mark.parametrize(
    ("parts", "text", "thought"),
    [
        pytest.param(
            [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}],
            None,
            "hm",
            id="a part with a summary (Databricks, ellmer#822)",
        ),
        pytest.param([{"type": "thinking", "thinking": "hm"}], None, "hm", id="thinking, a text"),
        pytest.param(
            [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}],
            None,
            "hm",
            id="thinking in parts (Mistral)",
        ),
        pytest.param([{"type": "reasoning", "text": "hm"}], None, "hm", id="a text of its own"),
        pytest.param(
            [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "hi"}],
            "hi",
            "hm",
            id="both (opencode#8900)",
        ),
    ],
)
@pytest.mark.parametrize("is_whole", [True, False])
def test_reasoning_in_parts_is_reasoning(
    parts: list[Any], text: str | None, thought: str, is_whole: bool
) -> None:
    body = completion(None)
    body["choices"][0]["message"]["content"] = parts
    data = json.dumps(body).encode() if is_whole else sse(chunk(delta={"content": parts}), STOP)
    message = read_stream([data]).choices[0].message
    assert (message.content, message.reasoning) == (text, thought)
    assert message.extra == {}


def test_reasoning_parts_of_a_stream_are_joined() -> None:
    def part(text: str) -> dict[str, Any]:
        summary = [{"type": "summary_text", "text": text}]
        return chunk(delta={"content": [{"type": "reasoning", "summary": summary}]})

    message = message_of(part("I "), part("think"), chunk("hi"), STOP)
    assert (message.content, message.reasoning) == ("hi", "I think")


def test_parts_that_are_unknown_are_all_kept() -> None:
    parts = [{"type": "chart", "data": n} for n in (1, 2)]
    message = message_of(*(chunk(delta={"content": [part]}) for part in parts), STOP)
    assert message.extra["content_parts"] == parts


def test_details_of_reasoning_are_joined_part_by_part() -> None:  # OpenRouter
    def details(*items: dict[str, Any]) -> dict[str, Any]:
        return chunk(delta={"reasoning_details": list(items)})

    first = {"type": "reasoning.text", "index": 0, "format": "x"}
    sealed = {"type": "reasoning.encrypted", "data": "QUJD", "id": "r1", "index": 1}
    message = message_of(
        details({**first, "text": "I "}),
        details({**first, "text": "think", "signature": None}),
        details({**first, "signature": "S"}, sealed),
        chunk("hi"),
        STOP,
    )
    whole = {**first, "text": "I think", "signature": "S"}
    assert message.extra["reasoning_details"] == [whole, sealed]


@pytest.mark.parametrize("n_chunks", [1, 4])
def test_details_of_reasoning_without_an_index_stay_as_they_came(n_chunks: int) -> None:
    sealed = [{"type": "reasoning.encrypted", "data": str(n)} for n in range(n_chunks)]
    events = [chunk(delta={"reasoning_details": [item]}) for item in sealed]
    assert message_of(*events, STOP).extra["reasoning_details"] == sealed
