"""Confidences made to say what they should, by one temperature for all of them."""

from __future__ import annotations

from math import exp, log, nan
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nbchat.measures.calibration import calibration

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

#: no temperature outside these is fitted
LEAST, MOST = 0.01, 100.0
_HALVINGS = 60


class TemperatureFit(NamedTuple):
    """`temperature`: what minimises the log loss; `log_loss_before`, `log_loss_after`: nats."""

    temperature: float
    log_loss_before: float
    log_loss_after: float


def fit_temperature(confidence: ArrayLike, correct: ArrayLike) -> TemperatureFit:
    """Give the temperature at which confidences have the least log loss on these answers.

    - `confidence` of shape (N, C): a probability for each of C classes, not all 0; `correct`
      (N,): the number of the class that was right. At T a class has p^(1/T) / sum of p^(1/T)
    - `confidence` of shape (N,): the probability of each answer; `correct` (N,): true (1) where
      it was right. Then the classes are right and wrong, p and 1 - p

    T above 1: the model was too sure, below: not sure enough. It is sought from 0.01 to 100;
    at an end the answers allow no better one (all right: ever surer). Fit it on answers that are
    not those which it is then tried on. NaN where something happened that had probability 0,
    which no temperature mends, and of no case. Cases with a NaN are left out. Raise ValueError
    as `calibration` does. Source: Guo et al., arXiv 1706.04599, section 4.2.
    """
    stated = np.asarray(confidence, dtype=np.float64)
    before = calibration(stated, correct).log_loss
    logs, right = _complete(stated, np.asarray(correct, dtype=np.float64))
    if not np.isfinite(before):
        return TemperatureFit(nan, before, before)
    low, high = log(LEAST), log(MOST)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        # the loss is convex in 1 / T, and falls with T while this is above 0
        if _slope(logs, right, exp(-middle)) > 0:
            low = middle
        else:
            high = middle
    temperature = exp((low + high) / 2)
    scaled = _scaled(logs, 1 / temperature)
    after = 0.0 - float(scaled[np.arange(len(right)), right].mean())
    return TemperatureFit(temperature, before, after)


def at_temperature(confidence: ArrayLike, temperature: float) -> Floats:
    """Give confidences as they are at another temperature, in the shape they have.

    As `fit_temperature` scales them. Raise ValueError where the temperature is not above 0.
    """
    if not temperature > 0:
        raise ValueError(f"a temperature for scaling is above 0, got {temperature}")
    stated = np.asarray(confidence, dtype=np.float64)
    logs = _logs(stated if stated.ndim == 2 else np.stack([1 - stated, stated], axis=1))
    scaled = np.exp(_scaled(logs, 1 / temperature))
    return scaled if stated.ndim == 2 else scaled[:, 1]


def _complete(p: Floats, outcome: Floats) -> tuple[Floats, NDArray[np.int64]]:
    table = p if p.ndim == 2 else np.stack([1 - p, p], axis=1)
    complete = ~np.isnan(table).any(axis=1) & ~np.isnan(outcome)
    right = outcome[complete] if p.ndim == 2 else outcome[complete] != 0
    return _logs(table[complete]), right.astype(np.int64)


def _logs(p: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        logs: Floats = np.log(p)
    return logs


def _scaled(logs: Floats, sharpness: float) -> Floats:
    weights = logs * sharpness
    highest = weights.max(axis=1, keepdims=True)
    scaled: Floats = (
        weights - highest - np.log(np.exp(weights - highest).sum(axis=1, keepdims=True))
    )
    return scaled


def _slope(logs: Floats, right: NDArray[np.int64], sharpness: float) -> float:
    """Give the derivative of the log loss with respect to 1 / T."""
    p = np.exp(_scaled(logs, sharpness))
    expected = np.where(p > 0, p * np.where(p > 0, logs, 0.0), 0.0).sum(axis=1)
    return float((expected - logs[np.arange(len(right)), right]).mean())
