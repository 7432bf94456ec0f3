"""`uncertainty`: the same question asked several times, and how far the answers agree."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from math import isnan
from typing import TYPE_CHECKING, Any

import msgspec

from nbchat.analysis.batch import answered, executions_of, sorted_out, with_defaults
from nbchat.analysis.equivalence import Same, clusters
from nbchat.api.json_values import is_whole_number
from nbchat.display.characters import visible
from nbchat.errors import CheckError
from nbchat.measures import predictive_entropy, semantic_entropy
from nbchat.request.arguments import draft_of_arguments
from nbchat.session.pool import AT_ONCE

if TYPE_CHECKING:
    import pandas as pd

    from nbchat.run import Run

_MEANINGS: Mapping[str, str] = {
    "self_consistency": "share of the most frequent answer",
    "semantic_entropy": "nats, over meanings, weighted by L / T",
    "semantic_entropy_discrete": "nats, over meanings, by counts",
    "predictive_entropy": "nats, mean of −L",
    "predictive_entropy_normalised": "nats a token, mean of −L / T",
}
_MOST_SHOWN = 5
_LONGEST = 80


class UncertaintyWarning(UserWarning):
    """Some of the requests of `nbchat.uncertainty` failed, and their answers do not count."""


class Uncertainty(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """How far several answers to one question agree.

    With M samples, L_i the log probability of answer i (nats, without the end token) and T_i
    its tokens; answers that mean the same are a cluster C:

    - `self_consistency`: the share of the largest cluster (Wang et al., arXiv 2203.11171)
    - `predictive_entropy`: -(1/M) · sum of L_i, in nats; `predictive_entropy_normalised`: with
      L_i / T_i (Malinin and Gales, arXiv 2002.07650)
    - `semantic_entropy`: -sum of P(C) ln P(C), in nats, P(C) the share of exp(L_i / T_i) of
      its answers; `semantic_entropy_discrete`: P(C) the share of the answers (Kuhn et al.,
      arXiv 2302.09664)
    - `answers`: DataFrame, one row for each cluster, the most frequent first: `cluster`,
      `answer`, `count`, `share`, `weight` (P(C) by L_i / T_i), `run_ids`
    - `runs`: list of `nbchat.Run`, those that count; `notes`: list of str

    NaN is a figure that is not known; then a note says why.
    """

    runs: list[Run]
    answers: pd.DataFrame
    self_consistency: float
    predictive_entropy: float
    predictive_entropy_normalised: float
    semantic_entropy: float
    semantic_entropy_discrete: float
    notes: list[str]

    def _figures(self) -> list[tuple[str, ...]]:
        return [(name, _shown(getattr(self, name)), words) for name, words in _MEANINGS.items()]

    def _answers(self) -> list[tuple[str, ...]]:
        rows = self.answers.head(_MOST_SHOWN).to_dict("records")
        return [
            (
                _shortened(row["answer"]),
                str(row["count"]),
                _shown(row["share"]),
                _shown(row["weight"]),
            )
            for row in rows
        ]

    def _title(self) -> str:
        n_answers = len(self.answers)
        more = f", the {_MOST_SHOWN} most frequent" if n_answers > _MOST_SHOWN else ""
        return f"{_count(len(self.runs), 'sample')}, {_count(n_answers, 'meaning')}{more}"

    def __repr__(self) -> str:
        tables = (self._figures(), [("answer", "count", "share", "weight"), *self._answers()])
        return "\n".join([self._title(), *(_aligned(table) for table in tables), *self.notes])

    def _repr_html_(self) -> str:
        notes = "".join(f"<div>{html.escape(note)}</div>" for note in self.notes)
        return (
            f"<div><div>{html.escape(self._title())}</div>"
            f"{_table(('measure', 'value', 'meaning'), self._figures())}"
            f"{_table(('answer', 'count', 'share', 'weight'), self._answers())}{notes}</div>"
        )


def uncertainty(
    prompt: Any = None,
    samples: int = 20,
    *,
    messages: Any = None,
    runs: Iterable[Run] | None = None,
    same: Same | None = None,
    seed: int | None = 1,
    at_once: int = AT_ONCE,
    **params: Any,
) -> Uncertainty:
    """Ask the same several times, and tell how far the answers agree.

    - `samples`: int, how many requests; `at_once`: how many of them go on together
    - `same`: a function of two answers, each a str, that gives True where they mean the same
      (it may ask a model); without it they do where `nbchat.analysis.equivalence.meaning_key`
      is equal: case, punctuation, blanks and articles aside, numbers by value
    - `seed`: goes into the first request, and the numbers after it into the next ones, so that
      the draws differ and can be had again; None: no seed
    - `runs`: runs that came before, in the place of a question; nothing is asked
    - `params`: what `nbchat.chat` takes, but for `thread` and `n`; the temperature is 1 and
      log probabilities are asked for, unless they say otherwise

    An interrupt stops all requests; what has come is in `nbchat.runs()`. Raise `CheckError`
    before anything is sent, the first error where no request was answered; warn where only
    some were not, and let through what `same` raises.
    """
    if runs is not None:
        if prompt is not None or messages is not None or params:
            raise CheckError(
                "uncertainty() of runs asks nothing: give it runs alone.", field="runs"
            )
        usable = sorted_out(list(runs), needs="some", warning=UncertaintyWarning)
        return _of(usable, same)
    if not is_whole_number(samples) or samples < 1:
        rule = "a whole number, 1 or more"
        raise CheckError(
            f"samples is {samples!r}, but must be {rule}.", field="samples", value=samples
        )
    fields = with_defaults(params, temperature=1.0, logprobs=True)
    seeds = [{} if seed is None else {"seed": seed + number} for number in range(samples)]
    drafts = [
        draft_of_arguments(prompt, messages, fields | seeded, by="uncertainty") for seeded in seeds
    ]
    executions = executions_of(drafts, by="uncertainty")
    return _of(
        answered(executions, needs="some", at_once=at_once, warning=UncertaintyWarning), same
    )


def _of(runs: list[Run], same: Same | None) -> Uncertainty:
    from nbchat.frames.sampled_answers import answers, samples

    if not runs:
        raise CheckError("uncertainty() needs at least one answer.", field="runs")
    sampled = samples(runs)
    groups = clusters(sampled.texts, same)
    frame = answers(sampled.texts, groups, sampled.normalised, [run.id for run in runs])
    return Uncertainty(
        runs=runs,
        answers=frame,
        self_consistency=float(frame["share"].max()),
        predictive_entropy=predictive_entropy(sampled.logprobs),
        predictive_entropy_normalised=predictive_entropy(sampled.normalised),
        semantic_entropy=semantic_entropy(sampled.normalised, groups),
        semantic_entropy_discrete=semantic_entropy(None, groups),
        notes=_notes(len(runs), sampled.logprobs.tolist(), sampled.n_cut),
    )


def _notes(count: int, logprobs: Sequence[float], n_cut: int) -> list[str]:
    notes = []
    n_unknown = sum(map(isnan, logprobs))
    if n_unknown == count:
        notes.append(
            "No usable log probabilities came, so that what is weighted by them is not known."
        )
    elif n_unknown:
        notes.append(
            f"Of {n_unknown} of {count} answers the log probability is not known (a token is "
            "censored, or none came): what is weighted leaves them out."
        )
    if n_cut:
        notes.append(f"{_count(n_cut, 'answer')} of {count} ended at the token limit.")
    return notes


def _shown(value: float) -> str:
    return "not known" if isnan(value) else f"{value:.3f}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _shortened(text: str) -> str:
    line = visible(" ".join(text.split()))
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def _aligned(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    def row(tag: str, cells: tuple[str, ...]) -> str:
        style = 'style="text-align: left"'
        shown = "".join(f"<{tag} {style}>{html.escape(cell)}</{tag}>" for cell in cells)
        return f"<tr>{shown}</tr>"

    body = "".join(row("td", cells) for cells in rows)
    return f"<table><thead>{row('th', head)}</thead><tbody>{body}</tbody></table>"
