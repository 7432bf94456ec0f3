"""Where servers leave the reference, made to fit it. The only place that knows of this.

`decode_chunk` reads a well-formed event in one typed step. Whatever does not fit that step
is read as plain JSON, put in order here, and keeps its unknown keys in `extra`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from nbchat.api.logprobs import WireToken, read_entry
from nbchat.api.response import Chunk, ChunkChoice, ChunkLogprobs, Delta, Usage

_as_chunk = msgspec.json.Decoder(Chunk)
_as_json = msgspec.json.Decoder()


def decode_chunk(data: bytes | bytearray) -> Chunk:
    """Decode one event, or a whole answer. Raise ValueError where it is not a JSON object."""
    try:
        chunk = _as_chunk.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return read_chunk(decode_json(data))
    if chunk.timings is not None:
        chunk.extra = {"timings": chunk.timings}
    return chunk


def decode_json(data: bytes | bytearray) -> Any:
    """Decode JSON as servers send it. Raise ValueError where it is none, or nested too deeply."""
    try:
        return _decode_json(data)
    except RecursionError:
        raise ValueError("JSON that is nested too deeply") from None


def _decode_json(data: bytes | bytearray) -> Any:
    try:
        return _as_json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # NaN, stray bytes and halves of surrogate pairs: the standard library reads them
        decoded = json.loads(data.decode("utf-8", "replace"))
    return _without_lone_surrogates(decoded)


def _without_lone_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_without_lone_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {
            _without_lone_surrogates(key): _without_lone_surrogates(item)
            for key, item in value.items()
        }
    return value


def read_chunk(event: Any) -> Chunk:
    """Read a decoded event of any server. Raise ValueError where it is not an object."""
    if not isinstance(event, Mapping):
        raise ValueError(f"expected a JSON object, got {_shortened(event)}")  # noqa: TRY004 - like bad JSON
    known, extra = _split(event, _CHUNK_KEYS)
    choices = known.get("choices")
    return Chunk(
        id=_text(known.get("id")) or None,
        object=_text(known.get("object")) or None,
        created=created_s(known.get("created")),
        model=_text(known.get("model")) or None,
        choices=[_choice(c) for c in choices if isinstance(c, Mapping)]
        if isinstance(choices, list)
        else None,
        usage=_usage_of(known, extra),
        service_tier=_text(known.get("service_tier")),
        system_fingerprint=_text(known.get("system_fingerprint")),
        metadata=_mapping(known.get("metadata")),
        moderation=_mapping(known.get("moderation")),
        error=_error_of(known, extra),
        extra=extra or None,
    )


def _usage_of(known: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any] | None:
    usage = _mapping(known.get("usage"))
    if usage is None:  # Groq
        usage = _mapping((_mapping(extra.get("x_groq")) or {}).get("usage"))
    return usage


def _error_of(known: dict[str, Any], extra: dict[str, Any]) -> Any:
    if known.get("error"):
        return known["error"]
    if known.get("object") == "error":  # older vLLM: the error object without its envelope
        return {name: extra.pop(name, None) for name in ("message", "type", "param", "code")}
    return None


def _choice(choice: Mapping[str, Any]) -> ChunkChoice:
    known, extra = _split(choice, _CHOICE_KEYS)
    index = known.get("index")
    return ChunkChoice(
        index=index if isinstance(index, int) else None,
        text=_text(known.get("text")),
        delta=_delta(known.get("delta")),
        message=_delta(known.get("message")),
        finish_reason=_text(known.get("finish_reason")) or None,  # Snowflake: ""
        logprobs=_logprobs(known.get("logprobs")),
        extra=extra or None,
    )


def _delta(delta: Any) -> Delta | None:
    if not isinstance(delta, Mapping):
        return None
    known, extra = _split(delta, _DELTA_KEYS)
    content, rest, thinking = _content(known.get("content"))
    if rest:
        extra["content_parts"] = rest
    calls = known.get("tool_calls")
    annotations = known.get("annotations")
    return Delta(
        role=_text(known.get("role")) or None,
        content=content,
        refusal=_text(known.get("refusal")),
        tool_calls=[dict(c) for c in calls if isinstance(c, Mapping)]
        if isinstance(calls, list)
        else None,
        function_call=_mapping(known.get("function_call")) or None,
        audio=_mapping(known.get("audio")) or None,
        annotations=annotations if isinstance(annotations, list) else None,
        reasoning=thinking or _text(known.get("reasoning")),
        reasoning_content=_text(known.get("reasoning_content")),
        extra=extra or None,
    )


def _content(content: Any) -> tuple[str | None, list[Any], str]:
    """Give the text, the parts that are not text, and the thinking (Mistral)."""
    if content is None or isinstance(content, str):
        return content, [], ""
    if isinstance(content, Mapping):  # Cloudflare: a structured output as an object
        return json.dumps(content, ensure_ascii=False), [], ""
    if not isinstance(content, list):
        return str(content), [], ""
    texts, rest, thinking = [], [], []
    for part in content:
        kind = part.get("type") if isinstance(part, Mapping) else None
        if isinstance(part, str):
            texts.append(part)
        elif kind == "text":
            texts.append(_text(part.get("text")) or "")
        elif kind == "thinking":
            thinking += [_text(p.get("text")) or "" for p in _mappings(part.get("thinking"))]
        else:
            rest.append(part)
    return ("".join(texts) if texts else None), rest, "".join(thinking)


def _logprobs(logprobs: Any) -> ChunkLogprobs | None:
    if not isinstance(logprobs, Mapping):
        return None
    if isinstance(logprobs.get("tokens"), list):
        return ChunkLogprobs(content=_older_shape(logprobs))
    return ChunkLogprobs(
        content=_entries(logprobs.get("content")), refusal=_entries(logprobs.get("refusal"))
    )


def _entries(entries: Any) -> list[WireToken] | None:
    return [read_entry(e) for e in _mappings(entries)] if isinstance(entries, list) else None


def _older_shape(logprobs: Mapping[str, Any]) -> list[WireToken]:
    """Read the lists `tokens`, `token_logprobs`, `top_logprobs` of the older API."""
    tokens = logprobs["tokens"]
    values, tops = (_list(logprobs.get(name)) for name in ("token_logprobs", "top_logprobs"))
    return [
        read_entry(
            {
                "token": token,
                "logprob": values[i] if i < len(values) else None,
                "top_logprobs": [
                    {"token": other, "logprob": value}
                    for other, value in (_mapping(tops[i] if i < len(tops) else None) or {}).items()
                ],
            }
        )
        for i, token in enumerate(tokens)
    ]


def merged_usage(known: dict[str, Any] | None, chunk: Chunk) -> dict[str, Any] | None:
    """Give the usage after a chunk: the latest counts, which are never summed.

    But llama.cpp (told by its `timings`) counts for each choice apart: in a stream by one
    event each, which are summed here; in a whole answer for one choice only, so that there
    the count of several is not known.
    """
    usage = chunk.usage
    if usage is None or not (chunk.extra and "timings" in chunk.extra):
        return known if usage is None else usage
    tokens = _integer(usage.get("completion_tokens")) or 0
    prompt = _integer(usage.get("prompt_tokens")) or 0
    if chunk.choices and len(chunk.choices) > 1:
        return {**usage, "completion_tokens": None, "total_tokens": None}
    if known is not None and not chunk.choices:
        tokens += _integer(known.get("completion_tokens")) or 0
        return {**usage, "completion_tokens": tokens, "total_tokens": prompt + tokens}
    return usage


def read_usage(usage: Mapping[str, Any]) -> Usage:
    """Read a usage object: nulls inside, other names, counts on the wrong level."""
    known, extra = _split(usage, _USAGE_KEYS)
    prompt = dict(_mapping(known.get("prompt_tokens_details")) or {})
    hits = extra.get("prompt_cache_hit_tokens", extra.get("cached_tokens"))  # DeepSeek; Together
    if "cached_tokens" not in prompt and isinstance(hits, int):
        prompt["cached_tokens"] = hits
    return Usage(
        prompt_tokens=_integer(known.get("prompt_tokens")),
        completion_tokens=_integer(known.get("completion_tokens")),
        total_tokens=_integer(known.get("total_tokens")),
        prompt_tokens_details=prompt,
        completion_tokens_details=dict(_mapping(known.get("completion_tokens_details")) or {}),
        extra=extra,
    )


def _wire_names(struct: type[msgspec.Struct]) -> frozenset[str]:
    return frozenset(struct.__struct_encode_fields__) - {" extra"}


_CHUNK_KEYS = _wire_names(Chunk) - {"timings"}
_CHOICE_KEYS = _wire_names(ChunkChoice)
_DELTA_KEYS = _wire_names(Delta)
_USAGE_KEYS = _wire_names(Usage) - {"extra"}


def _split(
    mapping: Mapping[str, Any], known: frozenset[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    kept, extra = {}, {}
    for key, value in mapping.items():
        if key in known:
            kept[key] = value
        elif value is not None:
            extra[key] = value
    return kept, extra


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _integer(value: Any) -> int | None:
    """Give a count that fits 64 bits; NaN, infinity and what is beyond are none."""
    is_number = isinstance(value, (int, float)) and -(2**63) <= value < 2**63
    return int(value) if is_number else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def created_s(value: Any) -> int | None:
    """Give a time of creation in seconds since 1970."""
    seconds = _integer(value)
    # some local proxies send milliseconds; as seconds that is the year 5000 and later
    return seconds // 1000 if seconds is not None and seconds > 100_000_000_000 else seconds


def _mapping(value: Any) -> dict[str, Any] | None:
    return dict(value) if isinstance(value, Mapping) else None


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [v for v in value if isinstance(v, Mapping)] if isinstance(value, list) else []


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"
