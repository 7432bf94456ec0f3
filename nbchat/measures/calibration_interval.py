"""How much of a calibration, an accuracy or an AUROC is chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nbchat.measures.calibration import calibration
from nbchat.measures.discrimination import auroc

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_Interval = tuple[float, float]


class CalibrationInterval(NamedTuple):
    """The interval of each figure, (low, high); NaN where no resample has the figure."""

    ece: _Interval
    brier: _Interval
    accuracy: _Interval
    auroc: _Interval


def calibration_interval(
    confidence: ArrayLike,
    correct: ArrayLike,
    bins: int = 10,
    *,
    items: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> CalibrationInterval:
    """Give the intervals of ECE, Brier score, accuracy and AUROC by bootstrap over items.

    `confidence` (N,) and `correct` (N,) as `calibration` takes them. Each resample draws as many
    items as there are, with replacement, and takes all cases of each: `items` (N,) names what
    a case belongs to, where a question was asked several times; without it each case is an item.
    The interval goes from the (1 - level) / 2 quantile of the resamples to the other one. The ECE
    of few cases is too large, in the resamples even more: its interval can lie above the figure.
    The same seed gives the same intervals. Cases with a NaN are left out. Raise ValueError for a
    `level` outside (0, 1), fewer than one resample, and as `calibration` does. Source: Efron and
    Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, got {level}")
    if resamples < 1:
        raise ValueError(f"resamples must be at least 1, got {resamples}")
    stated = np.asarray(confidence, dtype=np.float64)
    outcome = np.asarray(correct, dtype=np.float64)
    if stated.ndim != 1 or outcome.shape != stated.shape:
        raise ValueError(f"confidence {stated.shape} and correct {outcome.shape} do not fit")
    names = np.arange(len(stated)) if items is None else np.asarray(items)
    if names.shape != stated.shape:
        raise ValueError(f"items {names.shape} and confidence {stated.shape} do not fit")
    complete = ~np.isnan(stated) & ~np.isnan(outcome)
    stated, outcome = stated[complete], outcome[complete]
    _, item = np.unique(names[complete], return_inverse=True)
    calibration(stated, outcome, bins)  # what it refuses is refused once, and here
    order = np.argsort(item, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(item))[:-1]) if len(item) else []
    rng = np.random.default_rng(seed)
    estimates = np.full((resamples, len(CalibrationInterval._fields)), np.nan)
    for i in range(resamples if members else 0):
        drawn = rng.integers(len(members), size=len(members))
        cases = np.concatenate([members[n] for n in drawn])
        resampled = calibration(stated[cases], outcome[cases], bins)
        right = outcome[cases] != 0
        estimates[i] = resampled.ece, resampled.brier, right.mean(), auroc(stated[cases], right)
    return CalibrationInterval(*(_interval(figures, level) for figures in estimates.T))


def _interval(figures: np.ndarray[tuple[int], np.dtype[np.float64]], level: float) -> _Interval:
    known = figures[~np.isnan(figures)]  # a resample of right answers alone has no AUROC
    if not len(known):
        return np.nan, np.nan
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
