"""What servers send in the place of a log probability.

OpenAI and vLLM send -9999.0 for "outside the list", llama.cpp the lowest 32-bit float for a
probability of 0. Neither is a number to calculate with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

OUTSIDE_THE_LIST = -9999.0
# no sum of real log probabilities comes near; the lowest float, and sums with it, are below
_NO_SUM = -1e30
# e to this is hardly a number any more, and a log probability is not above 0
_NO_PROBABILITY = 700.0


def is_known(logprobs: ArrayLike) -> NDArray[np.bool_]:
    """Tell which log probabilities of single tokens are numbers and not sentinels."""
    values = np.asarray(logprobs, dtype=np.float64)
    # a NaN fails both comparisons
    known: NDArray[np.bool_] = (values > OUTSIDE_THE_LIST) & (values < _NO_PROBABILITY)
    return known


def is_known_sum(logprobs: ArrayLike) -> NDArray[np.bool_]:
    """Tell the same of sums over many tokens, which can fall below -9999 honestly."""
    values = np.asarray(logprobs, dtype=np.float64)
    known: NDArray[np.bool_] = (values > _NO_SUM) & (values != OUTSIDE_THE_LIST) & (values < np.inf)
    return known


def without_sentinels(logprobs: ArrayLike) -> Floats:
    """Give the same numbers with NaN where there is none (dtype float64)."""
    values = np.asarray(logprobs, dtype=np.float64)
    return np.where(is_known(values), values, np.nan)


def log_sum_exp(values: Floats) -> float:
    """Give ln of the sum of exp, for values whose exp would underflow. -inf of none."""
    if values.size == 0 or (highest := values.max()) == -np.inf:
        return float("-inf")
    return float(highest + np.log(np.exp(values - highest).sum()))
