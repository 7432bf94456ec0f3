"""Two conditions on the same items: their difference, paired, and tests of it."""

from __future__ import annotations

from math import comb, hypot, sqrt
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nbchat.measures import wilson
from nbchat.statistics.bootstrap import cluster_bootstrap
from nbchat.statistics.intervals import (
    LEVEL,
    Interval,
    as_table,
    is_right_or_wrong,
    item_means,
    mean_interval,
    scores_known,
)
from nbchat.statistics.student_t import t_half_width, t_quantile, t_tail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

#: of so many items all signs are tried, of more a sample
_MOST_EXACT = 16
_AT_ONCE = 4_000_000


class Test(NamedTuple):
    """The two-sided p-value of a test, its name, and how many cases told something."""

    p: float
    name: str
    n: int


def paired_difference(
    a: ArrayLike,
    b: ArrayLike,
    level: float = LEVEL,
    *,
    groups: ArrayLike | None = None,
    seed: int = 0,
) -> Interval:
    """Give the mean of a - b over items that both have, and its interval over items.

    `a` and `b` are scores (I, R) or (I,) of the same items in the same order, NaN where missing;
    the numbers of repeats may differ. The interval is Student's t; with `groups` (I,) of items
    that belong together it is a bootstrap of groups (`cluster_bootstrap`), the same one for the
    same `seed`. Where all scores are right or wrong (0 or 1) and no item differs from another
    in its difference, t would have no width: then it is as far as Wilson's interval of
    no case among so many. Raise ValueError where the numbers of items do not fit.
    """
    _check_items(a, b)
    by_item = item_means(a) - item_means(b)
    known = ~np.isnan(by_item)
    differences = by_item[known]
    labels = None if groups is None else np.asarray(groups, dtype=object)[known]
    n = len(differences) if labels is None else len(set(labels.astype(str)))
    if not n:
        return Interval(np.nan, np.nan, np.nan, 0, "none")
    estimate = float(differences.mean())
    if n < 2:
        return Interval(estimate, np.nan, np.nan, n, "none")
    is_bounded = all(is_right_or_wrong(scores_known(each)) for each in (a, b))
    if is_bounded and np.ptp(differences) == 0:
        reach = wilson(0, n, level)[1]
        return Interval(estimate, max(-1.0, estimate - reach), min(1.0, estimate + reach), n,
                        "wilson")  # fmt: skip
    if labels is not None:
        return cluster_bootstrap(differences, labels, level=level, seed=seed)
    half = t_half_width(float(differences.std(ddof=1)), n, level)
    lo, hi = estimate - half, estimate + half
    return Interval(estimate, *((max(-1.0, lo), min(1.0, hi)) if is_bounded else (lo, hi)), n, "t")


def unpaired_difference(a: ArrayLike, b: ArrayLike, level: float = LEVEL) -> Interval:
    """Give the difference of two means over different items (Welch's t).

    For the same items it is wider than need be: see `paired_difference`. Where answers are right
    or wrong and no item differs from another of its condition, t would have no width: then it is
    Newcombe's interval, of Wilson's over items. Sources: Welch, Biometrika 34 (1947), 28-35;
    Newcombe, Stat. Med. 17 (1998), 873-890, method 10.
    """
    means = [m[~np.isnan(m)] for m in (item_means(a), item_means(b))]
    n_a, n_b = map(len, means)
    if min(n_a, n_b) < 2:
        estimate = float(means[0].mean() - means[1].mean()) if min(n_a, n_b) else np.nan
        return Interval(estimate, np.nan, np.nan, min(n_a, n_b), "none")
    v_a, v_b = (float(m.var(ddof=1)) / len(m) for m in means)
    estimate = float(means[0].mean() - means[1].mean())
    if v_a + v_b == 0:
        if not all(is_right_or_wrong(scores_known(each)) for each in (a, b)):
            return Interval(estimate, estimate, estimate, min(n_a, n_b), "t")
        (p_a, lo_a, hi_a, *_), (p_b, lo_b, hi_b, *_) = (
            mean_interval(each, level) for each in (a, b)
        )
        below, above = hypot(p_a - lo_a, hi_b - p_b), hypot(hi_a - p_a, p_b - lo_b)
        return Interval(estimate, estimate - below, estimate + above, min(n_a, n_b), "wilson")
    df = (v_a + v_b) ** 2 / (v_a**2 / (n_a - 1) + v_b**2 / (n_b - 1))
    half = t_quantile((1 + level) / 2, df) * sqrt(v_a + v_b)
    return Interval(estimate, estimate - half, estimate + half, min(n_a, n_b), "t")


def item_differences(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """Give a - b of each item that has both. Raise ValueError where the items do not fit."""
    _check_items(a, b)
    return _known(item_means(a) - item_means(b))


def _check_items(a: ArrayLike, b: ArrayLike) -> None:
    n_a, n_b = len(as_table(a)), len(as_table(b))
    if n_a != n_b:
        raise ValueError(f"{n_a} and {n_b} items do not fit: they are to be the same")


def _known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[~np.isnan(values)]


def mcnemar(a: ArrayLike, b: ArrayLike) -> Test:
    """Test single answers, 0 or 1, of the same items, by those that differ: McNemar, exact.

    Raise ValueError for other values. Source: McNemar, Psychometrika 12 (1947), 153-157; exact
    by the binomial distribution of the cases that differ.
    """
    first, second = (np.asarray(each, dtype=np.float64) for each in (a, b))
    known = ~(np.isnan(first) | np.isnan(second))
    first, second = first[known], second[known]
    if not np.all(np.isin([first, second], (0.0, 1.0))):
        raise ValueError("mcnemar() takes one answer of each item, 0 or 1")
    only_a, only_b = int(np.sum(first > second)), int(np.sum(first < second))
    n = only_a + only_b
    tail = sum(comb(n, k) for k in range(min(only_a, only_b) + 1))
    return Test(min(1.0, 2 * tail / 2**n), "McNemar, exact", n)


def permutation(a: ArrayLike, b: ArrayLike, *, n_draws: int = 20_000, seed: int = 0) -> Test:
    """Test whether a and b differ in their mean over items, by swapping them within items.

    `a` and `b` as in `paired_difference`. All swaps are tried for up to 16 items that differ,
    else `n_draws` of them at random, the same ones for the same `seed`. Source: Fisher, The Design
    of Experiments (1935), section 21; the p-value of a sample after Phipson and Smyth, Stat. Appl.
    Genet. Mol. Biol. 9 (2010), 39.
    """
    differences = item_differences(a, b)
    differences = differences[differences != 0]
    n = len(differences)
    if not n:
        return Test(1.0, "permutation, exact", 0)
    observed = abs(differences.sum()) * (1 - 1e-12)
    if n <= _MOST_EXACT:
        bits = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
        sums = np.abs((1 - 2 * bits) @ differences)
        return Test(float(np.mean(sums >= observed)), "permutation, exact", n)
    rng: Any = np.random.default_rng(seed)
    n_extreme, step = 0, max(1, _AT_ONCE // n)
    for start in range(0, n_draws, step):
        signs = 1 - 2 * rng.integers(0, 2, (min(step, n_draws - start), n))
        n_extreme += int(np.sum(np.abs(signs @ differences) >= observed))
    return Test((1 + n_extreme) / (1 + n_draws), "permutation", n)


def t_test(a: ArrayLike, b: ArrayLike) -> Test:
    """Test the paired difference by Student's t over items."""
    differences = item_differences(a, b)
    n = len(differences)
    if n < 2:
        return Test(float("nan"), "t", n)
    sd = float(differences.std(ddof=1))
    if sd == 0:
        return Test(1.0 if differences.mean() == 0 else 0.0, "t", n)
    return Test(2 * t_tail(abs(float(differences.mean())) / sd * sqrt(n), n - 1), "t", n)


def holm(p: Sequence[float] | ArrayLike) -> NDArray[np.float64]:
    """Give p-values that hold for all tests together (Holm). NaN stays, and is no test.

    Source: Holm, Scand. J. Stat. 6 (1979), 65-70.
    """
    values: Any = np.asarray(p, dtype=np.float64)
    adjusted = np.full(values.shape, np.nan)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    n = len(order)
    raised = values[order] * (n - np.arange(n))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(raised)) if n else raised
    return adjusted
