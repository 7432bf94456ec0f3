"""What model families take and what they refuse: data, never a verdict.

A model that no family knows is taken to support everything. The table is open: put a
family of your own in front with ``FAMILIES.insert(0, Family(...))``; the first one
whose pattern fits is used.

Source: Chat Completions reference, section 2.3, and what the tokenizers publish.
"""

from __future__ import annotations

import fnmatch
import functools
import re
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping

O200K = 200_019
CL100K = 100_277

_REASONING_ONLY = "only reasoning models take it"
_SEARCH_ONLY = "only search models take it"
_AUDIO_ONLY = "only audio models take it"
_NEVER = "reasoning models refuse it"
_WHILE_REASONING = "refused while the model reasons; taken with reasoning_effort='none'"
_LENGTH = "reasoning models want max_completion_tokens"
_ONE = "reasoning models take only 1"
_ELSEWHERE = {"web_search_options": _SEARCH_ONLY, "audio": _AUDIO_ONLY}


class Family(Struct, frozen=True, kw_only=True):
    """Models whose names fit a pattern (``"gpt-5*"``), and which fields they refuse, and why.

    `takes` has the values of fields of which they take only some.
    """

    patterns: tuple[str, ...]
    refuses: Mapping[str, str] = {}
    takes: Mapping[str, tuple[str, ...]] = {}
    vocab_size: int | None = None


_O_SERIES = _ELSEWHERE | {
    "max_tokens": _LENGTH,
    "temperature": _ONE,
    "top_p": _ONE,
    "presence_penalty": _NEVER,
    "frequency_penalty": _NEVER,
    "logprobs": _NEVER,
    "top_logprobs": _NEVER,
    "stop": _NEVER,
    "logit_bias": _NEVER,
    "prediction": _NEVER,
    "parallel_tool_calls": "the o series refuses it",
}
_GPT_5 = _ELSEWHERE | {
    "max_tokens": _LENGTH,
    "temperature": f"{_ONE}: {_WHILE_REASONING}",
    "top_p": f"{_ONE}: {_WHILE_REASONING}",
    "presence_penalty": _WHILE_REASONING,
    "frequency_penalty": _WHILE_REASONING,
    "logprobs": _WHILE_REASONING,
    "top_logprobs": _WHILE_REASONING,
    "stop": _NEVER,
    "logit_bias": _NEVER,
    "prediction": _NEVER,
}
#: these always reason
_GPT_6 = _GPT_5 | dict.fromkeys(
    (name for name, why in _GPT_5.items() if _WHILE_REASONING in why), _NEVER
)
_GPT_6_TAKES = {"reasoning_effort": ("low", "medium", "high", "xhigh")}
_TOOLS_WITHOUT_REASONING = {
    "tools": "function tools need reasoning_effort='none' here",
    "functions": "function tools need reasoning_effort='none' here",
}
_PLAIN = _ELSEWHERE | {"reasoning_effort": _REASONING_ONLY}

FAMILIES: list[Family] = [
    Family(
        patterns=("*-search-preview*", "*-search-api*"),
        refuses={"audio": _AUDIO_ONLY},
        vocab_size=O200K,
    ),
    Family(
        patterns=("gpt-4o*-audio*", "gpt-audio*"),
        refuses={"web_search_options": _SEARCH_ONLY, "reasoning_effort": _REASONING_ONLY},
        vocab_size=O200K,
    ),
    Family(patterns=("o1", "o1-*", "o3", "o3-*", "o4-mini*"), refuses=_O_SERIES, vocab_size=O200K),
    Family(patterns=("gpt-6*",), refuses=_GPT_6, takes=_GPT_6_TAKES),
    Family(patterns=("gpt-5-chat*", "gpt-5.?-chat*"), refuses=_ELSEWHERE, vocab_size=O200K),
    Family(
        patterns=("gpt-5.[4-9]*", "gpt-5.[1-9][0-9]*"),
        refuses=_GPT_5 | _TOOLS_WITHOUT_REASONING,
        vocab_size=O200K,
    ),
    Family(patterns=("gpt-5", "gpt-5-*", "gpt-5.*"), refuses=_GPT_5, vocab_size=O200K),
    Family(patterns=("gpt-4o*", "chatgpt-4o*", "gpt-4.1*"), refuses=_PLAIN, vocab_size=O200K),
    Family(patterns=("gpt-4", "gpt-4-*", "gpt-3.5-turbo*"), refuses=_PLAIN, vocab_size=CL100K),
]

#: fields that may be sent under another name where a server refuses theirs
REPLACED: Mapping[str, str] = {
    "max_tokens": "max_completion_tokens",
    "max_completion_tokens": "max_tokens",
}
#: fields that may be left out where a server refuses them: the question stays the same, and
#: so does the form of its answer. Never those that say what is asked (tools, response_format,
#: modalities, web_search_options), how many answers are wanted, or what is screened.
LEFT_OUT = frozenset({
    "frequency_penalty", "logit_bias", "logprobs", "metadata", "parallel_tool_calls",
    "prediction", "presence_penalty", "prompt_cache_key", "prompt_cache_options",
    "prompt_cache_retention", "reasoning_effort", "safety_identifier", "seed", "service_tier",
    "stop", "store", "stream_options", "temperature", "top_logprobs", "top_p", "user",
    "verbosity",
})  # fmt: skip
#: fields that are never left out: they say what is asked, how many answers are wanted, what form
#: they have, or what is screened
ALWAYS_SENT = frozenset({
    "audio", "function_call", "functions", "modalities", "model", "moderation", "n",
    "response_format", "stream", "tool_choice", "tools", "web_search_options",
})  # fmt: skip
#: of those that may be left out, fields of which a value may be refused and another taken: what
#: would be paid or how long the model thinks is for the user to choose, not the server's default
ONLY_WHOLE = frozenset({"reasoning_effort", "service_tier", "verbosity"})
#: fields that cannot stand without another one, which goes with it
GOES_WITH: Mapping[str, str] = {"top_logprobs": "logprobs"}

_ENCODINGS: Mapping[int, str] = {O200K: "o200k_base", CL100K: "cl100k_base"}


def refusals(model: str) -> Mapping[str, str]:
    """Give the fields that a model's family refuses, and why; empty for an unknown model."""
    family = _family(model)
    return family.refuses if family else {}


def vocab_size(model: str) -> int | None:
    """Give the number of tokens in a model's vocabulary, None where it is not known."""
    family = _family(model)
    return family.vocab_size if family else None


def encoding(model: str) -> str | None:
    """Give tiktoken's name for a model's tokenizer, None where it is not known."""
    return _ENCODINGS.get(vocab_size(model) or 0)


def refused_here(model: str, settings: Mapping[str, Any]) -> Mapping[str, str]:
    """Give the fields of a request that its model's family is known to refuse, and why."""
    family = _family(model)
    if family is None:
        return {}
    effort = settings.get("reasoning_effort")
    is_reasoning_off = effort == "none" and not family.takes.get("reasoning_effort")
    fields = {
        name: why
        for name, why in family.refuses.items()
        if name in settings
        and not (is_reasoning_off and (_WHILE_REASONING in why or name in _TOOLS_WITHOUT_REASONING))
        and not (why.startswith(_ONE) and settings[name] == 1)
    }
    values = {
        name: f"this model takes {', '.join(taken[:-1])} and {taken[-1]}, not {settings[name]}"
        for name, taken in family.takes.items()
        if settings.get(name) is not None and settings[name] not in taken
    }
    return fields | values


def _family(model: str) -> Family | None:
    name = model.rpartition("/")[2].lower().removeprefix("ft:")
    name = name.partition(":")[0]  # ft:gpt-4o:org::id
    match = _first_of(tuple([family.patterns for family in FAMILIES])).match(name)
    return None if match is None or match.lastindex is None else FAMILIES[match.lastindex - 1]


@functools.cache
def _first_of(families: tuple[tuple[str, ...], ...]) -> re.Pattern[str]:
    """Give what finds the first family that a name fits, as the number of its group."""
    return re.compile("|".join(f"({'|'.join(map(fnmatch.translate, each))})" for each in families))
