"""Intervals of means and shares, over items: repeats of an item are no items of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from nbchat.measures import wilson
from nbchat.statistics.student_t import beta_quantile, t_half_width

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

LEVEL = 0.95
Method = Literal["t", "wilson", "exact", "bootstrap", "none"]


class Interval(NamedTuple):
    """An estimate and the interval in which it lies, `method` says how that was made.

    `n` is how many independent cases it is of: items, or groups of them. Without an interval
    `lo` and `hi` are NaN.
    """

    estimate: float
    lo: float
    hi: float
    n: int
    method: Method


def item_means(scores: ArrayLike) -> Floats:
    """Give the mean of each item (I,) of scores (I, R), NaN where none of its repeats has one."""
    table = as_table(scores)
    counts = np.sum(~np.isnan(table), axis=1)
    sums = np.nansum(table, axis=1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def mean_interval(scores: ArrayLike, level: float = LEVEL, *, of_shares: bool = False) -> Interval:
    """Give the mean of scores (I, R) or (I,), and its interval over items.

    The mean of each item's repeats comes first, then Student's t over items. Where answers are
    right or wrong (0 or 1) and each item's agree, or all items have the same mean, it is Wilson's
    interval over items: t would be no better than for single answers, or have no width. With
    `of_shares` scores from 0 to 1 are taken for shares of such answers. NaN is a missing score.
    Raise ValueError for a level outside (0, 1). Source: Miller, Adding Error Bars to Evals,
    arXiv 2411.00640 (2024), for the clustering of repeats.
    """
    _check_level(level)
    known = scores_known(scores)
    means = item_means(scores)
    means = means[~np.isnan(means)]
    n = len(means)
    if not n:
        return Interval(np.nan, np.nan, np.nan, 0, "none")
    estimate = float(means.mean())
    is_share = of_shares or is_right_or_wrong(known)
    if is_share and (is_right_or_wrong(means) or np.ptp(means) == 0):
        lo, hi = wilson(min(float(means.sum()), n), n, level)
        return Interval(estimate, lo, hi, n, "wilson")
    if n < 2:
        return _none(estimate, n)
    half = t_half_width(float(means.std(ddof=1)), n, level)
    lo, hi = estimate - half, estimate + half
    return Interval(estimate, *((max(0.0, lo), min(1.0, hi)) if is_share else (lo, hi)), n, "t")


def proportion_interval(
    successes: int, n: int, level: float = LEVEL, method: Literal["wilson", "exact"] = "wilson"
) -> Interval:
    """Give the share of `successes` among `n` independent cases, and its interval.

    "wilson" is the score interval, "exact" that of Clopper and Pearson, which covers at least
    `level` and is wider. (0, 1) of no case. Raise ValueError for more successes than cases.
    Source: Clopper and Pearson, Biometrika 26 (1934), 404-413.
    """
    _check_level(level)
    if not 0 <= successes <= n:
        raise ValueError(f"successes must be from 0 to the {n} cases, got {successes}")
    estimate = successes / n if n else float("nan")
    if method == "wilson" or not n:
        return Interval(estimate, *wilson(successes, n, level), n, "wilson")
    tail = (1 - level) / 2
    lo = 0.0 if successes == 0 else beta_quantile(tail, successes, n - successes + 1)
    hi = 1.0 if successes == n else beta_quantile(1 - tail, successes + 1, n - successes)
    return Interval(estimate, lo, hi, n, "exact")


def missing_bounds(
    scores: ArrayLike, lowest: float = 0.0, highest: float = 1.0
) -> tuple[float, float]:
    """Give the mean over items if all missing scores were the lowest, and if all the highest."""
    table = as_table(scores)
    means = [
        float(np.where(np.isnan(table), value, table).mean(axis=1).mean()) if table.size else np.nan
        for value in (lowest, highest)
    ]
    return means[0], means[1]


def as_table(scores: ArrayLike) -> Floats:
    """Give scores as an array of items by repeats. Raise ValueError for another shape."""
    table: Any = np.asarray(scores, dtype=np.float64)
    if table.ndim == 1:
        table = table[:, None]
    if table.ndim != 2:
        raise ValueError(f"scores are items by repeats, and these have {table.ndim} dimensions")
    floats: Floats = table
    return floats


def scores_known(scores: ArrayLike) -> Floats:
    """Give all scores that are not missing, (N,)."""
    table = as_table(scores)
    return table[~np.isnan(table)]


def is_right_or_wrong(values: Floats) -> bool:
    """Tell whether all values are 0 or 1."""
    return bool(len(values)) and bool(np.all((values == 0) | (values == 1)))


def _none(estimate: float, n: int) -> Interval:
    return Interval(estimate, float("nan"), float("nan"), n, "none")


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, got {level}")
