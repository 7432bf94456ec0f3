"""Student's t and the beta distribution, as far as intervals need them."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import exp, inf, lgamma, log, log1p, nan, sqrt

_SMALL = 1e-300
_STEPS = 400


def regularised_beta(a: float, b: float, x: float) -> float:
    """Give I_x(a, b), the share of a beta distribution below `x`.

    By its continued fraction (DLMF 8.17.22), evaluated from the front (Lentz's method).
    """
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):  # there the other tail's fraction converges
        return 1 - regularised_beta(b, a, 1 - x)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)) / a
    c, d = 1.0, 1 / _away_from_0(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        change = 1.0
        for term in (even, odd):
            d = 1 / _away_from_0(1 + term * d)
            c = _away_from_0(1 + term / c)
            change = c * d
            value *= change
        if abs(change - 1) < 1e-15:
            break
    return front * value


def t_tail(t: float, df: float) -> float:
    """Give the share of Student's t with `df` degrees of freedom that is above `t`."""
    if df <= 0 or t != t:
        return nan
    tail = 0.5 * regularised_beta(df / 2, 0.5, df / (df + t * t))
    return tail if t >= 0 else 1 - tail


@lru_cache(maxsize=4096)
def t_quantile(share: float, df: float) -> float:
    """Give the value below which this share of Student's t lies. NaN for no degree of freedom."""
    if df <= 0:
        return nan
    if not 0 < share < 1:
        return -inf if share <= 0 else inf
    if share < 0.5:
        return -t_quantile(1 - share, df)
    low, high = 0.0, 2.0
    while t_tail(high, df) > 1 - share:
        low, high = high, high * 2
    return _bisected(lambda t: 1 - share - t_tail(t, df), low, high)


@lru_cache(maxsize=4096)
def beta_quantile(share: float, a: float, b: float) -> float:
    """Give the value below which this share of a beta distribution lies."""
    return _bisected(lambda x: regularised_beta(a, b, x) - share, 0.0, 1.0)


def t_half_width(sd: float, n: int, level: float) -> float:
    """Give half the width of the t interval of a mean of `n` values with this deviation."""
    return t_quantile((1 + level) / 2, n - 1) * sd / sqrt(n) if n > 1 else nan


def _bisected(rising: Callable[[float], float], low: float, high: float) -> float:
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if rising(middle) < 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _away_from_0(value: float) -> float:
    return value if abs(value) > _SMALL else _SMALL
