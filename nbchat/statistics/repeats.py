"""What repeats of an item tell: how far they vary, agree, and succeed at least or always."""

from __future__ import annotations

from math import comb
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nbchat.statistics.intervals import LEVEL, as_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray


class VarianceComponents(NamedTuple):
    """Variance of the true means of items, and of an item's repeats around its mean.

    `within` is NaN where no item has two scores, `between` where there are not two items.
    """

    between: float
    within: float

    @property
    def reliability(self) -> float:
        """The share of the variance of a single score that is between items (ICC(1))."""
        total = self.between + self.within
        return self.between / total if total > 0 else float("nan")


def variance_components(scores: ArrayLike) -> VarianceComponents:
    """Give the variance between items and within them, of scores (I, R), NaN where missing.

    By the analysis of variance; items may have different numbers of scores. What would be below
    0 is 0. Source: Searle, Casella and McCulloch, Variance Components (1992), section 3.6.
    """
    table = as_table(scores)
    counts = np.sum(~np.isnan(table), axis=1)
    table, counts = table[counts > 0], counts[counts > 0]
    n_items, n = len(counts), int(counts.sum())
    means = np.nansum(table, axis=1) / np.maximum(counts, 1)
    squares_within = float(np.nansum((table - means[:, None]) ** 2))
    within = squares_within / (n - n_items) if n > n_items else float("nan")
    if n_items < 2:
        return VarianceComponents(float("nan"), within)
    grand = float(np.nansum(table)) / n
    of_means = float(np.sum(counts * (means - grand) ** 2)) / (n_items - 1)
    if n == n_items:
        return VarianceComponents(of_means, within)
    size = (n - float(np.sum(counts**2)) / n) / (n_items - 1)
    return VarianceComponents(max((of_means - within) / size, 0.0), within)


def pass_at_k(n: ArrayLike, c: ArrayLike, k: int) -> NDArray[np.float64]:
    """Give the chance that at least one of k tries is right, of each item, without bias.

    `n` are its tries (I,) and `c` those that were right; NaN where n is less than k. Source:
    Chen et al., arXiv 2107.03374 (2021), equation 1.
    """
    return _of_each(n, c, k, lambda n, c: 1 - comb(n - c, k) / comb(n, k))


def pass_hat_k(n: ArrayLike, c: ArrayLike, k: int) -> NDArray[np.float64]:
    """Give the chance that all of k tries are right (pass^k), of each item, without bias.

    `n`, `c` and NaN as in `pass_at_k`. Source: Yao et al., tau-bench, arXiv 2406.12045 (2024).
    """
    return _of_each(n, c, k, lambda n, c: comb(c, k) / comb(n, k))


def agreement(labels: ArrayLike) -> NDArray[np.float64]:
    """Give the share of pairs of an item's repeats that are equal, of labels (I, R).

    None and NaN are missing; NaN where an item has fewer than two.
    """
    table = np.asarray(labels, dtype=object)
    if table.ndim != 2:
        raise ValueError(f"labels are items by repeats, and these have {table.ndim} dimensions")
    agreements = np.full(len(table), np.nan)
    for place, row in enumerate(table):
        known = [value for value in row if value is not None and value == value]
        pairs = comb(len(known), 2)
        if pairs:
            counts: dict[object, int] = {}
            for value in known:
                counts[value] = counts.get(value, 0) + 1
            agreements[place] = sum(comb(count, 2) for count in counts.values()) / pairs
    return agreements


def cohens_kappa(a: ArrayLike, b: ArrayLike) -> float:
    """Give how far two judges agree beyond chance: 1 fully, 0 as by chance (Cohen's kappa).

    Labels (N,) of the same cases; cases that one lacks (None, NaN) are left out. NaN where both
    always say the same one thing. Source: Cohen, Educ. Psychol. Meas. 20 (1960), 37-46.
    """
    pairs = [
        (x, y)
        for x, y in zip(np.asarray(a, object), np.asarray(b, object), strict=True)
        if x is not None and y is not None and x == x and y == y
    ]
    if not pairs:
        return float("nan")
    n = len(pairs)
    labels = {label for pair in pairs for label in pair}
    agreed = sum(x == y for x, y in pairs) / n
    chance = (
        sum(
            sum(x == label for x, _ in pairs) * sum(y == label for _, y in pairs)
            for label in labels
        )
        / n**2
    )
    return (agreed - chance) / (1 - chance) if chance < 1 else float("nan")


class Detectable(NamedTuple):
    """The smallest difference that a comparison shows, and with twice the items or repeats."""

    difference: float
    twice_items: float
    twice_repeats: float


def detectable_difference(
    n_items: int,
    repeats: int,
    *,
    of_differences: float,
    within: float,
    level: float = LEVEL,
    power: float = 0.8,
) -> Detectable:
    """Give the least difference of two conditions that is found with this `power`, paired.

    `of_differences` is the variance of the items' true differences, `within` that of the repeats
    of an item at one condition. The variance of the mean difference is (of_differences + 2
    within / repeats) / items: twice the items halve it, twice the repeats a part of it alone.
    Source: Miller, arXiv 2411.00640 (2024), section 5.
    """
    if n_items < 1 or repeats < 1:
        raise ValueError("there must be at least one item and one repeat")
    z = NormalDist().inv_cdf((1 + level) / 2) + NormalDist().inv_cdf(power)

    def least(items: int, times: int) -> float:
        return float(z * np.sqrt((of_differences + 2 * within / times) / items))

    return Detectable(
        least(n_items, repeats), least(2 * n_items, repeats), least(n_items, 2 * repeats)
    )


def _of_each(
    n: ArrayLike, c: ArrayLike, k: int, chance: Callable[[int, int], float]
) -> NDArray[np.float64]:
    if k < 1:
        raise ValueError(f"k must be 1 or more, got {k}")
    tries, right = np.broadcast_arrays(np.asarray(n, dtype=int), np.asarray(c, dtype=int))
    if np.any(right < 0) or np.any(right > tries):
        raise ValueError("there cannot be more right tries than tries")
    return np.array(
        [
            chance(int(a), int(b)) if a >= k else np.nan
            for a, b in zip(tries.ravel(), right.ravel(), strict=True)
        ]
    ).reshape(tries.shape)
