"""How far a server's probabilities are off: what 32-bit numbers leave of a sum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

#: e, how far the mass of a row in 32 bits is off: whole rows of llama.cpp sum to up to 1.00025
ROUNDING_OF_ROWS = 3e-4
# a number of a test or a calculation, as -0.5, has zeros where one of a softmax has none
_LOW_BITS = 0xFFF


def rounding_of(logprobs: ArrayLike) -> float:
    """Give e of a list: 3e-4 where all of it are 32-bit numbers, 0 where they are 64-bit.

    Servers that calculate in 32 bits send their numbers as they are, and whole rows of theirs
    sum to 1 within e. A 64-bit number that happens to be a 32-bit one is one in 500 million;
    short numbers (-0.5, -1.25) tell nothing, and a list of nothing else has 0.
    """
    values = np.asarray(logprobs, dtype=np.float64).reshape(-1)
    values = values[np.isfinite(values)]
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32)
    if not len(values) or (narrow != values).any():
        return 0.0
    return ROUNDING_OF_ROWS if (narrow.view(np.int32) & _LOW_BITS).any() else 0.0


def rounding_of_probabilities(probs: ArrayLike) -> float:
    """Give the same of exp of the numbers: a 64-bit ln finds them again to its last bits."""
    values = np.asarray(probs, dtype=np.float64).reshape(-1)
    logprobs = np.log(values[values > 0])
    narrow = logprobs.astype(np.float32).astype(np.float64)
    if (np.abs(narrow - logprobs) > 4e-16 * np.maximum(1.0, np.abs(logprobs))).any():
        return 0.0
    return rounding_of(narrow)
