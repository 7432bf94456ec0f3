"""The token ids of positions and options, on llama.cpp's server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from nbchat.analysis.position import Option, Position, data_of
from nbchat.api.json_values import shown
from nbchat.api.logprobs import VOCABULARY, TokenTable
from nbchat.client import native
from nbchat.client.native import Token
from nbchat.errors import CheckError
from nbchat.frames.token_texts import is_control

if TYPE_CHECKING:
    from nbchat.client.client import Client


class NotExact(Exception):
    """Why a branch cannot be by token ids: one clause, to be shown."""


def tokens_at(client: Client, table: TokenTable, position: int) -> list[Token]:
    """Give the tokens that one position stands for: several where a character is split."""
    code = table.codes[position]
    number, data = VOCABULARY.ids[code], data_of(code)
    if number is None:
        raise NotExact("the server sent no token ids")
    if data.isascii():
        return [Token(number, data)]
    first, last = table.offsets[position], table.offsets[position + 1]
    listed = (c for c in table.alternative_codes[first:last] if VOCABULARY.ids[c] == number)
    listed_token = next((data_of(c) for c in listed), None)
    if listed_token == data:
        return [Token(number, data)]
    pieces = native.tokenized(client, data.decode("utf-8", "replace"))
    if pieces and pieces[-1].id == number and b"".join(token.data for token in pieces) == data:
        return pieces
    if listed_token is None:
        return [Token(number, data)]
    raise NotExact(
        f"the tokens of {shown(data.decode('utf-8', 'replace'))} at position {position} are not "
        "known: the server sent the id of the last one only"
    )


def with_id(client: Client, place: Position, option: Option, sampled: Token) -> tuple[Option, int]:
    """Give an option with its bytes, and its id; `sampled` is the token that was sampled there.

    Raise CheckError where its text is no single token.
    """
    if option.is_sampled:
        return msgspec.structs.replace(option, data=sampled.data), sampled.id
    if option.id is not None:
        return option, option.id
    tokens = native.tokenized(client, option.token, parses_special=is_control(option.token))
    if len(tokens) != 1:
        pieces = ", ".join(
            f"{shown(t.data.decode('utf-8', 'backslashreplace'))} ({t.id})" for t in tokens
        )
        rule = f"one token, and here it is {len(tokens)}: {pieces}"
        raise CheckError(
            f"alternative is {shown(option.token)}, but must be {rule}.",
            field="alternative",
            value=option.token,
            rule=rule,
        )
    number, data = tokens[0]
    listed = next((known for known in place.options if known.id == number), None)
    return listed or msgspec.structs.replace(option, id=number, data=data), number
