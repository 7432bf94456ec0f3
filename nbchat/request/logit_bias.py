"""`logit_bias` by text: the ids of texts, from the tokenizer of the model that answers."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from nbchat.api.json_values import shown
from nbchat.api.support import encoding
from nbchat.client import presets
from nbchat.client.presets import LOCAL
from nbchat.client.profiles import Profile
from nbchat.errors import ApiError, CheckError, TransportError
from nbchat.request.servers import Say, Servers
from nbchat.version import install_command

FIELD = "logit_bias"
Tokens = list[tuple[int, str]]


def is_needed(fields: Mapping[str, Any]) -> bool:
    """Tell whether there are texts among the keys, for which ids have to be found."""
    bias = as_mapping(fields.get(FIELD))
    return bias is not None and any(_is_text(key) for key in bias)


def resolved(
    fields: dict[str, Any], extra: dict[str, Any], named: Any, servers: Servers, say: Say
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give fields and extra with the texts in `logit_bias` as token ids.

    Keys that are whole numbers are ids and stay. Without `say` nothing is started: then the
    embedded model must run already. Raise CheckError for a text that is not one token (its
    pieces are in the sentence), and where no tokenizer is known.
    """
    bias = as_mapping(fields.get(FIELD)) or {}
    profile = servers.profile(named)  # asks for no key: a tokenizer needs none
    if profile.name == LOCAL:
        if say is None and not servers.is_running(profile):
            rule = "by text needs the embedded model to run; give token ids, or ask it something"
            raise _refusal(None, f"{rule} first")
        profile = servers.profile(named, say or (lambda _: None))
    model = fields.get("model") or profile.model or ""
    tokens_of = _tokenizer(profile, model if isinstance(model, str) else "", servers)
    by_id: dict[str, Any] = {}
    for key, amount in bias.items():
        token_id = str(_only_id(key, tokens_of(key), model) if _is_text(key) else key)
        if by_id.setdefault(token_id, amount) != amount:
            raise _refusal(key, f"is token {token_id}, which has another amount already")
    return {**fields, FIELD: by_id}, extra


def as_mapping(bias: Any) -> Mapping[Any, Any] | None:
    """Read what stands behind --logit-bias: JSON, or pairs whose texts keep their blanks."""
    if isinstance(bias, Mapping):
        return bias
    if isinstance(bias, str) and bias.lstrip()[:1] == "{":
        try:
            decoded = msgspec.json.decode(bias)
        except msgspec.DecodeError:
            return None
        return decoded if isinstance(decoded, dict) else None
    pairs = [bias] if isinstance(bias, str) else bias
    if not isinstance(pairs, list) or not all(isinstance(p, str) and "=" in p for p in pairs):
        return None
    # the text may hold an equals sign, the amount never does
    return {key: amount.strip() for key, _, amount in (pair.rpartition("=") for pair in pairs)}


def _is_text(key: Any) -> bool:
    stripped = key.strip() if isinstance(key, str) else ""
    return isinstance(key, str) and not (stripped.isascii() and stripped.isdigit())


def _only_id(text: str, tokens: Tokens, model: Any) -> int:
    if len(tokens) == 1:
        return tokens[0][0]
    name = model or "this model"
    if not tokens:
        raise _refusal(text, f"is no token of {name}")
    pieces = ", ".join(f"{shown(piece)} ({token_id})" for token_id, piece in tokens)
    rule = f"is {len(tokens)} tokens of {name}, and a bias is for one token: {pieces}"
    raise _refusal(text, rule)


def _tokenizer(profile: Profile, model: str, servers: Servers) -> Callable[[str], Tokens]:
    """Choose who knows the tokens of a model: the server where it can be asked, else tiktoken."""
    name = encoding(model)
    if name is not None and not _is_llama_cpp(profile):
        return _tiktoken(name, model)
    preset = presets.PRESETS.get(profile.name)
    if not _is_llama_cpp(profile) and preset is not None and preset.base_url == profile.base_url:
        raise _unknown(profile, model)
    client = servers.client(profile)

    def ask(text: str) -> Tokens:
        try:
            return client.tokenize(text)
        except (ApiError, TransportError):
            raise _unknown(profile, model) from None

    return ask


def _is_llama_cpp(profile: Profile) -> bool:
    return profile.name in (LOCAL, "llamacpp")


def _tiktoken(name: str, model: str) -> Callable[[str], Tokens]:
    if importlib.util.find_spec("tiktoken") is None:
        raise _refusal(
            None,
            f"by text needs the tokenizer of {model}: {install_command('tiktoken')}; or give "
            "token ids",
        )
    codec = importlib.import_module("tiktoken").get_encoding(name)

    def encode(text: str) -> Tokens:
        return [
            (token, codec.decode_single_token_bytes(token).decode("utf-8", "backslashreplace"))
            for token in codec.encode_ordinary(text)
        ]

    return encode


def _unknown(profile: Profile, model: str) -> CheckError:
    whose = f"of {model} at {profile.name}" if model else f"at {profile.name}"
    return _refusal(None, f"takes token ids here: no tokenizer is known for the model {whose}")


def _refusal(text: str | None, rule: str) -> CheckError:
    subject = "logit_bias" if text is None else f"logit_bias: {shown(text)}"
    return CheckError(f"{subject} {rule}.", field="logit_bias", value=text, rule=rule)
