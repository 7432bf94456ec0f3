"""Intervals of a share that was counted."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist

# for what is 95 % sure
_LEVEL = 0.95


def wilson(successes: float, n: int, level: float = _LEVEL) -> tuple[float, float]:
    """Give the interval in which the share behind `successes` of `n` cases lies (Wilson score).

    `successes` may be a sum of shares of cases. `level` is how sure that is to be, 0.95 for 95 %.
    From 0 to 1, and never of no width, at 0 and `n` successes neither. (0, 1) of no cases: nothing
    is known. Raise ValueError for more successes than cases, negative numbers and a level outside
    (0, 1). Source: Wilson, J. Am. Stat. Assoc. 22 (1927), 209-212.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"successes must be from 0 to the {n} cases, got {successes}")
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, got {level}")
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, scale = successes / n, 1 + z * z / n
    middle = (share + z * z / (2 * n)) / scale
    half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / scale
    return max(0.0, middle - half), min(1.0, middle + half)
