"""A sample of each server's stream, written from its description, and what is made of it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from nbchat.api.response import Completion
from nbchat.client import read_stream
from nbchat.errors import StreamError
from tests.media.made import samples

DATA = Path(__file__).parents[1] / "data"
FAILING = {
    "groq_error": "Failed to call a function.",
    "llamacpp_older_error": "context shift is disabled",
    "openrouter_error": "Provider returned error",
    "vllm_error": "EngineCore encountered an issue.",
}
WITH_REASONING = {"deepseek", "groq", "mistral", "openrouter", "vllm", "zai"}
WITH_USAGE = {
    "databricks", "deepseek", "gemini", "groq", "huggingface", "llamacpp", "mistral",
    "mistral_tools", "openai",
    "openai_moderated", "openrouter", "snowflake", "vllm", "xai",
}  # fmt: skip
CALLS: dict[str, list[tuple[str, str]]] = {
    "gemini_tools": [("f", "{}")],
    "kimi_tools": [("f", '{"a":1}')],
    "mistral_tools": [("f", '{"a": 1}'), ("g", "{}")],
    "ollama_tools": [("f", "{}")],
    "openai_custom_tool": [("run", "1 + 1")],
    "vllm_tools": [("f", '{"a":1}')],
}
OTHER_TEXT = {"azure_blocked": "Good", "cloudflare": '{"greeting": "Good day."}'}
ALL = sorted(path.stem for path in DATA.glob("*.sse"))
WHOLE = [name for name in ALL if name not in FAILING]


def read(name: str, size: int | None = None) -> Completion:
    data = (DATA / f"{name}.sse").read_bytes()
    size = size or len(data)
    return read_stream(data[i : i + size] for i in range(0, len(data), size))


def test_every_server_of_the_table_has_a_sample() -> None:
    known = {name.split("_")[0] for name in ALL}
    assert known >= {
        "azure", "cloudflare", "databricks", "deepseek", "gemini", "groq", "huggingface", "kimi",
        "llamacpp", "mistral", "ollama", "openai", "openrouter", "snowflake", "tgi", "vllm", "xai",
        "zai",
    }  # fmt: skip
    assert set(FAILING) | WITH_REASONING | WITH_USAGE | set(CALLS) | set(OTHER_TEXT) <= set(ALL)


@pytest.mark.parametrize("size", [None, 1, 7])
@pytest.mark.parametrize("name", [name for name in ALL if name.endswith("_audio")])
def test_the_sound_is_put_together_wherever_it_was_cut(name: str, size: int | None) -> None:
    (choice,) = read(name, size).choices
    assert choice.message.content in (None, "")
    assert choice.message.audio is not None
    assert choice.message.audio["transcript"] == "Good day."
    assert base64.b64decode(choice.message.audio["data"]) == samples(0.01)


@pytest.mark.parametrize("name", [n for n in WHOLE if n not in CALLS and n != "openai_refusal"])
def test_the_text_is_whole(name: str) -> None:
    (choice,) = read(name).choices
    assert choice.message.text == OTHER_TEXT.get(name, "Good day.")
    expected = "content_filter" if name == "azure_blocked" else "stop"
    assert choice.finish_reason == expected


@pytest.mark.parametrize("name", WHOLE)
def test_any_cut_gives_the_same(name: str) -> None:
    whole = read(name)
    assert all(read(name, size) == whole for size in (1, 7, 100))


@pytest.mark.parametrize("name", WHOLE)
def test_reasoning_is_kept_apart(name: str) -> None:
    message = read(name).choices[0].message
    assert message.reasoning == ("Hm." if name in WITH_REASONING else None)


@pytest.mark.parametrize("name", WHOLE)
def test_usage_is_the_last_that_was_said(name: str) -> None:
    usage = read(name).usage
    counts = None if usage is None else (usage.prompt_tokens, usage.completion_tokens)
    assert counts == ((9, 3) if name in WITH_USAGE else None)


@pytest.mark.parametrize("name", WHOLE)
def test_tool_calls_are_whole(name: str) -> None:
    calls: list[Any] = read(name).choices[0].message.tool_calls
    bodies = [call.get("function") or call.get("custom") for call in calls]
    found = [(body["name"], body.get("arguments", body.get("input"))) for body in bodies]
    assert found == CALLS.get(name, [])
    assert all(call["type"] in ("function", "custom") for call in calls)


@pytest.mark.parametrize("name", sorted(FAILING))
def test_an_error_in_mid_stream_keeps_what_had_come(name: str) -> None:
    with pytest.raises(StreamError, match=FAILING[name]) as caught:
        read(name)
    assert caught.value.completion is not None
    assert caught.value.completion.choices[0].message.content == "Good"


def test_a_refusal_is_no_content() -> None:
    message = read("openai_refusal").choices[0].message
    assert (message.content, message.refusal) == (None, "I cannot.")


def test_what_only_one_server_sends_is_kept() -> None:
    assert read("azure").extra["prompt_filter_results"][0]["prompt_index"] == 0
    assert read("azure_async_filter").choices[0].extra["content_filter_offsets"]["end_offset"] == 9
    assert read("openai_moderated").moderation is not None
    assert read("openrouter").extra["provider"] == "P"
    assert read("openrouter").choices[0].message.annotations[0]["type"] == "url_citation"
    assert read("huggingface").choices[0].extra["seed"] == 7228414683750928000
    assert read("llamacpp").extra["timings"]["predicted_n"] == 3
    assert read("vllm").choices[0].extra["stop_reason"] == 2
    assert read("proxy_milliseconds").created == 1761000000
    for name, cached in (("deepseek", 8), ("huggingface", 4)):
        usage = read(name).usage
        assert usage is not None
        assert usage.cached_tokens == cached
