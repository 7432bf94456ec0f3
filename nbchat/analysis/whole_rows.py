"""Whole rows of the model that wrote a reply, on llama.cpp's server: asked for one by one."""

from __future__ import annotations

from math import exp, isnan, log
from typing import TYPE_CHECKING

from nbchat.analysis.prompt_ids import prompt_ids
from nbchat.analysis.run_origin import origin_of
from nbchat.analysis.written_tokens import rows_of, written_tokens
from nbchat.api.logprobs import VOCABULARY
from nbchat.client import native
from nbchat.errors import NotAvailableError
from nbchat.frames.exact_share import ListedToken
from nbchat.measures.sentinels import is_known, without_sentinels
from nbchat.session.in_steps import client_in_steps
from nbchat.session.server_kind import end_tokens_of, kind_of, vocabulary_size_of
from nbchat.session.settings import resolved
from nbchat.session.watchers import PrintingWatcher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbchat.run import Run

#: total variation over the tokens that are compared, which one model stays below when it is
#: evaluated in another batch (80 replies of the embedded one did); nats, from which on it is told
_SAME_MODEL, _SAME = 0.25, 1e-3
#: probability: below it rounding alone is large beside it
_LEAST = 1e-3
#: of a row that is asked for again so many tokens are compared
_COMPARED = 5


class AskedRows:
    """The whole rows of a reply's positions, and of what could have been written from there on."""

    def __init__(self, run: Run, choice: int):
        self._profile = resolved(origin_of(run), PrintingWatcher().status)
        where = f"{self._profile.name} at {self._profile.base_url}"
        if kind_of(self._profile) != "llama.cpp":
            raise NotAvailableError(f"Whole rows can be asked of llama.cpp, and {where} is none.")
        self._client = client_in_steps(self._profile)
        self._run = run
        self._table = rows_of(run, choice)
        reply = next(c for c in run.completion.choices if c.index == choice)  # type: ignore[union-attr]
        each = written_tokens(self._client, reply)
        if each is None or self._table is None:
            raise NotAvailableError(
                "The tokens of this reply are not known by their ids: ask with logprobs=True."
            )
        self._ids = [[token.id for token in tokens] for tokens in each]
        fields = {**run.params.given(), **run.params.extra}
        self._model = fields.get("model") or self._profile.model
        usage = None if run.n_begun or run.completion is None else run.completion.usage
        n_prompt = usage.prompt_tokens if usage is not None else None
        self._prompt = prompt_ids(self._client, run.messages, fields, n_prompt)
        self._size = vocabulary_size_of(self._profile) or 1
        self._whole = native.tokenized(self._client, "a")[0].id
        self._rows: dict[tuple[int, ...], list[ListedToken]] = {}
        self._difference = 0.0

    @property
    def end_tokens(self) -> list[int]:
        """The ids of all tokens that end a generation."""
        return end_tokens_of(self._profile, self._model)

    @property
    def note(self) -> str | None:
        """What is to be said of the rows; None where they are those of the run."""
        if self._difference <= _SAME:
            return None
        return f"rows asked for now differ from the run's by up to {self._difference:.4f} nats"

    def row(self, position: int, path: tuple[int, ...]) -> Sequence[ListedToken]:
        """Give the row behind the reply's rows before a position, and then these ids.

        Raise NotAvailableError where it is not that of the run.
        """
        before = [number for ids in self._ids[:position] for number in ids]
        ids = (*self._prompt, *before, *path)
        if ids not in self._rows:
            self._rows[ids] = self._row_by_asking(ids)
            if not path:
                self._compare(position, self._rows[ids])
        return self._rows[ids]

    def _row_by_asking(self, ids: Sequence[int]) -> list[ListedToken]:
        table = native.step(
            self._client, ids, forced=self._whole, top=self._size, model=self._model
        ).table
        logprobs = without_sentinels(table.alternative_logprobs).tolist()
        numbers, tokens, sent = VOCABULARY.ids, VOCABULARY.tokens, VOCABULARY.bytes
        return [
            ListedToken(number, sent[code] or tokens[code].encode("utf-8", "replace"), exp(logprob))
            for code, logprob in zip(table.alternative_codes, logprobs, strict=True)
            if (number := numbers[code]) is not None and not isnan(logprob)
        ]

    def _compare(self, position: int, row: Sequence[ListedToken]) -> None:
        """Hold a row against that of the run: the tokens that both know, the likeliest of them."""
        table = self._table
        if table is None or position >= len(self._ids) or len(self._ids[position]) > 1:
            return
        now = {token.id: token.prob for token in row}
        first, last = table.offsets[position], table.offsets[position + 1]
        codes = [table.codes[position], *table.alternative_codes[first:last][:_COMPARED]]
        logprobs = [table.logprobs[position], *table.alternative_logprobs[first:last][:_COMPARED]]
        pairs = {
            code: (exp(logprob), now.get(VOCABULARY.ids[code], 0.0))  # type: ignore[arg-type]
            for code, logprob in zip(codes, logprobs, strict=True)
            if is_known(logprob)
        }
        for then, prob in pairs.values():
            if max(then, prob) >= _LEAST:
                self._difference = max(
                    self._difference, abs(log(max(then, 1e-12) / max(prob, 1e-12)))
                )
        variation = sum(abs(then - prob) for then, prob in pairs.values()) / 2
        if variation > _SAME_MODEL:
            raise NotAvailableError(
                "The server has other probabilities now than in the run: another model, template "
                "or option is in force."
            )
