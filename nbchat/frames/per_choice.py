"""The choices frame: one row for each answer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nbchat.frames.assembly import assemble_rows
from nbchat.frames.decoded_text import texts_of
from nbchat.frames.merged import lacking_rows
from nbchat.frames.reply_end import end_of
from nbchat.frames.source import runs_of, warn_of_missing_logprobs
from nbchat.frames.token_arrays import positions_of
from nbchat.frames.token_texts import Words
from nbchat.measures import bits_per_byte, mean_nll
from nbchat.measures.rounding import ROUNDING_OF_ROWS

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from nbchat.api.response import Choice
    from nbchat.frames.decoded_text import Texts
    from nbchat.frames.merged import Lacking
    from nbchat.frames.source import RunLike, Source
    from nbchat.frames.token_arrays import Positions


def choices(source: Source) -> pd.DataFrame:
    """Give one row for each choice of each run.

    `source` is a run, an iterable of runs or anything with `.runs`. The key is run_id,
    choice; `nbchat.frames.columns` declares the columns. The numbers are over all tokens
    of the choice, content and refusal; NA where no logprobs came. Where they were asked
    for, a `MissingLogprobsWarning` says so. Raise TypeError where `source` has no runs.
    """
    runs = runs_of(source)
    warn_of_missing_logprobs(runs)
    positions = positions_of(runs)
    texts = texts_of(positions, Words(positions.codes))
    stretches = _stretches(positions)
    rows: list[dict[str, Any]] = []
    for number, run in enumerate(runs):
        completion = run.completion
        if completion is None:
            continue
        of_run = [at for key, at in stretches.items() if key[0] == number]
        n_merged = sum(int(positions.is_merged[stretch].sum()) for stretch in of_run)
        lacking = lacking_rows(run, positions, n_merged)
        n_missing = None if lacking is None else lacking.n
        lost = _Lost.of(lacking, n_merged, has_stop=bool(run.params.given().get("stop")))
        for choice in sorted(completion.choices, key=lambda c: c.index):
            stretch = stretches.get((number, choice.index))
            rows.append(
                {
                    "run_id": run.id,
                    **_facts(choice),
                    "n_missing": n_missing,
                    "is_aligned": None if n_missing is None else n_missing == 0,
                    **({} if stretch is None else _numbers(positions, texts, stretch, lost, run)),
                }
            )
    return assemble_rows("choices", rows)


def _stretches(positions: Positions) -> dict[tuple[int, int], slice]:
    """Give where the positions of each choice are: its tables follow one another."""
    stretches: dict[tuple[int, int], slice] = {}
    for i, owner in enumerate(positions.owners):
        start, stop = int(positions.borders[i]), int(positions.borders[i + 1])
        key = (owner.run, owner.choice.index)
        stretches[key] = slice(stretches[key].start if key in stretches else start, stop)
    return stretches


def _facts(choice: Choice) -> dict[str, Any]:
    return {
        "choice": choice.index,
        "finish_reason": choice.finish_reason,
        "text": choice.message.text,
        "refusal": choice.message.refusal,
    }


class _Lost(NamedTuple):
    """What the sums over a run's rows lack: tokens without a row, None where uncounted."""

    counted: int | None
    is_some: bool

    @classmethod
    def of(cls, lacking: Lacking | None, n_merged: int, *, has_stop: bool) -> _Lost:
        # with stop strings the tokens of one can be what is missing, and no part of the text
        counted = 0 if lacking is None else lacking.n
        is_some = n_merged > 0 or (counted > 0 and not has_stop)
        return cls(lacking.at_most if lacking and counted > 0 else None, is_some)

    def at_most(self, n_bytes: int) -> int:
        """Give how many tokens can be missing, of merged rows with so many bytes in all."""
        if not self.is_some:
            return 0
        return self.counted if self.counted is not None else n_bytes


def _numbers(
    positions: Positions, texts: Texts, stretch: slice, lost: _Lost, run: RunLike
) -> dict[str, Any]:
    logprobs, is_merged = positions.logprobs[stretch], positions.is_merged[stretch]
    is_end = texts.is_end[stretch]
    n_bytes = texts.n_bytes[stretch]
    is_known = ~np.isnan(logprobs)
    known = logprobs[is_known & ~is_end]
    # what has no log probability may have been certain: then it only adds to T
    n_without = int(is_merged.sum()) + lost.at_most(int((n_bytes - 1)[is_merged].sum()))
    mean = _mean_nll(known, n_without)
    ends, is_end_bound = _ends(positions, stretch, is_end & is_known, run)
    with_end = _mean_nll(np.concatenate([known, ends]), n_without)
    n_censored = int((~is_known & ~is_merged).sum())
    return {
        "n_tokens": len(logprobs),
        "sum_logprob": known.sum() if len(known) else np.nan,
        "mean_nll": mean,
        "perplexity": _exp(mean),
        "perplexity_with_eos": _exp(with_end) if len(ends) else np.nan,
        "is_eos_bound": is_end_bound if len(ends) else None,
        "bits_per_byte": bits_per_byte(known, int(n_bytes.sum())),
        "min_prob": np.exp(known.min()) if len(known) else np.nan,
        "n_censored": n_censored,
        "perplexity_is_bound": n_censored > 0 or n_without > 0,
    }


def _ends(
    positions: Positions, stretch: slice, is_end: NDArray[np.bool_], run: RunLike
) -> tuple[NDArray[np.float64], bool]:
    """Give the log probability of each end, and whether one lacks tokens that end a reply, too."""
    logprobs, is_bound = [], False
    for place in (stretch.start + np.flatnonzero(is_end)).tolist():
        whole = end_of(positions, place, run)
        logprobs.append(positions.logprobs[place] if whole is None else whole.lower)
        is_bound |= whole is not None and whole.upper - whole.lower > ROUNDING_OF_ROWS
    return np.array(logprobs, dtype=np.float64), is_bound


def _mean_nll(logprobs: NDArray[np.float64], n_certain: int) -> float:
    """Give the mean over these and so many more tokens, which are taken to have been certain.

    How many more there are is a server's word: no array is as long as that.
    """
    n = len(logprobs)
    return mean_nll(logprobs) * (n / (n + n_certain)) if n else np.nan


def _exp(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf
