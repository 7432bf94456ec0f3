"""How likely it is that a reply ends where it does, on llama.cpp's server.

A model can have several tokens that end a generation; that a reply ends is any of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import exp, log, nan
from typing import TYPE_CHECKING, Any

from nbchat.analysis.prompt_ids import prompt_ids
from nbchat.api.logprobs import VOCABULARY
from nbchat.client import native
from nbchat.measures.sentinels import is_known
from nbchat.session.in_steps import client_in_steps
from nbchat.session.sources import Rewritten

if TYPE_CHECKING:
    from nbchat.api.logprobs import TokenTable
    from nbchat.api.response import Completion
    from nbchat.client.native import Token
    from nbchat.session.sources import Answer, Order, Source


class WithEnds:
    """Answers with a given reply as `source` does, and asks how likely each end of it was.

    `ends` are the ids of all tokens that end a generation, `prompt` those before the reply, None
    for those of the chat. Once it has answered, `logprob` is
    that of the reply's end in nats, the sum over them; NaN where one is not known.
    """

    needs_server = True

    def __init__(
        self,
        source: Source,
        tokens: Sequence[Token],
        ends: Sequence[int],
        prompt: Sequence[int] | None = None,
    ):
        self.logprob = nan
        self._prompt = prompt
        self._source = source
        self._tokens = tokens
        self._ends = ends

    def open(self, order: Order) -> Answer:
        return _Ending(self, self._source.open(order), order)

    def ask(self, completion: Completion, order: Order) -> None:
        """Sum over what the end's row has of them, and over what has to be asked for."""
        choice = completion.choices[0] if completion.choices else None
        table = choice.logprobs.content if choice is not None and choice.logprobs else None
        place = len(self._tokens)
        if table is None or len(table) <= place:
            return
        known = _row(table, place)
        missing = [end for end in self._ends if end not in known]
        if missing:
            known |= self._unlisted(missing, completion, order)
        logprobs = [known.get(end, nan) for end in self._ends]
        if logprobs and all(map(is_known, logprobs)):
            most = max(logprobs)
            self.logprob = most + log(sum(exp(value - most) for value in logprobs))

    def _unlisted(
        self, ends: Sequence[int], completion: Completion, order: Order
    ) -> dict[int | None, float]:
        client, fields = client_in_steps(order.profile), order.fields
        model = fields.get("model") or order.profile.model
        n_prompt = completion.usage.prompt_tokens if completion.usage is not None else None
        before = (
            prompt_ids(client, order.messages, fields, n_prompt)
            if self._prompt is None
            else self._prompt
        )
        ids = [*before, *(token.id for token in self._tokens)]
        logprobs: dict[int | None, float] = {}
        for end in ends:
            table = native.step(client, ids, forced=end, top=1, model=model).table
            if len(table) and VOCABULARY.ids[table.codes[0]] == end:
                logprobs[end] = table.logprobs[0]
        return logprobs


class _Ending(Rewritten):
    def __init__(self, source: WithEnds, answer: Answer, order: Order):
        super().__init__(answer, lambda completion: completion)
        self._source = source
        self._order = order
        self._is_cancelled = False

    def __iter__(self) -> Iterator[Any]:
        yield from super().__iter__()
        if not self._is_cancelled:
            self._source.ask(self.completion, self._order)

    def cancel(self) -> None:
        self._is_cancelled = True
        super().cancel()


def _row(table: TokenTable, place: int) -> dict[int | None, float]:
    """Give the row of a place by token id."""
    first, last = table.offsets[place], table.offsets[place + 1]
    codes = [table.codes[place], *table.alternative_codes[first:last]]
    logprobs = [table.logprobs[place], *table.alternative_logprobs[first:last]]
    return {VOCABULARY.ids[code]: value for code, value in zip(codes, logprobs, strict=True)}
