"""Fields of a chat request that only one server's software takes: data, sent through `extra`.

Sources, read in 2026: llama.cpp ``tools/server/README.md`` (``/completion``, whose options the
chat address takes too), vLLM ``docs/serving/openai_compatible_server`` (extra parameters),
OpenRouter ``docs/api-reference/parameters``, Ollama ``openai/openai.go``, which reads none but
declared fields and `reasoning`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

Kind = Literal["number", "integer", "boolean", "string", "choice", "list", "object"]


class ServerField(Struct, frozen=True, kw_only=True):
    """A field that the reference does not have, as a control needs it.

    `soft_maximum` bounds the slider alone. `default`: what the server takes where it is unset.
    """

    name: str
    kind: Kind
    help: str
    minimum: float | None = None
    maximum: float | None = None
    soft_maximum: float | None = None
    step: float | None = None
    choices: tuple[str, ...] = ()
    default: Any = None


def _number(name: str, about: str, low: float, high: float, **more: Any) -> ServerField:
    return ServerField(name=name, kind="number", help=about, minimum=low, maximum=high, **more)


def _count(name: str, about: str, low: int, soft: int, **more: Any) -> ServerField:
    return ServerField(
        name=name, kind="integer", help=about, minimum=low, soft_maximum=soft, step=1, **more
    )


_TOP_K = "Only this many of the likeliest tokens are drawn from."
_MIN_P = "Tokens less likely than this share of the likeliest one are not drawn."
_REPEAT = "Divides the scores of tokens that stood there already; 1 does nothing."
_TYPICAL = "Keeps the tokens whose surprise is near the expected one, up to this mass; 1 keeps all."

_GO_ON = "Go on after the token that ends a reply."
_TEMPLATE = 'Values for the chat template, such as {"enable_thinking": false}.'
_OFTEN = "How often the likeliest tokens are struck out (XTC)."


def _flag(name: str, about: str, *, default: bool) -> ServerField:
    return ServerField(name=name, kind="boolean", help=about, default=default)


def _object(name: str, about: str) -> ServerField:
    return ServerField(name=name, kind="object", help=about)


_LLAMA_CPP = (
    _count("top_k", _TOP_K, 0, 100, default=40),
    _number("min_p", _MIN_P, 0, 1, step=0.01, default=0.05),
    _number("typical_p", _TYPICAL, 0, 1, step=0.01, default=1.0),
    _number("repeat_penalty", _REPEAT, 0, 2, step=0.05, default=1.0),
    _count("repeat_last_n", "How far back repeats are sought; 0 is off.", -1, 512, default=64),
    _number("dry_multiplier", "Penalty on repeated sequences (DRY); 0 is off.", 0, 2, step=0.1),
    _number("xtc_probability", _OFTEN, 0, 1, step=0.05, default=0.0),
    _number(
        "xtc_threshold", "From which probability on XTC strikes.", 0, 1, step=0.05, default=0.1
    ),
    _number("dynatemp_range", "The temperature moves so far with the entropy.", 0, 2, step=0.1),
    ServerField(name="grammar", kind="string", help="A grammar (GBNF) that the reply keeps to."),
    _flag("ignore_eos", _GO_ON, default=False),
    _flag("cache_prompt", "Use what an earlier prompt has in common with this one.", default=True),
    _object("chat_template_kwargs", _TEMPLATE),
)
_VLLM = (
    _count("top_k", _TOP_K, 0, 100, default=0),
    _number("min_p", _MIN_P, 0, 1, step=0.01, default=0.0),
    _number("repetition_penalty", _REPEAT, 0, 2, step=0.05, default=1.0),
    _count("min_tokens", "No reply is shorter than this.", 0, 512, default=0),
    _flag("ignore_eos", _GO_ON, default=False),
    _flag("skip_special_tokens", "Leave special tokens out of the text.", default=True),
    _object("structured_outputs", 'What the reply keeps to: {"regex": …}, {"choice": […]}.'),
    _object("chat_template_kwargs", _TEMPLATE),
    _count("prompt_logprobs", "So many alternatives for each token of the prompt.", 0, 20),
)
_OPENROUTER = (
    _count("top_k", _TOP_K, 0, 100, default=0),
    _number("min_p", _MIN_P, 0, 1, step=0.01, default=0.0),
    _number("top_a", "As min_p, by the square of the likeliest one.", 0, 1, step=0.01, default=0.0),
    _number("repetition_penalty", _REPEAT, 0, 2, step=0.05, default=1.0),
    _object("reasoning", 'How it reasons: {"effort": "high"}, {"max_tokens": 2000}.'),
    _object("provider", 'Which providers may answer: {"order": ["…"], "allow_fallbacks": false}.'),
    ServerField(
        name="models", kind="list", help="Models that are asked where the first one fails."
    ),
)
_OLLAMA = (_object("reasoning", 'How it reasons: {"effort": "none"}, "low", "medium" or "high".'),)

SERVER_FIELDS: Mapping[str, tuple[ServerField, ...]] = {
    "llama.cpp": _LLAMA_CPP,
    "vllm": _VLLM,
    "openrouter": _OPENROUTER,
    "ollama": _OLLAMA,
}

#: fields that OpenAI calls deprecated and other software still wants
_STILL_WANTED = frozenset({"max_tokens", "seed", "user"})


def server_fields(kind: str) -> tuple[ServerField, ...]:
    """Give the fields that only this kind of server takes; none where it is not known."""
    return SERVER_FIELDS.get(kind, ())


def still_wanted(kind: str) -> frozenset[str]:
    """Name the fields that are deprecated at OpenAI, and that this kind of server wants."""
    return frozenset() if kind == "openai" else _STILL_WANTED
