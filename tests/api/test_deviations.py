"""What servers send that the reference does not have. Samples written from its description."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nbchat.api.deviations import decode_chunk
from nbchat.api.response import Completion
from nbchat.client import read_stream
from tests.wire import chunk, sse

STOP = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


def folded(*chunks: dict[str, Any]) -> Completion:
    return read_stream([sse(*chunks)])


def content(*deltas: dict[str, Any]) -> str | None:
    return folded(*(chunk(delta=d) for d in deltas), STOP).choices[0].message.content


def test_azure_begins_with_a_chunk_of_empty_strings() -> None:
    first = {
        "id": "",
        "model": "",
        "object": "",
        "created": 0,
        "choices": [],
        "prompt_filter_results": [{"prompt_index": 0}],
    }
    answer = folded(first, chunk("a"), STOP)
    assert answer.id == chunk("a")["id"]
    assert answer.model == chunk("a")["model"]
    assert answer.extra == {"prompt_filter_results": [{"prompt_index": 0}]}


def test_azure_annotates_choices_without_a_delta_after_the_end() -> None:
    note = {"id": "", "object": "", "choices": [{"index": 0, "content_filter_offsets": {"end": 1}}]}
    answer = folded(chunk("a"), STOP, note)
    assert answer.choices[0].finish_reason == "stop"
    assert answer.choices[0].extra == {"content_filter_offsets": {"end": 1}}


def test_openrouter_adds_fields_everywhere() -> None:
    answer = folded(
        {**chunk("a", role="assistant"), "provider": "P"},
        {
            "choices": [
                {
                    "index": 0,
                    "delta": {"role": "assistant", "content": "", "annotations": [{"type": "url"}]},
                    "finish_reason": "stop",
                    "native_finish_reason": "end",
                }
            ],
            "provider": "P",
        },
    )
    assert answer.extra == {"provider": "P"}
    assert answer.choices[0].extra == {"native_finish_reason": "end"}
    assert answer.choices[0].message.annotations == [{"type": "url"}]


def test_groq_hides_usage_in_a_field_of_its_own() -> None:
    answer = folded(chunk("a"), {**STOP, "x_groq": {"id": "r", "usage": {"prompt_tokens": 3}}})
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 3


def test_mistral_sends_content_as_a_list_with_thinking() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "a"},
    ]
    answer = folded(chunk(delta={"content": parts}), chunk("b"), STOP)
    message = answer.choices[0].message
    assert (message.content, message.reasoning) == ("ab", "hm")


def test_cloudflare_sends_a_structured_output_as_an_object() -> None:
    assert content({"content": {"a": [1, "é"]}}) == '{"a": [1, "é"]}'


def test_deepseek_and_together_count_cached_tokens_elsewhere() -> None:
    for usage in ({"prompt_cache_hit_tokens": 5}, {"cached_tokens": 5}):
        answer = folded(chunk("a"), {**STOP, "usage": {"prompt_tokens": 9, **usage}})
        assert answer.usage is not None
        assert answer.usage.cached_tokens == 5


def test_databricks_sends_nulls_inside_usage() -> None:
    answer = folded(chunk("a"), {**STOP, "usage": {"prompt_tokens": 9, "completion_tokens": None}})
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (9, None)


def test_snowflake_sends_empty_values_of_everything() -> None:
    delta = {
        "content": "a",
        "refusal": "",
        "audio": {},
        "function_call": {},
        "tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "{}"}, "custom": {}}],
    }
    first = {
        "id": "",
        "created": 0,
        "choices": [
            {"delta": delta, "finish_reason": "", "logprobs": {"content": None, "refusal": None}}
        ],
    }
    answer = folded(first, STOP)
    message = answer.choices[0].message
    assert (answer.id, answer.created, message.refusal, message.audio) == (None, None, None, None)
    assert message.tool_calls == [
        {"id": "", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    ]


def test_llama_cpp_sends_timings_and_ids_of_tokens() -> None:
    entry = {"id": 7, "token": "a", "bytes": [97], "logprob": -3.4028234663852886e38}
    answer = folded(
        {"choices": [{"index": 0, "delta": {"role": "assistant", "content": None}}]},
        chunk("a", logprobs={"content": [{**entry, "top_logprobs": []}]}),
        {**STOP, "timings": {"predicted_n": 1}},
    )
    logprobs = answer.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    assert (logprobs.content[0].id, logprobs.content[0].logprob) == (7, -3.4028234663852886e38)
    assert answer.extra == {"timings": {"predicted_n": 1}}
    # whole rows are too large for the slow way: the typed step alone fills the field
    whole = decode_chunk(b'{"choices": [], "timings": {"predicted_n": 1}}')
    assert whole.timings == {"predicted_n": 1}


def test_the_older_shape_of_logprobs_is_read() -> None:
    older = {
        "tokens": ["a", "b"],
        "token_logprobs": [-0.1, None],
        "top_logprobs": [{"a": -0.1, "c": -2.0}, None],
    }
    logprobs = folded(chunk("ab", logprobs=older), STOP).choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    first, second = logprobs.content
    assert [(a.token, a.logprob) for a in first.top_logprobs] == [("a", -0.1), ("c", -2.0)]
    assert second.logprob != second.logprob  # NaN: not given


def test_tgi_leaves_bytes_out_and_nulls_stand_for_anything() -> None:
    entry = {"token": "a", "logprob": None, "bytes": None, "top_logprobs": None}
    logprobs = folded(chunk("a", logprobs=[entry]), STOP).choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    assert logprobs.content[0].bytes is None


def test_a_proxy_may_count_created_in_milliseconds() -> None:
    assert folded(chunk("a", created=1_763_000_000_123), STOP).created == 1_763_000_000


def test_large_integers_stay_exact() -> None:
    seed = 7228414683750928000 + 1
    assert folded({**chunk("a"), "seed": seed}, STOP).extra["seed"] == seed


def test_usage_on_every_chunk_with_unknown_keys_is_kept() -> None:
    answer = folded(chunk("a"), {**STOP, "usage": {"total_tokens": 4, "num_sources": 2}})
    assert answer.usage is not None
    assert answer.usage.extra == {"num_sources": 2}


@pytest.mark.parametrize(
    "line",
    [
        b'data: {"choices":[{"index":0,"delta":{"content":"\\ud83d"}}]}',
        b'data: {"choices":[{"index":0,"delta":{"content":"\xff"}}]}',
        b'data: {"choices":[{"index":0,"delta":{"content":"x"}}],"load":NaN}',
    ],
)
def test_json_that_is_not_quite_json_is_read(line: bytes) -> None:
    answer = read_stream([line + b"\n\n" + sse(STOP)])
    text = answer.choices[0].message.content
    assert text is not None
    assert len(text) == 1
    text.encode()  # no half of a surrogate pair is left


def test_a_whole_answer_keeps_unknown_fields_on_every_level() -> None:
    body = {
        "choices": [
            {
                "message": {"content": "a", "vendor_note": 1},
                "finish_reason": "stop",
                "stop_reason": 2,
            }
        ],
        "kv_transfer_params": {"x": 3},
    }
    answer = read_stream([json.dumps(body).encode()])
    assert answer.extra == {"kv_transfer_params": {"x": 3}}
    assert answer.choices[0].extra == {"stop_reason": 2}
    assert answer.choices[0].message.extra == {"vendor_note": 1}
