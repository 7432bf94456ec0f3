"""Intervals by drawing groups of items again: what belongs together is drawn together."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from nbchat.measures import wilson
from nbchat.statistics.intervals import (
    LEVEL,
    Interval,
    is_right_or_wrong,
    item_means,
    scores_known,
)
from nbchat.statistics.student_t import t_quantile

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

#: draws that are held in memory at once
_AT_ONCE = 4_000_000


def cluster_bootstrap(
    scores: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    level: float = LEVEL,
    n_draws: int = 5_000,
    seed: int = 0,
) -> Interval:
    """Give the mean over items of scores (I, R) or (I,), and its interval by a bootstrap.

    Whole `groups` (I,) are drawn with replacement, items where there are none, and the repeats
    of an item always stay with it. The percentiles are a little further out than `level` says,
    so that few groups are covered as by t. Where answers are right or wrong and all items have
    the same mean, every draw is the same: then it is Wilson's interval over groups. The same
    `seed` gives the same interval. Source: Hesterberg, What Teachers Should Know about the
    Bootstrap, arXiv 1411.5279 (2014), for the expanded percentiles.
    """
    means = item_means(scores)
    labels: Any = np.arange(len(means)) if groups is None else np.asarray(groups, dtype=object)
    if len(labels) != len(means):
        raise ValueError(f"{len(means)} items and {len(labels)} groups do not fit")
    known = ~np.isnan(means)
    means, labels = means[known], labels[known]
    names, places = np.unique(labels.astype(str), return_inverse=True)
    n = len(names)
    if n < 2:
        estimate = float(means.mean()) if len(means) else np.nan
        return Interval(estimate, np.nan, np.nan, n, "none")
    sums = np.bincount(places, weights=means, minlength=n)
    counts = np.bincount(places, minlength=n).astype(float)
    estimate = float(means.mean())
    if np.ptp(means) == 0 and is_right_or_wrong(scores_known(scores)):
        return Interval(estimate, *wilson(min(estimate, 1.0) * n, n, level), n, "wilson")
    drawn = _drawn_means(sums, counts, n_draws, seed)
    tail = NormalDist().cdf(sqrt(n / (n - 1)) * t_quantile((1 - level) / 2, n - 1))
    lo, hi = np.quantile(drawn, [tail, 1 - tail])
    return Interval(estimate, float(lo), float(hi), n, "bootstrap")


def _drawn_means(sums: Any, counts: Any, n_draws: int, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    n, means = len(sums), []
    step = max(1, _AT_ONCE // n)
    for start in range(0, n_draws, step):
        drawn = rng.integers(0, n, (min(step, n_draws - start), n))
        means.append(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1))
    return np.concatenate(means)
