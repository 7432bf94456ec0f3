"""Branching by token ids, on llama.cpp's server.

The prompt is sent as ids: the template's, those that were generated before the position, and
the alternative's. Before that one token is asked for at the position, which gives the
alternative's log probability and shows that the server still gives the same probabilities.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan
from typing import TYPE_CHECKING, Any

import msgspec

from nbchat.analysis.position import Option, Position, data_of
from nbchat.analysis.prefix import Beginning, beginning_of
from nbchat.api.json_values import shown
from nbchat.api.logprobs import VOCABULARY, TokenTable
from nbchat.client import native
from nbchat.client.native import Token
from nbchat.errors import ApiError, CheckError
from nbchat.frames.token_texts import is_control
from nbchat.measures.sentinels import is_known

if TYPE_CHECKING:
    from nbchat.client.client import Client
    from nbchat.run import Run

#: how many of a row's most likely tokens are compared, and by how many nats they may differ:
#: more than the rounding of another batch size, far less than another prompt
_COMPARED, _TOLERANCE = 5, 0.05
_DEFAULT_TOP = 20  # llama.cpp's own, where top_logprobs is not given
#: declared fields that a completion by token ids takes under the same name
_SAMPLING = (
    "model", "temperature", "top_p", "seed", "stop", "presence_penalty", "frequency_penalty",
    "logit_bias",
)  # fmt: skip
#: fields of a server's own that belong to the template or to a grammar, which begins anew
_NOT_SAMPLING = {
    "grammar", "json_schema", "top_logprobs", "chat_template_kwargs", "chat_template",
    "add_generation_prompt", "continue_final_message", "reasoning_format", "parse_tool_calls",
}  # fmt: skip


class NotExact(Exception):
    """Why a branch cannot be by token ids: one clause, to be shown."""


class Exact(msgspec.Struct):
    """A branch by token ids, ready to be sent. `ends`: the alternative is an end token."""

    ids: list[int]
    n_begun: int
    beginning: Beginning
    option: Option
    ends: bool


def exact(client: Client, run: Run, place: Position, option: Option) -> Exact:
    """Find the token ids of a branch, and check them.

    Raise `NotExact` where they cannot be known, or lead to other probabilities than the
    parent's; CheckError where the alternative is no single token.
    """
    before = [
        token
        for position in range(place.position)
        for token in _tokens_at(client, place.table, position)
    ]
    *lead, own = _tokens_at(client, place.table, place.position)
    option, number = _with_id(client, place, option, own)
    fields = {**run.params.given(), **run.params.extra}
    prompt = prompt_ids(client, run.messages, fields, _prompt_tokens(run))
    begun = [token.id for token in (*before, *lead)]
    option, ends = _looked_up(client, place, option, number, prompt + begun, fields)
    return Exact(
        ids=[*prompt, *begun, number],
        n_begun=len(begun) + 1,
        beginning=beginning_of(place, option, b"".join(token.data for token in lead)),
        option=option,
        ends=ends,
    )


def body_of(ids: Sequence[int], fields: Mapping[str, Any], model: str | None) -> dict[str, Any]:
    """Give the request that goes on from token ids, with the sampling of a chat request."""
    own = {n: v for n, v in fields.items() if n in _SAMPLING and v is not None}
    limit = fields.get("max_completion_tokens") or fields.get("max_tokens")
    return {
        **({"model": model} if model else {}),
        **own,
        **({"max_tokens": limit} if limit else {}),
        "logprobs": _top(fields),
        "prompt": list(ids),
    }


def own_fields(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Give the server's own fields that a completion by token ids takes too."""
    return {name: value for name, value in extra.items() if name not in _NOT_SAMPLING}


def prompt_ids(
    client: Client, messages: Sequence[Any], fields: Mapping[str, Any], n_tokens: int | None
) -> list[int]:
    """Give the ids of a chat prompt; `n_tokens` is how many the server counted, if it is known.

    Templates differ in whether they write the token that begins a text themselves.
    """
    text = native.templated(client, messages, fields)
    plain = [token.id for token in native.tokenized(client, text, parses_special=True)]
    if len(plain) == n_tokens:
        return plain
    found = native.tokenized(client, text, parses_special=True, adds_special=True)
    special = [token.id for token in found]
    return plain if n_tokens is not None and len(special) != n_tokens else special


def _prompt_tokens(run: Run) -> int | None:
    usage = run.completion.usage if run.completion is not None else None
    # a branch of a branch: its request had the beginning in the prompt
    is_whole = usage is not None and not run.n_begun
    return usage.prompt_tokens if usage is not None and is_whole else None


def _top(fields: Mapping[str, Any]) -> int:
    return int(fields.get("top_logprobs") or _DEFAULT_TOP)


def _tokens_at(client: Client, table: TokenTable, position: int) -> list[Token]:
    """Give the tokens that one position stands for: several where a character is split."""
    code = table.codes[position]
    number, data = VOCABULARY.ids[code], data_of(code)
    if number is None:
        raise NotExact("the server sent no token ids")
    if data.isascii():
        return [Token(number, data)]
    first, last = table.offsets[position], table.offsets[position + 1]
    listed = (c for c in table.alternative_codes[first:last] if VOCABULARY.ids[c] == number)
    own = next((data_of(c) for c in listed), None)
    if own == data:
        return [Token(number, data)]
    found = native.tokenized(client, data.decode("utf-8", "replace"))
    if found and found[-1].id == number and b"".join(token.data for token in found) == data:
        return found
    if own is None:
        return [Token(number, data)]
    raise NotExact(
        f"the tokens of {shown(data.decode('utf-8', 'replace'))} at position {position} are not "
        "known: the server sent the id of the last one only"
    )


def _with_id(client: Client, place: Position, option: Option, own: Token) -> tuple[Option, int]:
    if option.is_sampled:
        return msgspec.structs.replace(option, data=own.data), own.id
    if option.id is not None:
        return option, option.id
    found = native.tokenized(client, option.token, parses_special=is_control(option.token))
    if len(found) != 1:
        pieces = ", ".join(
            f"{shown(t.data.decode('utf-8', 'backslashreplace'))} ({t.id})" for t in found
        )
        rule = f"one token, and here it is {len(found)}: {pieces}"
        raise CheckError(
            f"alternative is {shown(option.token)}, but must be {rule}.",
            field="alternative",
            value=option.token,
            rule=rule,
        )
    number, data = found[0]
    listed = next((known for known in place.options if known.id == number), None)
    return listed or msgspec.structs.replace(option, id=number, data=data), number


def _looked_up(
    client: Client,
    place: Position,
    option: Option,
    number: int,
    ids: list[int],
    fields: Mapping[str, Any],
) -> tuple[Option, bool]:
    """Ask for the option after these ids: its log probability, and whether the reply ends there."""
    model = fields.get("model")
    top = max(_top(fields), _COMPARED)
    try:
        found = native.step(client, ids, forced=number, top=top, model=model)
        seen = found
        if not len(found.table):
            # it begins a character and is held back: the most likely whole token shows the row
            whole = next((o.id for o in place.options if o.id is not None and _is_whole(o)), None)
            other = whole if whole is not None else native.tokenized(client, "a")[0].id
            wide = top if option.is_listed else native.vocabulary_size(client) or top
            seen = native.step(client, ids, forced=other, top=wide, model=model)
    except ApiError as error:
        if error.status is None or error.status >= 500:
            raise
        raise NotExact(f"the server does not take token ids ({error.message})") from None
    _compare(place, seen.table)
    if not option.is_listed or isnan(option.logprob):
        option = _described(option, found.table if len(found.table) else seen.table)
    return option, found.ends


def _is_whole(option: Option) -> bool:
    try:
        return bool(option.data.decode())
    except UnicodeDecodeError:
        return False


def _compare(place: Position, seen: TokenTable) -> None:
    """Raise `NotExact` where the most likely tokens of the parent's row have other values now."""
    now = _row(seen)
    known = [o for o in place.options if o.is_listed and bool(is_known(o.logprob))]
    for option in [o for o in known if o.id is not None][:_COMPARED]:
        value = now.get(option.id)
        if value is None or abs(value - option.logprob) > _TOLERANCE:
            now_text = "is not among the first" if value is None else f"has {value:.3f}"
            raise NotExact(
                f"after these tokens {shown(option.token)} {now_text} now and had "
                f"{option.logprob:.3f} in the run: another model, template or option of the server"
            )


def _row(table: TokenTable) -> dict[int | None, float]:
    if not len(table):
        return {}
    codes = [*table.alternative_codes, table.codes[0]]
    logprobs = [*table.alternative_logprobs, table.logprobs[0]]
    return {VOCABULARY.ids[c]: value for c, value in zip(codes, logprobs, strict=True)}


def _described(option: Option, table: TokenTable) -> Option:
    """Give an option that the parent did not list with its token and log probability."""
    codes = [table.codes[0], *table.alternative_codes]
    logprobs = [table.logprobs[0], *table.alternative_logprobs]
    for code, logprob in zip(codes, logprobs, strict=True):
        if VOCABULARY.ids[code] == option.id:
            return msgspec.structs.replace(
                option, token=VOCABULARY.tokens[code], data=data_of(code), logprob=logprob
            )
    return option
