from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from nbchat.api.check import check
from nbchat.api.fields import FIELDS
from nbchat.api.rules import broken_rules
from nbchat.code import implied
from tests.api.valid import VALID, valid_params

TOOL = {"type": "function", "function": {"name": "f"}}
AUDIO = {"voice": "alloy", "format": "wav"}


@pytest.mark.parametrize(
    ("fields", "changed", "after", "note"),
    [
        (
            {"top_logprobs": 5},
            "top_logprobs",
            {"top_logprobs": 5, "logprobs": True},
            "top_logprobs: logprobs was switched on with it",
        ),
        (
            {"top_logprobs": 5, "logprobs": False},
            "top_logprobs",
            {"top_logprobs": 5, "logprobs": True},
            "top_logprobs: logprobs was switched on with it",
        ),
        (
            {"logprobs": False, "top_logprobs": 5},
            "logprobs",
            {"logprobs": False},
            "logprobs: top_logprobs was unset with it",
        ),
        ({"top_logprobs": 5}, "logprobs", {}, "logprobs: top_logprobs was unset with it"),
        (
            {"max_tokens": 5, "max_completion_tokens": 7},
            "max_tokens",
            {"max_tokens": 5},
            "max_tokens: max_completion_tokens was unset because only one of the two can stand",
        ),
        (
            {"max_tokens": 5, "max_completion_tokens": 7},
            "max_completion_tokens",
            {"max_completion_tokens": 7},
            "max_completion_tokens: max_tokens was unset because only one of the two can stand",
        ),
        (
            {"stream": False, "stream_options": {"include_usage": True}},
            "stream",
            {"stream": False},
            "stream: stream_options was unset with it",
        ),
        (
            {"stream": False, "stream_options": {"include_usage": True}},
            "stream_options",
            {"stream_options": {"include_usage": True}},
            "stream_options: stream was unset with it",
        ),
        (
            {"tool_choice": "auto", "parallel_tool_calls": True, "n": 1},
            "tools",
            {"n": 1},
            "tools: tool_choice and parallel_tool_calls were unset with it",
        ),
        (
            {"modalities": ["text", "audio"]},
            "audio",
            {"modalities": ["text"]},
            "audio: audio was taken out of modalities with it",
        ),
        (
            {"modalities": ["audio"]},
            "audio",
            {},
            "audio: audio was taken out of modalities with it",
        ),
        ({"top_logprobs": None}, "top_logprobs", {"top_logprobs": None}, None),
        ({"logprobs": True, "top_logprobs": 5}, "logprobs", None, None),
        ({"max_tokens": None, "max_completion_tokens": 7}, "max_tokens", None, None),
        ({"tools": [TOOL], "tool_choice": "auto"}, "tools", None, None),
        ({"modalities": ["audio"], "audio": AUDIO}, "audio", None, None),
        ({"modalities": "audio"}, "audio", None, None),
        ({"temperature": 0.5}, "temperature", None, None),
        ({"temperature": 0.5}, "no_such_field", None, None),
    ],
)
def test_what_follows_from_a_change(
    fields: dict[str, Any], changed: str, after: dict[str, Any] | None, note: str | None
) -> None:
    before = dict(fields)
    assert implied(fields, changed) == (before if after is None else after, note)
    assert fields == before


@given(valid_params(), valid_params())
def test_a_change_of_one_field_breaks_no_rule_that_has_one_way_out(
    fields: dict[str, Any], others: dict[str, Any]
) -> None:
    left_to_the_user = {"tool_choice", "parallel_tool_calls", "function_call", "prediction",
                        "modalities"}  # fmt: skip
    for changed, value in others.items():
        now, note = implied({**fields, changed: value}, changed)
        assert (note is None) == (now == {**fields, changed: value})
        assert now[changed] == value
        broken = {offence.path for offence in broken_rules(check_each(now), ())}
        assert broken <= left_to_the_user
    for changed in fields:
        now, _ = implied({n: v for n, v in fields.items() if n != changed}, changed)
        broken = {offence.path for offence in broken_rules(check_each(now), ())}
        assert broken <= left_to_the_user - {"tool_choice", "parallel_tool_calls", "modalities"}


def check_each(fields: dict[str, Any]) -> dict[str, Any]:
    for name, value in fields.items():
        if name not in {"top_logprobs", "tool_choice", "parallel_tool_calls", "modalities"}:
            check({name: value})
    return fields


def test_every_field_can_change_to_anything() -> None:
    for changed in FIELDS():
        for value in (None, 5, "x", [], {}, [{}], *({name: 1} for name in VALID)):
            implied({changed: value, "modalities": value, "audio": None}, changed)
