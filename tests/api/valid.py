"""Valid requests, drawn at random, for property tests of what stands on `check`."""

from typing import Any

from hypothesis import strategies as st

from nbchat.api.rules import unstreamable

_text = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
_name = st.from_regex(r"[a-zA-Z0-9_-]{1,64}", fullmatch=True)
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | _text,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_text, inner, max_size=2),
    max_leaves=4,
)
_schema = st.dictionaries(_text, _json, max_size=3)


def _number(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False)


def _object(optional: dict[str, Any] | None = None, **required: Any) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(required, optional=optional or {})


def _typed(kind: str, **payload: Any) -> st.SearchStrategy[Any]:
    return _object(type=st.just(kind), **payload)


_strict = st.none() | st.booleans()
_function = _object({"description": _text, "parameters": _schema, "strict": _strict}, name=_name)
_grammar = _object(definition=_text, syntax=st.sampled_from(["lark", "regex"]))
_input = _typed("text") | _typed("grammar", grammar=_grammar)
_custom = _object({"description": _text, "format": _input}, name=_name)
_breakpoint = _object({"ttl": st.sampled_from(["30m", "12h"])}, mode=st.just("explicit"))
_part = _object({"prompt_cache_breakpoint": _breakpoint}, type=st.just("text"), text=_text)
_place = _object(dict.fromkeys(("country", "region", "city", "timezone"), _text))
_mode = st.none() | _object(mode=st.sampled_from(["score", "block"]))
_json_schema = _object({"description": _text, "schema": _schema, "strict": _strict}, name=_name)

VALID: dict[str, st.SearchStrategy[Any]] = {
    "model": _text,
    "store": st.booleans(),
    "metadata": st.dictionaries(_text, _text, max_size=16),
    "reasoning_effort": st.sampled_from(
        ["none", "minimal", "low", "medium", "high", "xhigh", "max"]
    ),
    "modalities": st.lists(st.sampled_from(["text", "audio"])),
    "prediction": _typed("content", content=_text | st.lists(_part, min_size=1, max_size=2)),
    "audio": _object(
        voice=_text | _object(id=_text),
        format=st.sampled_from(["wav", "aac", "mp3", "flac", "opus", "pcm16"]),
    ),
    "web_search_options": _object(
        {
            "search_context_size": st.sampled_from(["low", "medium", "high"]),
            "user_location": st.none() | _typed("approximate", approximate=_place),
        }
    ),
    "frequency_penalty": _number(-2, 2),
    "presence_penalty": _number(-2, 2),
    "logit_bias": st.dictionaries(
        st.integers(0, 200_000).map(str), st.integers(-100, 100), max_size=3
    ),
    "logprobs": st.booleans(),
    "top_logprobs": st.integers(0, 20),
    "max_tokens": st.integers(1, 2**40),
    "max_completion_tokens": st.integers(1, 2**40),
    "n": st.integers(1, 128),
    "response_format": _typed("text")
    | _typed("json_object")
    | _typed("json_schema", json_schema=_json_schema),
    "seed": st.integers(-(2**63), 2**63 - 1),
    "service_tier": st.sampled_from(["auto", "default", "flex", "scale", "priority", "fast"]),
    "stop": _text | st.lists(_text, min_size=1, max_size=4),
    "stream": st.booleans(),
    "stream_options": _object(
        {"include_usage": st.booleans(), "include_obfuscation": st.booleans()}
    ),
    "temperature": _number(0, 2),
    "top_p": _number(0, 1),
    "tools": st.lists(
        _typed("function", function=_function) | _typed("custom", custom=_custom),
        min_size=1,
        max_size=3,
    ),
    "tool_choice": st.sampled_from(["none", "auto", "required"]),
    "parallel_tool_calls": st.booleans(),
    "functions": st.lists(
        _object({"description": _text, "parameters": _schema}, name=_name), min_size=1, max_size=3
    ),
    "function_call": st.sampled_from(["none", "auto"]),
    "user": _text,
    "verbosity": st.sampled_from(["low", "medium", "high"]),
    "safety_identifier": st.text("abc", max_size=128),
    "prompt_cache_key": _text,
    "prompt_cache_options": _object(
        {"mode": st.sampled_from(["implicit", "explicit"]), "ttl": st.just("30m")}
    ),
    "prompt_cache_retention": st.sampled_from(["in_memory", "24h"]),
    "moderation": _object(
        {"policy": st.none() | _object({"input": _mode, "output": _mode})}, model=_text
    ),
}
_NEVER_NULL = {
    "model",
    "web_search_options",
    "response_format",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "functions",
    "function_call",
    "user",
    "prompt_cache_options",
}


def _or_null(name: str) -> st.SearchStrategy[Any]:
    return VALID[name] if name in _NEVER_NULL else VALID[name] | st.none()


def _without_conflicts(fields: dict[str, Any]) -> dict[str, Any]:
    """Drop what the rules between fields forbid, keeping the order of the rest."""
    drop = set()
    if fields.get("logprobs") is not True:
        drop.add("top_logprobs")
    if "tools" not in fields:
        drop |= {"tool_choice", "parallel_tool_calls"}
    if fields.get("stream") is False or unstreamable(fields) is not None:
        drop.add("stream_options")
    if "audio" in (fields.get("modalities") or []) and fields.get("audio") is None:
        drop.add("modalities")
    if fields.get("max_tokens") and fields.get("max_completion_tokens"):
        drop.add("max_tokens")
    if len(fields) > 1:
        drop.add("prediction")
    return {name: value for name, value in fields.items() if name not in drop}


@st.composite
def valid_params(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.lists(st.sampled_from(sorted(VALID)), unique=True, max_size=6))
    return _without_conflicts({name: draw(_or_null(name)) for name in names})
