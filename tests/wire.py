"""The shapes of the Chat Completions wire format, as OpenAI sends them, for tests to bend."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

MODEL = "scripted-model"
ID = "chatcmpl-scripted"
CREATED = 1_760_000_000


def split_tokens(text: str) -> list[str]:
    """Cut a text the way tokenizers like to: words and marks with their leading blank.

    The pieces joined are the text again, byte for byte.
    """
    return re.findall(r" ?\w{1,6}|\w{1,6}| ?[^\w\s]+|\s+", text)


def usage_of(prompt_tokens: int = 9, completion_tokens: int = 3) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def logprob_entry(
    token: str,
    logprob: float,
    top: Sequence[tuple[str, float]] = (),
    id: int | None = None,  # noqa: A002 (llama.cpp's name for it)
    **more: Any,
) -> dict[str, Any]:
    """One item of `logprobs.content`. `more` replaces or adds keys: `bytes=None`, say."""
    entry: dict[str, Any] = {} if id is None else {"id": id}
    entry |= {"token": token, "logprob": logprob, "bytes": list(token.encode())}
    entry["top_logprobs"] = [
        {"token": other, "logprob": value, "bytes": list(other.encode())} for other, value in top
    ]
    return entry | more


def _logprobs(entries: Sequence[Mapping[str, Any]] | Mapping[str, Any] | None) -> Any:
    if entries is None or isinstance(entries, Mapping):
        return entries
    return {"content": list(entries), "refusal": None}


def chunk(
    content: str | None = None,
    *,
    index: int = 0,
    finish_reason: str | None = None,
    logprobs: Sequence[Mapping[str, Any]] | Mapping[str, Any] | None = None,
    usage: Mapping[str, Any] | None = None,
    role: str | None = None,
    delta: Mapping[str, Any] | None = None,
    **top: Any,
) -> dict[str, Any]:
    """One chunk of a stream. With `usage` and nothing for a choice, `choices` is empty.

    `delta` adds keys to the delta (tool_calls, refusal, …); `top` adds or replaces keys of the
    chunk itself.
    """
    whole: dict[str, Any] = {
        "id": ID,
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": MODEL,
        "choices": [],
    }
    says_nothing = content is None and finish_reason is None and role is None
    if usage is None or not says_nothing or delta is not None or logprobs is not None:
        said: dict[str, Any] = {} if role is None else {"role": role}
        if content is not None:
            said["content"] = content
        whole["choices"] = [
            {
                "index": index,
                "delta": said | dict(delta or {}),
                "logprobs": _logprobs(logprobs),
                "finish_reason": finish_reason,
            }
        ]
    if usage is not None:
        whole["usage"] = dict(usage)
    return whole | top


def completion(
    *texts: str | None,
    finish_reason: str = "stop",
    logprobs: Sequence[Mapping[str, Any]] | Mapping[str, Any] | None = None,
    usage: Mapping[str, Any] | None = None,
    message: Mapping[str, Any] | None = None,
    **top: Any,
) -> dict[str, Any]:
    """A whole answer with one choice for each text; `message` adds keys to every message."""
    choices = [
        {
            "index": index,
            "message": {"role": "assistant", "content": text, "refusal": None, "annotations": []}
            | dict(message or {}),
            "logprobs": _logprobs(logprobs),
            "finish_reason": finish_reason,
        }
        for index, text in enumerate(texts)
    ]
    return {
        "id": ID,
        "object": "chat.completion",
        "created": CREATED,
        "model": MODEL,
        "choices": choices,
        "usage": dict(usage) if usage is not None else usage_of(),
        "service_tier": "default",
        "system_fingerprint": "fp_scripted",
    } | top


def error_body(
    message: str,
    *,
    type: str | None = "invalid_request_error",  # noqa: A002 (the wire's name)
    code: str | int | None = None,
    param: str | None = None,
    **more: Any,
) -> dict[str, Any]:
    return {"error": {"message": message, "type": type, "param": param, "code": code} | more}


def event(data: Mapping[str, Any] | str) -> bytes:
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return b"data: " + text.encode() + b"\n\n"


def sse(*chunks: Mapping[str, Any] | str, done: bool = True) -> bytes:
    """The bytes of a stream of these chunks; `done` adds `data: [DONE]`."""
    return b"".join(map(event, chunks)) + (b"data: [DONE]\n\n" if done else b"")


def made_up_logprobs(tokens: Sequence[str], top: int) -> list[dict[str, Any]]:
    """Entries for these tokens with `top` alternatives each, the same on every call.

    The alternatives are other tokens of the text, so that strings repeat as they do in life.
    """
    entries = []
    for position, token in enumerate(tokens):
        likely = -0.05 - 0.01 * (position % 50)
        others = [token] + [
            tokens[(position * 7 + k) % len(tokens)] + "~" * k for k in range(1, top)
        ]
        pairs = [(other, likely - 0.9 * rank) for rank, other in enumerate(others[:top])]
        entries.append(logprob_entry(token, likely, pairs))
    return entries
