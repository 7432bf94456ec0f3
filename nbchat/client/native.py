"""What servers answer beside the API: who they are, their templates, their tokens.

llama.cpp's server has all of it, vLLM's a part under the same names. Nothing here is tried
again: these are short questions, and the request that needs their answers is none of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from nbchat.api.deviations import decode_chunk
from nbchat.api.logprobs import VOCABULARY, TokenTable
from nbchat.client import http_answers
from nbchat.client.presets import LOCAL, PRESETS
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
    return _of_model(client, "n_vocab")


def context_size(client: Client) -> int | None:
    """Give how many tokens llama.cpp has room for in a request and its reply; None if unknown."""
    return _of_model(client, "n_ctx")


def _of_model(client: Client, name: str) -> int | None:
    try:
        size = _models(client)[0]["meta"][name]
    except (ApiError, LookupError, TypeError):
        return None
    return size if isinstance(size, int) and size > 0 else None


def _models(client: Client) -> Any:
    return _json(client.ask(client.profile.models_url, timeout_s=5.0))["data"]


def templated(client: Client, messages: Sequence[Any], fields: Mapping[str, Any]) -> str:
    """Give the prompt that llama.cpp makes of a chat request with these fields."""
    known = {n: v for n, v in fields.items() if n not in _NOT_OF_THE_TEMPLATE}
    data = client.ask(
        f"{client.profile.root_url}/apply-template", {**known, "messages": list(messages)}
    )
    try:
        return str(_json(data)["prompt"])
    except (LookupError, TypeError):
        raise ApiError("The server did not answer with a prompt.") from None


def tokenized(
    client: Client, text: str, *, parses_special: bool = False, adds_special: bool = False
) -> list[Token]:
    """Give llama.cpp's tokens of a text; `parses_special` reads control tokens in it as such."""
    body = {
        "content": text,
        "add_special": adds_special,
        "parse_special": parses_special,
        "with_pieces": True,
    }
    data = client.ask(f"{client.profile.root_url}/tokenize", body)
    return [Token(number, piece) for number, piece in http_answers.token_bytes(data)]


class Written(NamedTuple):
    """What llama.cpp wrote after some tokens.

    `table` has a position for each token; where a character is split over tokens, it is held
    back until it is whole, and has the position of the last one alone. `ends`: the reply ended
    of itself. `n_evaluated`: tokens of the prompt that it had to evaluate, None where it does
    not say; the others were there. `model`: who answered, as it says.
    """

    table: TokenTable
    ends: bool
    n_evaluated: int | None = None
    model: str | None = None


def written(
    client: Client,
    ids: Sequence[int],
    *,
    n_tokens: int,
    top: int,
    model: str | None = None,
    **more: Any,
) -> Written:
    """Have llama.cpp write at most so many tokens after these, always the most likely one.

    `top` is how many alternatives come for each, the size of the vocabulary for all; `more` are
    further fields. The log probabilities are those of the model: neither a grammar nor a bias
    is in them.
    """
    body: dict[str, Any] = {
        "prompt": list(ids),
        "max_tokens": n_tokens,
        "temperature": 0,
        "logprobs": top,
        **({"model": model} if model else {}),
        **more,
    }
    data = client.ask(client.profile.completions_url, body, timeout_s=600.0)
    try:
        answer = decode_chunk(data)
        choice = (answer.choices or [])[0]
    except (ValueError, IndexError):
        raise ApiError("The server did not answer with a completion.") from None
    table = TokenTable()
    if choice.logprobs is not None:
        table.extend(choice.logprobs.content or [])
    evaluated = (answer.timings or {}).get("prompt_n")
    is_told = isinstance(evaluated, int)
    ends = choice.finish_reason == "stop"
    return Written(table, ends, evaluated if is_told else None, answer.model)


def step(
    client: Client,
    ids: Sequence[int],
    *,
    forced: int,
    top: int,
    model: str | None = None,
    **more: Any,
) -> Written:
    """Have llama.cpp write the token of this id after these."""
    bias = {str(forced): _FORCING}
    return written(client, ids, n_tokens=1, top=top, model=model, logit_bias=bias, **more)


def odds(
    client: Client, ids: Sequence[int], token: int, whole: int, model: str | None = None
) -> float | None:
    """Give ln of how much likelier a token is behind these than another one, which is whole.

    llama.cpp holds back the row of a token that begins a character. But the probabilities after
    the sampler know a bias, and one that lifts both tokens above all others, the whole one so
    far that it is drawn, leaves their odds. None where the server does not tell.
    """
    request: dict[str, Any] = {
        "prompt": list(ids),
        "max_tokens": 1,
        "temperature": 1,
        "samplers": ["temperature"],
        "seed": 1,
        "logprobs": 2,
        "post_sampling_probs": True,
        "logit_bias": {str(token): _LIFT, str(whole): _LIFT + _AHEAD},
        **({"model": model} if model else {}),
    }
    answer = _json(client.ask(client.profile.completions_url, request, timeout_s=600.0))
    try:
        (row,) = answer["choices"][0]["logprobs"]["content"]
        probs = {one["id"]: float(one["prob"]) for one in row["top_probs"]}
        return log(probs[token]) - log(probs[whole]) + _AHEAD
    except (LookupError, TypeError, ValueError):
        return None


def end_tokens(client: Client, model: str | None = None) -> list[int]:
    """Give the ids of all tokens that end a generation of llama.cpp's model.

    Behind a grammar that is fulfilled it allows these alone: it is asked for the likeliest one
    until no new one comes.
    """
    before = [token.id for token in tokenized(client, "a")]
    ends: list[int] = []
    while len(ends) < _MOST_ENDS:
        bias = {str(number): -_FORCING for number in ends}
        ended = written(
            client, before, n_tokens=1, top=1, model=model, grammar='root ::= ""', logit_bias=bias
        )
        number = VOCABULARY.ids[ended.table.codes[0]] if len(ended.table) else None
        if number is None or number in ends or not ended.ends:
            break
        ends.append(number)
    return ends


def beginning(client: Client) -> Token | None:
    """Give the token that begins a text for llama.cpp's model; None where it has none."""
    try:
        facts = _json(client.ask(f"{client.profile.root_url}/props", timeout_s=5.0))
        name = str(facts["bos_token"])
    except (ApiError, LookupError, TypeError):
        return None
    tokens = tokenized(client, name, parses_special=True) if name else []
    return tokens[0] if len(tokens) == 1 else None


def n_slots(client: Client) -> int:
    """Give how many requests llama.cpp works on at once, each in a slot of its own."""
    try:
        facts = _json(client.ask(f"{client.profile.root_url}/props", timeout_s=5.0))
        count = facts["total_slots"]
    except (ApiError, LookupError, TypeError):
        return 1
    return count if isinstance(count, int) and count > 0 else 1


# far above any distance between two logits, and still a number in 32 bits
_FORCING = 1e6
# above the distance between any two logits that matters, and small enough to leave their digits
_LIFT, _AHEAD = 60.0, 30.0
_MOST_ENDS = 32


def vllm_tokens(client: Client, model: str | None, **source: Any) -> list[int]:
    """Give vLLM's token ids of a text (``prompt``) or of a chat (``messages``)."""
    named = {"model": model} if model else {}
    data = client.ask(f"{client.profile.root_url}/tokenize", {**named, **source})
    try:
        return [int(number) for number in _json(data)["tokens"]]
    except (LookupError, TypeError, ValueError):
        raise ApiError("The server did not answer with tokens.") from None


def _json(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass  # its error may hold what the server sent
    raise ApiError("The server did not answer with JSON.")
