"""What is gained by answering only where the confidence is high."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


class RiskCoverage(NamedTuple):
    """What `risk_coverage` gives; its arrays are float64 of shape (N,), from few to all answered.

    - `coverage`: the share that is answered, k / N for k = 1 … N
    - `risk`: the share of wrong ones among those k, the most confident
    - `threshold`: the confidence of the k-th, the least that is answered
    - `aurc`: the mean of `risk`, the area under the curve; 0 is best
    - `aurc_least`: what it would be had every wrong answer less confidence than every right
      one; `aurc - aurc_least` is the excess (E-AURC)
    """

    coverage: Floats
    risk: Floats
    threshold: Floats
    aurc: float
    aurc_least: float


def risk_coverage(confidence: ArrayLike, correct: ArrayLike) -> RiskCoverage:
    """Give how the risk grows with the coverage when the least confident are left out first.

    `confidence` (N,): any number that is larger where the answer is surer, a probability or
    not; `correct` (N,): true (1) where it was right. With the cases sorted from sure to
    unsure, risk(k / N) = wrong ones among the first k / k, and AURC = (1 / N) · sum of
    risk(k / N). Cases of one confidence cannot be told apart by it, so that they share
    their errors evenly: the curve is the mean over all their orders.

    Cases with a NaN are left out; without any the arrays are empty and the areas NaN. Raise
    ValueError for shapes that do not fit. Sources: Geifman and El-Yaniv, arXiv 1705.08500
    (the curve); Geifman, Uziel and El-Yaniv, arXiv 1805.08206 (AURC, E-AURC).
    """
    stated = np.asarray(confidence, dtype=np.float64)
    outcome = np.asarray(correct, dtype=np.float64)
    if stated.ndim != 1 or outcome.shape != stated.shape:
        raise ValueError(f"confidence {stated.shape} and correct {outcome.shape} do not fit")
    complete = ~np.isnan(stated) & ~np.isnan(outcome)
    stated, is_wrong = stated[complete], outcome[complete] == 0
    if not len(stated):
        none = np.empty(0)
        return RiskCoverage(none, none, none, np.nan, np.nan)
    answered = np.arange(1, len(stated) + 1)
    order = np.argsort(-stated, kind="stable")
    errors = np.cumsum(_evenly(stated[order], is_wrong[order]))
    risk = errors / answered
    least = np.maximum(0, answered - (len(stated) - is_wrong.sum())) / answered
    return RiskCoverage(
        coverage=answered / len(stated),
        risk=risk,
        threshold=stated[order],
        aurc=float(risk.mean()),
        aurc_least=float(least.mean()),
    )


def _evenly(stated: Floats, is_wrong: NDArray[np.bool_]) -> Floats:
    """Give each case the mean of the errors among the cases of its confidence."""
    _, group, counts = np.unique(stated, return_inverse=True, return_counts=True)
    shares: Floats = (np.bincount(group, weights=is_wrong) / counts)[group]
    return shares
