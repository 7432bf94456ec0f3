"""Whether confidence tells right answers from wrong ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def auroc(confidence: ArrayLike, correct: ArrayLike) -> float:
    """Give the chance that a right answer has more confidence than a wrong one, ties half.

    `confidence` (N,): any number that is larger where the answer is surer; `correct` (N,): true
    (1) where it was right. 0.5 is no better than chance, 1 tells them all apart. Cases with
    a NaN are left out; NaN where all that are left are right, or all wrong. Raise ValueError
    for shapes that do not fit. Source: Hanley and McNeil, Radiology 143 (1982), 29-36.
    """
    stated = np.asarray(confidence, dtype=np.float64)
    outcome = np.asarray(correct, dtype=np.float64)
    if stated.ndim != 1 or outcome.shape != stated.shape:
        raise ValueError(f"confidence {stated.shape} and correct {outcome.shape} do not fit")
    complete = ~np.isnan(stated) & ~np.isnan(outcome)
    stated, is_right = stated[complete], outcome[complete] != 0
    n_right, n_wrong = int(is_right.sum()), int((~is_right).sum())
    if not n_right or not n_wrong:
        return float("nan")
    # ranks from 1, the mean of them where confidences are equal
    _, group, counts = np.unique(stated, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[group]
    above = ranks[is_right].sum() - n_right * (n_right + 1) / 2
    return float(above / (n_right * n_wrong))
