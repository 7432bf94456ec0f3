"""Drafts of valid requests, drawn at random: every field, and texts that are hard to write down."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from nbchat.api.fields import FIELDS
from nbchat.code import Draft
from tests.api.valid import valid_params

HARD = [
    "", " ", "\n", "\t", "'", '"', "\\", "\\n", "'\"", "{{ x }}", "{{", "}}", "{% raw %}", "{", "}",
    "{# #}", "[", "]", '{"a": [1]}', "[]", "{}", "%%chat", "\n%%chat --n 1\n", "%chat", "--n", "-o",
    "--", "-- ", " --api-key x", "use -p secret 1", "--token", "=", "null", "true", '"null"', "1",
    "1e5", "a,b", "$HOME", "`ls`", "!ls", "?", "??", ">>> x", "# c", "é🙂", "👩\u200d👧", "\r",
    "\r\n", "\x00", "\x1b[31m", "\x0b", "\x0c", "\x1c", "\x7f", "\x85", "\u2028", "\u2029",
    "\u00a0", "\ufeff", "\U000e0001", "text", "a b", "model.attribute",
]  # fmt: skip
texts = st.lists(
    st.sampled_from(HARD) | st.text(st.characters(exclude_categories=("Cs",)), max_size=5),
    max_size=4,
).map("".join)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from([2**70, -(2**70)])
    | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


def _said(role: str, **more: Any) -> st.SearchStrategy[list[dict[str, Any]]]:
    parts = st.fixed_dictionaries({"type": st.just("text"), "text": texts})
    content = texts | st.lists(parts, min_size=1, max_size=2)
    optional = {"name": st.sampled_from(["ada", "bo b"])}
    required = {"role": st.just(role), "content": content, **more}
    return st.fixed_dictionaries(required, optional=optional).map(lambda message: [message])


def _called(arguments: str, result: str) -> list[dict[str, Any]]:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": arguments}}
    return [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": result},
    ]


_plain = [
    texts.map(lambda text, role=role: [{"role": role, "content": text}])
    for role in ("system", "user", "user", "assistant")
]
_turns = st.one_of(
    *_plain,
    _said("user"),
    _said("developer"),
    st.builds(_called, values.map(json.dumps), texts),
)
conversations = st.lists(_turns, min_size=1, max_size=4).map(
    lambda turns: [message for turn in turns for message in turn]
)
extras = st.dictionaries(
    texts.filter(lambda name: name not in FIELDS() and name != "messages"), values, max_size=3
)


def drafts(**fixed: st.SearchStrategy[Any]) -> st.SearchStrategy[Draft]:
    """Drafts that break no rule."""
    drawn: dict[str, st.SearchStrategy[Any]] = {
        "messages": conversations,
        "fields": fields,
        "extra": extras,
        **fixed,
    }
    return st.builds(Draft, **drawn)


@st.composite
def _with_hard_texts(draw: st.DrawFn) -> dict[str, Any]:
    """Valid params, those that are any text as hard as texts can be."""
    fields = draw(valid_params())
    for name in ("user", "prompt_cache_key", "stop", "model"):
        if draw(st.integers(0, 3)) == 0:
            fields[name] = draw(texts)
    if draw(st.integers(0, 5)) == 0:
        fields["metadata"] = draw(st.dictionaries(texts, texts, max_size=3))
    return fields


fields = _with_hard_texts()


def is_same(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON: true is not 1, and 1 is 1.0."""
    return _text(one) == _text(other)


def _text(value: Any) -> str:
    return json.dumps(_with_whole_numbers(value), sort_keys=True)


def _with_whole_numbers(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _with_whole_numbers(entry) for key, entry in value.items()}
    return [_with_whole_numbers(entry) for entry in value] if isinstance(value, list) else value
