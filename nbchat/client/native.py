"""What servers answer beside the API: who they are, their templates, their tokens.

llama.cpp's server has all of it, vLLM's a part under the same names. Nothing here is tried
again: these are short questions, and the request that needs their answers is none of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from nbchat.api.deviations import decode_chunk
from nbchat.api.logprobs import TokenTable
from nbchat.client import answers
from nbchat.client.profiles import LOCAL, PRESETS
from nbchat.errors import ApiError

if TYPE_CHECKING:
    from nbchat.client.client import Client
    from nbchat.client.profiles import Profile

Kind = Literal["llama.cpp", "vllm", "other"]
_OWNERS: Mapping[str, Kind] = {"llamacpp": "llama.cpp", "vllm": "vllm"}
_PROFILES: Mapping[str, Kind] = {LOCAL: "llama.cpp", "llamacpp": "llama.cpp", "vllm": "vllm"}
#: fields of a chat request that a template has nothing to do with
_NOT_OF_THE_TEMPLATE = {"n", "stream", "stream_options", "logprobs", "top_logprobs", "grammar"}


class Token(NamedTuple):
    """A token of a tokenizer: its number and its bytes, which may be a part of a character."""

    id: int
    data: bytes


def kind_of_profile(profile: Profile) -> Kind | None:
    """Tell from its name alone whose server answers; None where it has to be asked."""
    if profile.name in _PROFILES:
        return _PROFILES[profile.name]
    preset = PRESETS.get(profile.name)
    return "other" if preset is not None and preset.base_url == profile.base_url else None


def kind(client: Client) -> Kind:
    """Tell whose server answers, by the owner that it gives its models, else by its ``/props``."""
    known = kind_of_profile(client.profile)
    if known is not None:
        return known
    try:
        owner = _models(client)[0]["owned_by"]
    except (ApiError, LookupError, TypeError):
        owner = None
    if owner is not None:
        return _OWNERS.get(owner, "other")
    try:
        facts = _json(client.ask(f"{client.profile.root_url}/props", timeout_s=5.0))
    except ApiError:
        return "other"
    is_llama_cpp = isinstance(facts, dict) and "default_generation_settings" in facts
    return "llama.cpp" if is_llama_cpp else "other"


def vocabulary_size(client: Client) -> int | None:
    """Give the number of tokens that llama.cpp says its model has; None where it does not."""
    try:
        size = _models(client)[0]["meta"]["n_vocab"]
    except (ApiError, LookupError, TypeError):
        return None
    return size if isinstance(size, int) and size > 0 else None


def _models(client: Client) -> Any:
    return _json(client.ask(client.profile.models_url, timeout_s=5.0))["data"]


def templated(client: Client, messages: Sequence[Any], fields: Mapping[str, Any]) -> str:
    """Give the prompt that llama.cpp makes of a chat request with these fields."""
    asked = {n: v for n, v in fields.items() if n not in _NOT_OF_THE_TEMPLATE}
    data = client.ask(
        f"{client.profile.root_url}/apply-template", {**asked, "messages": list(messages)}
    )
    try:
        return str(_json(data)["prompt"])
    except (LookupError, TypeError):
        raise ApiError("The server did not answer with a prompt.") from None


def tokenized(
    client: Client, text: str, *, parses_special: bool = False, adds_special: bool = False
) -> list[Token]:
    """Give llama.cpp's tokens of a text; `parses_special` reads control tokens in it as such."""
    asked = {
        "content": text,
        "add_special": adds_special,
        "parse_special": parses_special,
        "with_pieces": True,
    }
    data = client.ask(f"{client.profile.root_url}/tokenize", asked)
    return [Token(number, piece) for number, piece in answers.token_bytes(data)]


class Step(NamedTuple):
    """What stands behind some tokens: one position's logprobs, and whether the reply ends there.

    `table` has one position, or none where the forced token begins a character: llama.cpp
    holds its logprobs back until the character is whole.
    """

    table: TokenTable
    ends: bool
    n_prompt_tokens: int | None


def step(
    client: Client, ids: Sequence[int], *, forced: int, top: int, model: str | None = None
) -> Step:
    """Have llama.cpp write one token, the one of this id, after these, and give its logprobs.

    They are those of the model: the bias that forces the token is not in them. `top` is how
    many alternatives come, the size of the vocabulary for all.
    """
    asked: dict[str, Any] = {
        "prompt": list(ids),
        "max_tokens": 1,
        "temperature": 0,
        "logprobs": top,
        "logit_bias": {str(forced): _FORCING},
    }
    data = client.ask(client.profile.completions_url, asked | ({"model": model} if model else {}))
    try:
        chunk = decode_chunk(data)
        choice = (chunk.choices or [])[0]
    except (ValueError, IndexError):
        raise ApiError("The server did not answer with a completion.") from None
    table = TokenTable()
    if choice.logprobs is not None and choice.logprobs.content:
        table.extend(choice.logprobs.content[:1])
    counted = (chunk.usage or {}).get("prompt_tokens")
    return Step(
        table,
        ends=choice.finish_reason == "stop",
        n_prompt_tokens=counted if isinstance(counted, int) else None,
    )


# far above any distance between two logits, and still a number in 32 bits
_FORCING = 1e6


def _json(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ApiError("The server did not answer with JSON.") from None
