"""How far stated confidence and being right agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

_TABLE = np.dtype(
    [
        ("lo", "f8"),
        ("hi", "f8"),
        ("n", "i8"),
        ("confidence", "f8"),
        ("accuracy", "f8"),
        ("gap", "f8"),
    ]
)


class Calibration(NamedTuple):
    """What `calibration` gives.

    - `ece`, `mce`: expected and maximum calibration error, from 0 to 1
    - `brier`: mean squared difference; from 0 to 1, for several classes to 2
    - `log_loss`: nats
    - `table`: one record for each bin, `lo` and `hi` (its borders), `n`, `confidence` and
      `accuracy` (means over the bin, NaN where it is empty), `gap` (accuracy - confidence);
      ``pandas.DataFrame(table)`` shows it
    """

    ece: float
    mce: float
    brier: float
    log_loss: float
    table: NDArray[np.void]


def calibration(confidence: ArrayLike, correct: ArrayLike, bins: int = 10) -> Calibration:
    """Compare confidences with outcomes.

    - `confidence` of shape (N,): the probability given to each answer; `correct` (N,): true
      (1) where it was right
    - `confidence` of shape (N, C): a probability for each of C classes; `correct` (N,): the
      number of the class that was right. The bins then take the most likely class

    ECE = sum over the bins of (n_b / N) · abs(accuracy - confidence), with `bins` bins of
    equal width (lo, hi], the first including 0; MCE is the largest gap of a bin that is not
    empty. Brier score = mean (p - y)², summed over the classes where there are several;
    log loss = -mean ln p(y), infinite where something happened that had probability 0.

    Cases with a NaN are left out; everything is NaN where none is left. Raise ValueError for
    a probability outside [0, 1], for shapes that do not fit and for fewer than one bin.
    Sources: Guo et al., arXiv 1706.04599; Brier 1950.
    """
    if bins < 1:
        raise ValueError(f"bins must be at least 1, got {bins}")
    p = np.asarray(confidence, dtype=np.float64)
    outcome = np.asarray(correct, dtype=np.float64)
    if p.ndim not in (1, 2) or outcome.shape != p.shape[:1]:
        raise ValueError(f"confidence {p.shape} and correct {outcome.shape} do not fit")
    complete = ~np.isnan(p).any(axis=tuple(range(1, p.ndim))) & ~np.isnan(outcome)
    p, outcome = p[complete], outcome[complete]
    if ((p < 0) | (p > 1)).any():
        raise ValueError("a confidence is a probability, from 0 to 1")
    if p.ndim == 2:
        stated, right, brier, of_outcome = _of_classes(p, outcome)
    else:
        stated, right = p, outcome.astype(bool)
        brier, of_outcome = (p - right) ** 2, np.where(right, p, 1 - p)
    table = _binned(stated, right, bins)
    filled = table[table["n"] > 0]
    if not len(p):
        return Calibration(np.nan, np.nan, np.nan, np.nan, table)
    gaps = np.abs(filled["gap"])
    with np.errstate(divide="ignore"):
        losses = 0.0 - np.log(of_outcome)
    return Calibration(
        ece=float((filled["n"] / len(p) * gaps).sum()),
        mce=float(gaps.max()),
        brier=float(brier.mean()),
        log_loss=float(losses.mean()),
        table=table,
    )


def calibration_band(
    confidence: ArrayLike, bins: int = 10, *, resamples: int = 1000, seed: int = 0
) -> tuple[Floats, Floats]:
    """Give the range of each bin's accuracy were the confidences right: 95 % of resamples.

    `confidence` (N,) is what `calibration` takes. Each resample draws N of the cases with
    replacement, and for each an outcome that is right with the probability stated
    (consistency resampling). An accuracy outside the band is more than chance; a bin with
    few cases has a wide one. The same seed gives the same band.

    Returns two arrays of shape (bins,), the 2.5th and the 97.5th percentile, NaN where the
    bin is empty. NaN are left out. Raise ValueError as `calibration` does. Source: Bröcker
    and Smith, Weather and Forecasting 22 (2007), 651-661.
    """
    stated = np.asarray(confidence, dtype=np.float64).reshape(-1)
    stated = stated[~np.isnan(stated)]
    low, high = np.full((2, bins), np.nan)
    filled = calibration(stated, stated, bins).table["n"] > 0
    rng = np.random.default_rng(seed)
    accuracies = np.empty((resamples, bins))
    for i in range(resamples):
        drawn = rng.choice(stated, len(stated)) if len(stated) else stated
        accuracies[i] = _binned(drawn, rng.random(len(drawn)) < drawn, bins)["accuracy"]
    if filled.any():
        low[filled], high[filled] = np.nanquantile(accuracies[:, filled], [0.025, 0.975], axis=0)
    return low, high


def _of_classes(p: Floats, outcome: Floats) -> tuple[Floats, Bools, Floats, Floats]:
    classes = outcome.astype(np.int64)
    if ((classes < 0) | (classes >= p.shape[1])).any():
        raise ValueError(f"correct must number one of {p.shape[1]} classes, from 0")
    truth = np.zeros_like(p)
    truth[np.arange(len(p)), classes] = 1.0
    brier = ((p - truth) ** 2).sum(axis=1)
    return p.max(axis=1, initial=0.0), p.argmax(axis=1) == classes, brier, (p * truth).sum(axis=1)


def _binned(stated: Floats, right: Bools, bins: int) -> NDArray[np.void]:
    # i / bins is the float nearest to the border, the one that a user's literal 0.7 is
    borders = np.arange(bins + 1) / bins
    which = np.clip(np.searchsorted(borders, stated, side="left") - 1, 0, bins - 1)
    n = np.bincount(which, minlength=bins)
    table = np.zeros(bins, dtype=_TABLE)
    table["lo"], table["hi"], table["n"] = borders[:-1], borders[1:], n
    with np.errstate(invalid="ignore"):
        table["confidence"] = np.bincount(which, weights=stated, minlength=bins) / n
        table["accuracy"] = np.bincount(which, weights=right, minlength=bins) / n
    table["gap"] = table["accuracy"] - table["confidence"]
    return table
