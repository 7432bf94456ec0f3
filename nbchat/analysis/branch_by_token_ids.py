"""Branching by token ids, on llama.cpp's server.

The prompt is sent as ids: the template's, those that were generated before the position, and
the alternative's. Those that were generated are written again one by one before
(`nbchat.analysis.decoded_prefix`), or all is evaluated in one batch, which is quicker and other.
One token is asked for at the position, which gives the alternative's log probability. All log
probabilities on the way are compared with the run's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, isnan, nan
from typing import TYPE_CHECKING, Any

import msgspec

from nbchat.analysis.decoded_prefix import Prefix, decoded, next_row
from nbchat.analysis.position import Option, Position, data_of
from nbchat.analysis.position_tokens import NotExact, tokens_at, with_id
from nbchat.analysis.prefix import Beginning, beginning_of
from nbchat.analysis.prompt_ids import prompt_ids
from nbchat.api.logprobs import VOCABULARY, TokenTable
from nbchat.client import native
from nbchat.client.native import Token
from nbchat.errors import ApiError
from nbchat.measures.sentinels import is_known

if TYPE_CHECKING:
    from nbchat.client.client import Client
    from nbchat.run import Run

#: how many of a row's most likely tokens are compared at the position
_COMPARED = 5
#: nats: what is decoded again differs by less, what is evaluated in a batch by less than the other
EXACT, _SAME_TEXT = 1e-4, 0.5
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


class Exact(msgspec.Struct):
    """A branch by token ids, ready to be sent.

    - `number`: the id of the alternative; `ends`: it is an end token
    - `prefix`: what stands before it; `is_decoded`: it was written one by one
    - `difference`: nats, the largest to the run's log probabilities; `is_exact` says whether it
      is none
    """

    prefix: Prefix
    number: int
    beginning: Beginning
    option: Option
    ends: bool
    is_decoded: bool
    difference: float

    @property
    def ids(self) -> list[int]:
        return [*self.prefix.ids, self.number]

    @property
    def n_begun(self) -> int:
        return len(self.prefix.tokens) + 1

    @property
    def is_exact(self) -> bool:
        return self.is_decoded and self.difference <= EXACT


def exact(
    client: Client, run: Run, place: Position, option: Option, *, decodes: bool = True
) -> Exact:
    """Find the token ids of a branch, and compare what they lead to with the run.

    `decodes`: the tokens before it are written one by one. Raise `NotExact` where the ids cannot
    be known, or lead to other probabilities than the run's; CheckError where the alternative is
    no single token.
    """
    each = [tokens_at(client, place.table, position) for position in range(place.position)]
    *lead, sampled = tokens_at(client, place.table, place.position)
    option, number = with_id(client, place, option, sampled)
    fields = {**run.params.given(), **run.params.extra}
    prefix = Prefix(
        prompt=prompt_ids(client, run.messages, fields, _prompt_tokens(run)),
        tokens=[token for tokens in [*each, lead] for token in tokens],
        model=fields.get("model"),
    )
    seen = _Seen(option, ends=False, difference=nan)
    for n_first in sorted({0, _cached_tokens(run) if decodes else 0}):
        prefix = msgspec.structs.replace(prefix, n_first=n_first)
        before = _difference(place, each, decoded(client, prefix)) if decodes else 0.0
        seen = _looked_up(client, place, option, number, prefix, fields, decodes=decodes)
        seen.difference = max(seen.difference, before)
        if seen.difference <= EXACT:
            break
    if seen.difference > _SAME_TEXT:
        raise NotExact(
            f"these tokens have other log probabilities now than in the run, by {_nats(seen)}: "
            "another model, template or option of the server"
        )
    return Exact(
        prefix=prefix,
        number=number,
        beginning=beginning_of(place, seen.option, b"".join(token.data for token in lead)),
        option=seen.option,
        ends=seen.ends,
        is_decoded=decodes,
        difference=seen.difference,
    )


def _nats(seen: _Seen) -> str:
    return "more than can be told" if seen.difference == inf else f"{seen.difference:.3f} nats"


def _cached_tokens(run: Run) -> int:
    """Tell how many tokens of the prompt the server had when the run was asked, as it says."""
    usage = run.completion.usage if run.completion is not None else None
    return 0 if usage is None or run.n_begun else usage.cached_tokens or 0


def _difference(
    place: Position, each: Sequence[Sequence[Token]], logprobs: Sequence[float]
) -> float:
    """Give the largest difference between the tokens' log probabilities and the run's."""
    largest, at = 0.0, 0
    for position, tokens in enumerate(each):
        known = place.table.logprobs[position]
        # of several tokens the run has the last one's, as a part of a character
        if len(tokens) == 1 and not isnan(logprobs[at]) and is_known(known):
            largest = max(largest, abs(logprobs[at] - known))
        at += len(tokens)
    return largest


def body_of(ids: Sequence[int], fields: Mapping[str, Any], model: str | None) -> dict[str, Any]:
    """Give the request that goes on from token ids, with the sampling of a chat request."""
    sampling = {n: v for n, v in fields.items() if n in _SAMPLING and v is not None}
    limit = fields.get("max_completion_tokens") or fields.get("max_tokens")
    return {
        **({"model": model} if model else {}),
        **sampling,
        **({"max_tokens": limit} if limit else {}),
        "logprobs": _top(fields),
        "prompt": list(ids),
    }


def own_fields(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Give the server's own fields that a completion by token ids takes too."""
    return {name: value for name, value in extra.items() if name not in _NOT_SAMPLING}


def _prompt_tokens(run: Run) -> int | None:
    usage = run.completion.usage if run.completion is not None else None
    # a branch of a branch: its request had the beginning in the prompt
    is_whole = usage is not None and not run.n_begun
    return usage.prompt_tokens if usage is not None and is_whole else None


def _top(fields: Mapping[str, Any]) -> int:
    return int(fields.get("top_logprobs") or _DEFAULT_TOP)


class _Seen(msgspec.Struct):
    """An option as it is at its place, whether the reply ends there, and `difference` there."""

    option: Option
    ends: bool
    difference: float


def _looked_up(
    client: Client,
    place: Position,
    option: Option,
    number: int,
    prefix: Prefix,
    fields: Mapping[str, Any],
    *,
    decodes: bool,
) -> _Seen:
    """Ask for the option behind a prefix: its log probability, and whether the reply ends there."""

    def row(forced: int, top: int) -> native.Written:
        if decodes:
            return next_row(client, prefix, forced=forced, top=top)
        return native.step(client, prefix.ids, forced=forced, top=top, model=prefix.model)

    top = max(_top(fields), _COMPARED)
    try:
        at_option = row(number, top)
        seen = at_option
        if not len(at_option.table):
            # it begins a character and is held back: the most likely whole token shows the row
            whole = next((o.id for o in place.options if o.id is not None and _is_whole(o)), None)
            other = whole if whole is not None else native.tokenized(client, "a")[0].id
            seen = row(other, top if option.is_listed else native.vocabulary_size(client) or top)
    except ApiError as error:
        if error.status is None or error.status >= 500:
            raise
        raise NotExact(f"the server does not take token ids ({error.message})") from None
    if not option.is_listed or isnan(option.logprob):
        option = _described(option, at_option.table if len(at_option.table) else seen.table)
    return _Seen(option, at_option.ends, _row_difference(place, seen.table))


def _is_whole(option: Option) -> bool:
    try:
        return bool(option.data.decode())
    except UnicodeDecodeError:
        return False


def _row_difference(place: Position, seen: TokenTable) -> float:
    """Compare the most likely tokens of the run's row with their values now; inf: one is gone."""
    now = _row(seen)
    known = [o for o in place.options if o.is_listed and bool(is_known(o.logprob))]
    compared = [option for option in known if option.id is not None][:_COMPARED]
    return max((abs(now.get(o.id, inf) - o.logprob) for o in compared), default=0.0)


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
