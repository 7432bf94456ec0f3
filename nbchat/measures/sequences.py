"""Measures of one token sequence."""

from __future__ import annotations

from math import exp, log, nan
from typing import TYPE_CHECKING, overload

import numpy as np

from nbchat.measures.sentinels import is_known, without_sentinels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


@overload
def surprisal(logprob: float) -> float: ...
@overload
def surprisal(logprob: Sequence[float] | NDArray[np.generic]) -> Floats: ...
def surprisal(logprob: ArrayLike) -> float | Floats:
    """Give -l, in nats: a float of a number, an array (float64, same shape) of an array.

    NaN where the server sent a sentinel. Divide by ln 2 for bits.
    """
    # 0.0 - l, so that a certain token has 0.0 and not -0.0
    values = 0.0 - without_sentinels(logprob)
    return float(values) if values.ndim == 0 else values


def sequence_logprob(logprobs: ArrayLike) -> float:
    """Give L, the sum of the tokens' log probabilities, in nats; exp(L) is the sequence's own.

    Sentinels are left out: with any of them the figure is an upper bound of L. NaN where no
    number is left.
    """
    values = _known(logprobs)
    return float(values.sum()) if values.size else nan


def mean_nll(logprobs: ArrayLike) -> float:
    """Give -L / T, the mean negative log-likelihood of T tokens, in nats.

    Sentinels enter neither L nor T. The tokens they stand for were too unlikely to be
    listed, so that with any of them the figure is a lower bound. NaN where no number is left.
    """
    values = _known(logprobs)
    return 0.0 - float(values.mean()) if values.size else nan


def perplexity(logprobs: ArrayLike) -> float:
    """Give exp(-L / T) of T tokens with the log probabilities `logprobs`; L is their sum.

    A lower bound where there are sentinels, as `mean_nll`. NaN where no number is left.
    """
    try:
        return exp(mean_nll(logprobs))
    except OverflowError:
        return float("inf")


def length_normalised_probability(logprobs: ArrayLike) -> float:
    """Give exp(L / T), the geometric mean of the tokens' probabilities.

    Sequences of different lengths can be compared by it. An upper bound where there are
    sentinels, which enter neither L nor T. NaN where no number is left. Source: Malinin and
    Gales, arXiv 2002.07650.
    """
    return exp(-mean_nll(logprobs))


def bits_per_byte(logprobs: ArrayLike, n_bytes: int) -> float:
    """Give -L / (ln 2 · n_bytes), where `n_bytes` counts the UTF-8 bytes of the text.

    Comparable among tokenizers. Sentinels do not enter L, while the bytes of their tokens
    do enter `n_bytes`: with any of them the figure is a lower bound. NaN where no number
    is left or there are no bytes. Raise ValueError for a negative `n_bytes`.
    """
    if n_bytes < 0:
        raise ValueError(f"n_bytes must be 0 or more, got {n_bytes}")
    if n_bytes == 0:
        return nan
    return (0.0 - sequence_logprob(logprobs)) / (log(2) * n_bytes)


def _known(logprobs: ArrayLike) -> Floats:
    values = np.asarray(logprobs, dtype=np.float64)
    return values[is_known(values)]
