"""Measures of a choice among given answers."""

from __future__ import annotations

from math import exp, inf, nan
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nbchat.measures.sentinels import is_known_sum, log_sum_exp

if TYPE_CHECKING:
    from collections.abc import Mapping


class ClassProbabilities(NamedTuple):
    """`probability`: label -> its share of what all labels have; `coverage`: what they have."""

    probability: dict[Any, float]
    coverage: float


def class_probabilities(logprobs: Mapping[Any, float]) -> ClassProbabilities:
    """Give P(c) = exp(s(c)) / sum of exp(s) over the labels, and the sum as coverage.

    `logprobs` has s(c), the sum of the log probabilities of the label's tokens given the
    prompt, plus the end token where one label is the beginning of another. P tells only
    how the labels compare; a small coverage says that the model would rather have
    answered something else. Calculated in log space.

    -inf is a probability of 0. A label whose sum is unknown (NaN, a sentinel) gets NaN and
    the others are shares among the known; coverage is then a lower bound. Raise ValueError
    for no labels. Variants and source: Holtzman et al., arXiv 2104.08315.
    """
    if not logprobs:
        raise ValueError("there is no label")
    sums = {label: float(value) for label, value in logprobs.items()}
    known = [value for value in sums.values() if _counts(value)]
    total = log_sum_exp(np.array(known))
    return ClassProbabilities(
        probability={
            label: exp(value - total) if _counts(value) and total > -inf else nan
            for label, value in sums.items()
        },
        coverage=exp(total) if known else nan,
    )


def _counts(value: float) -> bool:
    return value == -inf or bool(is_known_sum(value))
