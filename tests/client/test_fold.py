from __future__ import annotations

import base64
import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat.api.response import Completion
from nbchat.client import read_stream
from nbchat.errors import StreamCutError, StreamError
from tests.wire import chunk, completion, logprob_entry, sse, usage_of

STOP = chunk(finish_reason="stop")


def folded(*chunks: dict[str, Any] | str) -> Completion:
    return read_stream([sse(*chunks)])


def call(**piece: Any) -> dict[str, Any]:
    return chunk(delta={"tool_calls": [piece]})


def test_a_stream_folds_to_the_same_completion_as_the_whole_answer() -> None:
    entries = [
        logprob_entry(" Hi", -0.1, [(" Hi", -0.1), (" Ho", -2.5)]),
        logprob_entry("!", -9999.0, [(".", -0.2), ("\n", -1.8)]),
    ]
    top = {"service_tier": "default", "system_fingerprint": "fp"}
    stream = folded(
        chunk(role="assistant", delta={"content": "", "refusal": None}, **top),
        *(chunk(e["token"], logprobs=[e], **top) for e in entries),
        chunk(finish_reason="stop", **top),
        chunk(usage=usage_of(), **top),
    )
    whole = read_stream(
        [json.dumps(completion(" Hi!", logprobs=entries, usage=usage_of(), **top)).encode()]
    )
    assert stream == whole
    logprobs = stream.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    assert [t.token for t in logprobs.content] == [" Hi", "!"]
    assert logprobs.content[1].logprob == -9999.0
    assert logprobs.content[0].top_logprobs[1].token == " Ho"
    assert stream.to_dict() == whole.to_dict()


@given(st.integers(0, 2**32), st.integers(1, 60))
def test_any_cut_of_the_bytes_folds_to_the_same(seed: int, most: int) -> None:
    rng = random.Random(seed)
    text = sse(
        chunk(role="assistant", delta={"content": ""}),
        *(
            chunk(t, logprobs=[logprob_entry(t, -0.5, [(t, -0.5)])])
            for t in ("né", "🙂", "\n", "z")
        ),
        STOP,
        chunk(usage=usage_of()),
    )
    pieces, at = [], 0
    while at < len(text):
        step = rng.randint(1, most)
        pieces.append(text[at : at + step])
        at += step
    assert read_stream(pieces) == read_stream([text])


def test_choices_may_come_in_any_order() -> None:
    answer = folded(
        chunk("b", index=1),
        chunk("a", index=0),
        chunk("B", index=1, finish_reason="length"),
        chunk("A", index=0),
        STOP,
    )
    assert [(c.index, c.message.content, c.finish_reason) for c in answer.choices] == [
        (0, "aA", "stop"),
        (1, "bB", "length"),
    ]


def test_several_choices_in_one_chunk_without_an_index_go_by_position() -> None:
    both = {"choices": [{"delta": {"content": "a"}}, {"delta": {"content": "b"}}]}
    end = {"choices": [{"finish_reason": "stop"}, {"finish_reason": "stop"}]}
    assert [c.message.content for c in folded(both, both, end).choices] == ["aa", "bb"]


def test_usage_is_never_erased_and_never_summed() -> None:
    answer = folded(
        chunk("a", usage=usage_of(9, 1)),
        chunk("b", usage=usage_of(9, 2)),
        {**STOP, "usage": None},
        {"choices": [], "moderation": {"input": {}}, "usage": None},
    )
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (9, 2)
    assert answer.moderation == {"input": {}}


@pytest.mark.parametrize("choices", [[], None])
def test_chunks_without_choices_keep_what_else_they_have(choices: Any) -> None:
    answer = folded({"choices": choices, "x_more": 1}, chunk("a"), STOP)
    assert answer.extra == {"x_more": 1}
    assert answer.choices[0].message.content == "a"


def test_a_choice_without_delta_may_finish() -> None:
    blocked = {"choices": [{"index": 0, "finish_reason": "content_filter"}]}
    assert folded(chunk("a"), blocked).choices[0].finish_reason == "content_filter"


def test_the_role_is_set_once() -> None:
    answer = folded(*(chunk(t, role="assistant") for t in "ab"), STOP)
    assert answer.choices[0].message.role == "assistant"


def test_a_refusal_is_no_content() -> None:
    entry = logprob_entry("No", -0.3)
    answer = folded(
        chunk(role="assistant", delta={"content": None, "refusal": ""}),
        chunk(delta={"refusal": "No"}, logprobs={"content": None, "refusal": [entry]}),
        STOP,
    )
    message = answer.choices[0].message
    assert (message.content, message.refusal) == (None, "No")
    logprobs = answer.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is None
    assert logprobs.refusal is not None
    assert logprobs.refusal[0].logprob == -0.3


def test_tool_calls_by_index_interleaved_with_a_gap() -> None:
    answer = folded(
        call(index=0, id="a", type="function", function={"name": "f", "arguments": ""}),
        call(index=2, id="b", type="function", function={"name": "g", "arguments": "{"}),
        call(index=0, function={"arguments": '{"x":'}),
        call(index=2, function={"arguments": "}"}),
        call(index=0, id="a", function={"name": "f", "arguments": "1}"}),
        chunk(finish_reason="tool_calls"),
    )
    assert answer.choices[0].message.tool_calls == [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}},
        {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}},
    ]
    assert answer.choices[0].message.content is None


def test_tool_calls_without_index_whole_in_one_delta() -> None:
    pieces = [
        {"id": "k1", "function": {"name": "f", "arguments": "{}"}},
        {"id": "k2", "function": {"name": "f", "arguments": '{"a":1}'}},
    ]
    answer = folded(chunk(delta={"tool_calls": pieces}, finish_reason="tool_calls"))
    calls = answer.choices[0].message.tool_calls
    assert [(c["id"], c["type"], c["function"]["arguments"]) for c in calls] == [
        ("k1", "function", "{}"),
        ("k2", "function", '{"a":1}'),
    ]


def test_tool_call_pieces_without_index_go_by_position_or_to_the_last() -> None:
    begin = [{"id": "", "function": {"name": n, "arguments": ""}} for n in ("f", "g")]
    more = [{"function": {"arguments": a}} for a in ("1", "2")]
    answer = folded(
        chunk(delta={"tool_calls": begin}),
        chunk(delta={"tool_calls": more}),
        chunk(delta={"tool_calls": [{"function": {"arguments": "3"}}]}),
        STOP,
    )
    calls = answer.choices[0].message.tool_calls
    assert [c["function"]["arguments"] for c in calls] == ["1", "23"]


def test_several_entries_with_one_index_in_a_chunk_are_merged() -> None:
    pieces = [
        {"index": 0, "id": "a", "function": {"name": "f"}},
        {"index": 0, "function": {"arguments": "{"}},
        {"index": 0, "function": {"arguments": "}"}},
    ]
    answer = folded(chunk(delta={"tool_calls": pieces}), STOP)
    assert answer.choices[0].message.tool_calls[0]["function"] == {"name": "f", "arguments": "{}"}


def test_custom_tool_calls_grow_by_input() -> None:
    answer = folded(
        call(index=0, id="c", type="custom", custom={"name": "py", "input": ""}),
        call(index=0, custom={"input": "1+"}),
        call(index=0, custom={"input": "1"}),
        chunk(finish_reason="tool_calls"),
    )
    assert answer.choices[0].message.tool_calls == [
        {"id": "c", "type": "custom", "custom": {"name": "py", "input": "1+1"}}
    ]


def test_the_deprecated_function_call_grows_too() -> None:
    answer = folded(
        chunk(delta={"function_call": {"name": "f", "arguments": ""}}),
        chunk(delta={"function_call": {"arguments": "{}"}}),
        chunk(finish_reason="function_call"),
    )
    assert answer.choices[0].message.function_call == {"name": "f", "arguments": "{}"}


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_reasoning_is_kept_apart_under_either_name(name: str) -> None:
    answer = folded(
        chunk(delta={name: "hm"}), chunk(delta={name: "m", "content": None}), chunk("x"), STOP
    )
    message = answer.choices[0].message
    assert (message.reasoning, message.content) == ("hmm", "x")


def test_audio_pieces_are_decoded_one_by_one() -> None:
    sound = [b"abcd", b"ef", b"g"]
    answer = folded(
        chunk(delta={"audio": {"id": "au", "transcript": "He"}}),
        *(chunk(delta={"audio": {"data": base64.b64encode(s).decode()}}) for s in sound),
        chunk(delta={"audio": {"transcript": "y", "expires_at": 5}}),
        STOP,
    )
    audio = answer.choices[0].message.audio
    assert audio is not None
    assert base64.b64decode(audio["data"]) == b"abcdefg"
    assert (audio["id"], audio["transcript"], audio["expires_at"]) == ("au", "Hey", 5)


def test_done_may_be_missing_and_may_lack_its_blank_line() -> None:
    text = sse(chunk("a"), STOP, done=False)
    whole = read_stream([text])
    assert read_stream([text + b"data: [DONE]"]) == whole
    assert read_stream([text.rstrip(b"\n")]) == whole


def test_nothing_after_done_is_read() -> None:
    text = sse(chunk("a"), STOP) + sse(chunk("b"))
    assert read_stream([text]).choices[0].message.content == "a"


@pytest.mark.parametrize(
    "bad",
    [
        b'data: {"error": {"message": "boom", "code": 500}}\n\n',
        b'event: error\ndata: {"error": {"message": "boom", "status_code": 500}}\n\n',
        b'event: error\ndata: {"message": "boom"}\n\n',
        b'error: {"code": 500, "message": "boom"}\n\n',
        b'data: {"object": "error", "message": "boom", "code": 500}\n\n',
        b'data: {"error": "boom"}\n\n',
        sse(
            {**chunk("", finish_reason=None), "error": {"code": 502, "message": "boom"}}, done=False
        ),
    ],
)
def test_an_error_in_mid_stream_is_raised_with_what_had_come(bad: bytes) -> None:
    text = sse(chunk("so far"), STOP, done=False) + bad + b"data: [DONE]\n\n"
    with pytest.raises(StreamError, match="boom") as caught:
        read_stream([text])
    assert caught.value.completion is not None
    assert caught.value.completion.choices[0].message.content == "so far"


def test_a_stream_without_a_finish_reason_was_cut_whatever_done_says() -> None:
    with pytest.raises(StreamCutError, match="finish_reason") as caught:
        read_stream([sse(chunk("half"), chunk("x", index=1), chunk(index=1, finish_reason="stop"))])
    assert caught.value.completion is not None
    assert caught.value.completion.choices[0].message.content == "half"


def test_half_an_event_at_the_end_is_a_cut() -> None:
    with pytest.raises(StreamCutError):
        read_stream([sse(chunk("a"), done=False) + b'data: {"choices": [{"ind'])
    with pytest.raises(StreamCutError, match="before anything"):
        read_stream([])


@pytest.mark.parametrize("page", [b"<html>Bad gateway</html>", b"data: <html>\n\n"])
def test_an_html_page_is_named(page: bytes) -> None:
    with pytest.raises(StreamError, match="HTML"):
        read_stream([page])


def test_plain_json_answers_a_stream_request_in_any_cut() -> None:
    text = b"\xef\xbb\xbf\n  " + json.dumps(completion("whole"), indent=1).encode()
    for size in (1, 7, len(text)):
        pieces = [text[i : i + size] for i in range(0, len(text), size)]
        assert read_stream(pieces).choices[0].message.content == "whole"


def test_an_error_as_plain_json_with_status_200_is_raised() -> None:
    with pytest.raises(StreamError, match="no credit") as caught:
        read_stream([b'{"error": {"message": "no credit", "code": 402}}'])
    assert caught.value.status == 402


def test_the_work_for_a_chunk_does_not_grow() -> None:
    """20,000 chunks of 20 alternatives: copying what was gathered would take hours."""
    entry = logprob_entry("t", -1.0, [(f"t{i}", -1.0 - i) for i in range(20)])
    piece = sse(chunk("t", logprobs=[entry]), done=False)
    answer = read_stream([*[piece] * 20_000, sse(STOP)])
    logprobs = answer.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    assert len(logprobs.content) == 20_000
    assert len(logprobs.content.alternative_codes) == 400_000


def test_llama_cpp_counts_each_choice_apart_and_is_summed() -> None:
    counts = {"usage": {"prompt_tokens": 9, "completion_tokens": 4}, "timings": {"predicted_n": 4}}
    answer = folded(
        chunk("a", index=0),
        chunk("b", index=1, finish_reason="stop"),
        {"choices": [], **counts},
        STOP,
        {"choices": [], **counts},
    )
    assert answer.usage is not None
    assert (answer.usage.completion_tokens, answer.usage.total_tokens) == (8, 17)
    whole = read_stream([json.dumps({**completion("a", "b"), **counts}).encode()])
    assert whole.usage is not None
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens) == (9, None)


@pytest.mark.parametrize(
    "strange",
    [
        {"choices": [], "usage": {"prompt_tokens": float("nan")}},
        {"choices": [], "usage": {"prompt_tokens": float("inf"), "completion_tokens": "many"}},
        {"choices": [], "usage": {"prompt_tokens": 10**30}},
        chunk(delta={"audio": {"data": 5, "transcript": 7}}),
        chunk(delta={"audio": {"data": "é"}}),
        chunk(delta={"tool_calls": [{"index": 0, "function": "abc"}, {"custom": 5}]}),
        chunk(delta={"tool_calls": [{"index": 0, "function": {"arguments": None}}]}),
        chunk(delta={"tool_calls": [{"id": 7, "function": {"name": None}}]}),
        chunk(delta={"function_call": {"arguments": None}}),
        chunk(logprobs={"tokens": ["a"], "token_logprobs": 5, "top_logprobs": {"a": 1}}),
        chunk(logprobs=[logprob_entry("a", 10**400)]),  # type: ignore[arg-type]
        chunk(logprobs=[logprob_entry("a", -1.0, id=2**70)]),
        chunk("", created=float("inf")),
        {"choices": [{"index": 10**9, "delta": {}}]},
        {"choices": [{"index": -4, "delta": {}}]},
    ],
)
def test_nothing_strange_takes_away_what_was_received(strange: dict[str, Any]) -> None:
    from nbchat import frames
    from nbchat.run import Run

    answer = folded(chunk("kept"), strange, strange, STOP)
    assert answer.choices[0].message.content == "kept"
    assert len(answer.choices) == 1
    run = Run.from_completion(answer)
    for frame in (frames.runs, frames.usage, frames.choices, frames.tokens, frames.alternatives):
        frame(run)


def test_good_events_before_a_bad_one_in_the_same_piece_are_kept() -> None:
    with pytest.raises(StreamError) as caught:
        read_stream([sse(chunk("a"), chunk("b"), done=False) + b"data: <html>\n\n"])
    assert caught.value.completion is not None
    assert caught.value.completion.choices[0].message.content == "ab"


def test_json_nested_beyond_reason_is_an_error_of_the_stream() -> None:
    deep = b'data: {"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n\n"
    with pytest.raises(StreamError, match="not JSON"):
        read_stream([deep])


def test_blank_lines_before_the_first_event_cost_nothing() -> None:
    text = sse(chunk("a"), STOP)
    assert read_stream([*[b"\n"] * 300_000, text]) == read_stream([text])


@pytest.mark.long
def test_many_tool_calls_told_apart_by_id_take_linear_time() -> None:
    pieces = [{"id": f"c{n}", "function": {"name": "f", "arguments": "{}"}} for n in range(20_000)]
    answer = folded(*(chunk(delta={"tool_calls": [piece]}) for piece in pieces), STOP)
    assert len(answer.choices[0].message.tool_calls) == 20_000


def test_the_text_of_the_older_api_is_the_content() -> None:
    entry = logprob_entry("b", -0.5, [("b", -0.5)])
    events = [
        {"choices": [{"index": 0, "text": "a", "logprobs": None, "finish_reason": None}]},
        {"choices": [{"index": 0, "text": "b", "logprobs": {"content": [entry]}}], "odd": 1},
        {"choices": [{"index": 0, "text": "", "finish_reason": "length"}]},
    ]
    choice = read_stream([sse(*events)]).choices[0]
    assert (choice.message.content, choice.finish_reason) == ("ab", "length")
    assert choice.logprobs.content[0].token == "b"
