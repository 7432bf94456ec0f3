"""Where servers leave the reference, made to fit it. The only place that knows of this.

`decode_chunk` reads a well-formed event in one typed step. Whatever does not fit that step
is read as plain JSON, put in order here, and keeps its unknown keys in `extra`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from nbchat.api.error_objects import error_in
from nbchat.api.logprobs import WireToken, read_entry
from nbchat.api.response import Chunk, ChunkChoice, ChunkLogprobs, Delta, Usage

#: levels of lists and objects; beyond a few hundred, Python itself cannot walk, copy or pickle it
MOST_LEVELS = 100
_TOO_DEEP = "JSON that is nested too deeply"

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


def decode_chunks(data: bytes | bytearray) -> list[Chunk]:
    """Decode a whole answer, or a list of events or errors. Raise ValueError where it is none."""
    if data[:1] != b"[":
        return [decode_chunk(data)]
    return [read_chunk(event) for event in decode_json(data)]


def decode_json(data: bytes | bytearray) -> Any:
    """Decode JSON as servers send it. Raise ValueError where it is none, or nested too deeply."""
    try:
        value = _decode_json(data)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    return shallow(value)


def shallow(value: Any) -> Any:
    """Give a decoded value as it is. Raise ValueError where it is nested too deeply to be used."""
    layer = [value]
    for _ in range(MOST_LEVELS):
        layer = [
            inner
            for item in layer
            if isinstance(item, (list, dict))
            for inner in (item.values() if isinstance(item, dict) else item)
            if isinstance(inner, (list, dict))
        ]
        if not layer:
            return value
    raise ValueError(_TOO_DEEP)


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


def decode_error(data: bytes) -> Any:
    """Decode the body of an error: its JSON as far as it can be walked, else its text."""
    try:
        return cut_off(_decode_json(data))
    except (ValueError, RecursionError):
        return data.decode("utf-8", "replace")


def cut_off(value: Any, levels: int = MOST_LEVELS) -> Any:
    """Give a decoded value with "…" for what is nested more deeply than so many levels."""
    if not isinstance(value, (list, dict)):
        return value
    if levels == 0:
        return "…"
    if isinstance(value, list):
        return [cut_off(item, levels - 1) for item in value]
    return {key: cut_off(item, levels - 1) for key, item in value.items()}


def read_chunk(event: Any) -> Chunk:
    """Read a decoded event of any server. Raise ValueError where it is not an object."""
    if not isinstance(event, Mapping):
        raise ValueError(f"expected a JSON object, got {_shortened(event)}")  # noqa: TRY004 - like bad JSON
    known, extra = _split(event, _CHUNK_KEYS)
    choices = _mappings(known.get("choices"))
    return Chunk(
        id=_text(known.get("id")) or None,
        object=_text(known.get("object")) or None,
        created=created_s(known.get("created")),
        model=_text(known.get("model")) or None,
        choices=[_choice(c) for c in choices] or None,
        usage=_usage_of(known, extra, choices),
        service_tier=_text(known.get("service_tier")),
        system_fingerprint=_text(known.get("system_fingerprint")),
        metadata=_mapping(known.get("metadata")),
        moderation=_mapping(known.get("moderation")),
        error=_error_of(event, choices),
        extra=extra or None,
    )


def _usage_of(
    known: dict[str, Any], extra: dict[str, Any], choices: list[Mapping[str, Any]]
) -> dict[str, Any] | None:
    groq = _mapping(extra.get("x_groq")) or {}
    in_choice = [choice.get("usage") for choice in choices]  # Kimi
    usages = (_mapping(usage) for usage in (known.get("usage"), groq.get("usage"), *in_choice))
    return next((usage for usage in usages if usage is not None), None)


def _error_of(event: Mapping[str, Any], choices: list[Mapping[str, Any]]) -> Any:
    in_choice = (choice.get("error") for choice in choices)  # OpenRouter
    error = event.get("error") or next((e for e in in_choice if e), None)
    return error if error or choices or event.get("usage") else error_in(event)


def _choice(choice: Mapping[str, Any]) -> ChunkChoice:
    known, extra = _split(choice, _CHOICE_KEYS)
    index = known.get("index")
    return ChunkChoice(
        index=_number(index),
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
        tool_calls=[dict(c) for c in _mappings(calls)] or None,
        function_call=_mapping(known.get("function_call")) or None,
        audio=_mapping(known.get("audio")) or None,
        annotations=annotations if isinstance(annotations, list) else None,
        reasoning=thinking or _text(known.get("reasoning")),
        reasoning_content=_text(known.get("reasoning_content")),
        is_in_parts=bool(thinking),
        extra=extra or None,
    )


def _content(content: Any) -> tuple[str | None, list[Any], str]:
    """Give the text, the parts that are not text, and the thinking (Mistral, Databricks)."""
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
        elif kind in _THINKING and (thought := _thought(part)):
            thinking.append(thought)
        else:
            rest.append(part)
    return ("".join(texts) if texts else None), rest, "".join(thinking)


_THINKING = ("thinking", "reasoning", "thought")
_THOUGHTS = ("thinking", "reasoning", "summary", "content", "text")


def _thought(part: Any) -> str:
    """Give the text of a part of reasoning: a text itself, in one of its keys, or in its parts."""
    if isinstance(part, str):
        return part
    if isinstance(part, list):
        return "".join(map(_thought, part))
    if not isinstance(part, Mapping):
        return ""
    return next((text for name in _THOUGHTS if (text := _thought(part.get(name)))), "")


def tidy_call(piece: Mapping[str, Any]) -> dict[str, Any]:
    """Give a piece of a tool call with an index that is a number, and texts where they belong."""
    tidy = dict(piece)
    if "index" in tidy:
        tidy["index"] = _number(tidy["index"])
    for name in ("id", "type"):
        if name in tidy:
            tidy[name] = _name(tidy[name])
    for kind in ("function", "custom"):
        if isinstance(tidy.get(kind), Mapping):
            tidy[kind] = tidy_body(tidy[kind])
    return tidy


def tidy_body(body: Mapping[str, Any]) -> dict[str, Any]:
    """Give the body of a call with its name, and what it is called with, as texts."""
    tidy = {n: v for n, v in body.items() if v is not None or n not in ("arguments", "input")}
    if "name" in tidy:
        tidy["name"] = _name(tidy["name"])
    for name in ("arguments", "input"):
        if name in tidy and not isinstance(tidy[name], str):
            tidy[name] = json.dumps(tidy[name], ensure_ascii=False)
    return tidy


_GROWING_DETAILS = ("text", "summary", "data", "signature")


def joined_details(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Give a message's extra keys with the pieces of `reasoning_details` joined (OpenRouter).

    Pieces follow each other, and those of one part have its type and index; a part that comes
    whole is left as it is.
    """
    details = extra.get("reasoning_details")
    if not isinstance(details, list):
        return dict(extra)
    parts: list[Any] = []
    for piece in details:
        part = _part_of(piece)
        if part is None or not parts or part != _part_of(parts[-1]):
            parts.append(dict(piece) if isinstance(piece, Mapping) else piece)
        else:
            _grow(parts[-1], piece)
    return {**extra, "reasoning_details": parts}


def _part_of(piece: Any) -> tuple[Any, Any] | None:
    if not isinstance(piece, Mapping) or piece.get("index") is None:
        return None
    return piece.get("type"), piece["index"]


def _grow(part: dict[str, Any], piece: Mapping[str, Any]) -> None:
    for name, value in piece.items():
        before = part.get(name)
        if name in _GROWING_DETAILS and isinstance(before, str) and isinstance(value, str):
            part[name] = before + value
        elif value is not None:
            part[name] = value


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
                "top_logprobs": tops[i] if i < len(tops) else None,
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
    prompt = _details(known.get("prompt_tokens_details"))
    hits = extra.get("prompt_cache_hit_tokens", extra.get("cached_tokens"))  # DeepSeek; Together
    if "cached_tokens" not in prompt and (count := _integer(hits)) is not None:
        prompt["cached_tokens"] = count
    return Usage(
        prompt_tokens=_integer(known.get("prompt_tokens")),
        completion_tokens=_integer(known.get("completion_tokens")),
        total_tokens=_integer(known.get("total_tokens")),
        prompt_tokens_details=prompt,
        completion_tokens_details=_details(known.get("completion_tokens_details")),
        extra=extra,
    )


def _details(details: Any) -> dict[str, Any]:
    """Give the counts of a breakdown, without those that no count can be."""
    if not details or not isinstance(details, Mapping):
        return {}
    return {
        name: value
        for name, value in details.items()
        if not isinstance(value, (int, float)) or _integer(value) is not None
    }


def _wire_names(struct: type[msgspec.Struct]) -> frozenset[str]:
    return frozenset(name for name in struct.__struct_encode_fields__ if name[0] != " ")


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


def _number(value: Any) -> int | None:
    """Give an index, which some servers send as a text or as 1.0."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _name(value: Any) -> str | None:
    """Give an id or a name, which some servers send as a number."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return str(value) if is_number else _text(value)


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
