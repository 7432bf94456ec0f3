"""The tokens before a branch, written again one by one on llama.cpp's server.

What is evaluated in one batch and what is decoded token by token have other log probabilities
(by up to 0.39 nats on SmolLM2): a batch of 64 and more goes through other kernels. So the
tokens that a model wrote are forced one by one, each by a grammar over ids, in a slot of their
own, whose prompt is evaluated anew: what the slot had before does not enter. A part of a
character, which llama.cpp takes in no grammar, is a prompt of one more token.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from math import nan
from typing import TYPE_CHECKING, Any

import msgspec

from nbchat.analysis.forced_decoding import grammar_of, is_whole
from nbchat.api.logprobs import VOCABULARY
from nbchat.client import native
from nbchat.errors import ApiError

if TYPE_CHECKING:
    from nbchat.client.client import Client
    from nbchat.client.native import Token


class Prefix(msgspec.Struct, frozen=True):
    """A prompt, by ids, and what was written behind it.

    `n_first` tokens of the prompt are evaluated before the rest of it, as they were where the
    server had them already; 0 for all at once. `slot` is the server's, `model` its name.
    """

    prompt: list[int]
    tokens: list[Token]
    n_first: int = 0
    slot: int = 0
    model: str | None = None

    @property
    def ids(self) -> list[int]:
        """The ids of all."""
        return [*self.prompt, *(token.id for token in self.tokens)]


def decoded(client: Client, prefix: Prefix) -> list[float]:
    """Write a prefix one by one; give the log probability of each token, NaN for a part.

    Afterwards the prefix's slot has it. Raise ApiError where the server does not hold to it.
    """
    manners = _first_manners(client, prefix)
    ids, logprobs = list(prefix.prompt), list[float]()
    if not prefix.tokens or not is_whole(prefix.tokens[0]):
        _ask(client, prefix, ids, **manners)
        manners = _manners(prefix)
    for are_whole, group in groupby(prefix.tokens, is_whole):
        piece = list(group)
        if are_whole:
            logprobs += _forced(client, prefix, ids, piece, manners)
        else:
            for number in range(len(piece)):
                _ask(client, prefix, [*ids, *(t.id for t in piece[: number + 1])], **manners)
            logprobs += [nan] * len(piece)
        manners = _manners(prefix)
        ids += [token.id for token in piece]
    return logprobs


def keep_warm(client: Client, prefix: Prefix) -> None:
    """See to it that the prefix's slot has it, written one by one."""
    # the last token is always evaluated: of a prompt, which is a batch, it must not be alone
    if not prefix.tokens or _ask(client, prefix, prefix.ids, **_manners(prefix)).n_evaluated != 1:
        decoded(client, prefix)


def next_row(client: Client, prefix: Prefix, *, forced: int, top: int) -> native.Written:
    """Have the token of this id written behind a prefix that is warm."""
    manners = _manners(prefix) if prefix.tokens else _first_manners(client, prefix)
    return native.step(client, prefix.ids, forced=forced, top=top, model=prefix.model, **manners)


def _manners(prefix: Prefix) -> dict[str, Any]:
    return {"id_slot": prefix.slot, "cache_prompt": True}


def _first_manners(client: Client, prefix: Prefix) -> dict[str, Any]:
    """Give how the prompt is evaluated anew, in the stretches in which it was."""
    fresh = _manners(prefix) | {"cache_prompt": False}
    if not prefix.n_first:
        return fresh
    _ask(client, prefix, prefix.prompt[: prefix.n_first], **fresh)
    return _manners(prefix)


def _ask(client: Client, prefix: Prefix, ids: Sequence[int], **manners: Any) -> native.Written:
    return native.written(client, ids, n_tokens=1, top=1, model=prefix.model, **manners)


def _forced(
    client: Client,
    prefix: Prefix,
    ids: Sequence[int],
    piece: Sequence[Token],
    manners: dict[str, Any],
) -> list[float]:
    table = native.written(
        client,
        ids,
        n_tokens=len(piece),
        top=1,
        model=prefix.model,
        grammar=grammar_of(piece),
        **manners,
    ).table
    if [VOCABULARY.ids[code] for code in table.codes] != [token.id for token in piece]:
        raise ApiError("The server did not hold to the grammar over token ids.")
    return table.logprobs.tolist()
