"""Measures of a distribution of which only the most likely tokens are known.

K alternatives were returned, with the mass m; the rest, r = max(0, 1 - m), lies on tokens
that nobody saw. Nothing here renormalises: what is not known comes out as an interval or
as a bound that is named so.
"""

from __future__ import annotations

from math import exp, inf, isnan, log, nan
from typing import TYPE_CHECKING

import numpy as np

from nbchat.measures.rounding import rounding_of
from nbchat.measures.sentinels import is_known, log_sum_exp
from nbchat.measures.top_k_arrays import entropy_intervals

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

# what a sum of doubles leaves of a whole distribution
_DOUBLE_ROUNDING = 1e-12
# probabilities come with few digits: less than this is no mass at all
_ROUNDING = 1e-9


def entropy_bounds(
    logprobs: ArrayLike,
    vocab_size: int | None = None,
    sampled: float | None = None,
    *,
    rounding: float | None = None,
) -> tuple[float, float | None]:
    """Give the least and the greatest entropy that the whole distribution can have, in nats.

    `logprobs` are those of the list, in any order; `sampled` is that of the token that was
    sampled where it is not in the list; `vocab_size` is V.

    Lower: no unseen token has more than p_K, the smallest listed probability, and entropy
    is concave, so the least entropy packs r into pieces of p_K: with n = floor(r / p_K)
    and q = r - n·p_K it is H_K - n·p_K ln p_K - q ln q. Upper: r spread evenly over the
    V - K tokens that remain, H_K + r ln((V - K) / r); None where V is unknown. A sampled
    token joins the list in H_K, m and K, while p_K stays.

    `rounding` is e, how far the row's mass can be off, and then r is anything from max(0, r - e)
    to min(1, r + e), and the bounds hold for the row as sent and divided by its mass. None: what
    the numbers tell (`nbchat.measures.rounding`): 3e-4 where they came in 32 bits, else 0.

    Of a whole row (V of them) both are H_K of the row as sent. That is exact up to what its mass
    M is off: divided by M the row has H_K / M + ln M, so that with e = 3e-4 the two differ by
    at most 3.1e-4 · max(1, H_K) nats.

    Sentinels count as not returned. Of an empty list: 0 and ln V. Raise ValueError where
    V is smaller than the number of tokens given.
    """
    values = np.asarray(logprobs, dtype=np.float64).reshape(-1)
    values = values[is_known(values)]
    seen = values
    if sampled is not None and bool(is_known(sampled)):
        seen = np.append(values, sampled)
    n_unseen = _unseen_count(vocab_size, seen.size)
    probs = np.exp(seen)
    lower, upper = entropy_intervals(
        np.array([probs.sum()]),
        np.array([0.0 - (probs * seen).sum()]),
        np.array([values.min() if values.size else 0.0]),
        np.array([n_unseen]),
        np.array([rounding_of(values) if rounding is None else rounding]),
    )
    return float(lower[0]), None if vocab_size is None else float(upper[0])


def _unseen_count(vocab_size: int | None, n_seen: int) -> float:
    if vocab_size is None:
        return nan
    if vocab_size < n_seen:
        raise ValueError(f"a vocabulary of {vocab_size} cannot have {n_seen} tokens listed")
    return float(vocab_size - n_seen)


def temper(
    logprobs: ArrayLike,
    temperature: float,
    vocab_size: int | None = None,
    most_unseen: float | None = None,
    rounding: float | None = None,
) -> tuple[Floats, Floats]:
    """Give the interval of each listed token's probability at another temperature.

    `logprobs` are those of the list at temperature 1. At T each token weighs p^(1/T); the
    unseen mass r weighs between r^(1/T) (one lump) and (V - K)·(r / (V - K))^(1/T) (equal
    tokens), which way round depends on T. Without V the second is taken for an endless
    vocabulary: the lower bound is then 0 above T = 1. T = 0 is the limit: the most likely
    share all.

    `most_unseen` is the log probability that no unseen token exceeds, as a rule the smallest
    of the list. Then the lump falls into n = floor(r / p) pieces of p and a rest q, weighs
    n·p^(1/T) + q^(1/T), and the intervals are narrower: weights are convex in p below T = 1
    and concave above, as in `entropy_bounds`. `rounding` is e, how much r could be off: it is
    anything from r - e to r + e, since above T = 1 even a tiny mass weighs much where it lies on
    many tokens. None: what the numbers tell (`nbchat.measures.rounding`), 3e-4 where they came in
    32 bits. Without V an r of nothing but the rounding of doubles is none: the list is then
    taken for the whole vocabulary.

    Returns two arrays of the shape of `logprobs` (float64), NaN for sentinels. Raise
    ValueError for a negative or missing temperature and for a V smaller than the list.
    """
    if not temperature >= 0:
        raise ValueError(f"a temperature is 0 or more, got {temperature}")
    values = np.asarray(logprobs, dtype=np.float64)
    known = is_known(values)
    n_unseen = _unseen_count(vocab_size, int(known.sum()))
    lower, upper = np.full(values.shape, nan), np.full(values.shape, nan)
    if known.any():
        listed = values[known]
        unseen = 0.0 if n_unseen == 0 else max(0.0, 1.0 - float(np.exp(listed).sum()))
        if temperature == 0:
            lower[known], upper[known] = _greedy(listed, unseen, n_unseen)
        else:
            e = max(rounding_of(listed) if rounding is None else rounding, _DOUBLE_ROUNDING)
            tail = _tail_weights(unseen, n_unseen, temperature, most_unseen, e)
            lower[known], upper[known] = _tempered(listed, tail, temperature)
    return lower, upper


def _tempered(
    listed: Floats, tail: tuple[float, float], temperature: float
) -> tuple[Floats, Floats]:
    scaled = listed / temperature
    seen_weight = log_sum_exp(scaled)
    light, heavy = tail
    return (
        np.exp(scaled - np.logaddexp(seen_weight, heavy)),
        np.exp(scaled - np.logaddexp(seen_weight, light)),
    )


def _tail_weights(
    unseen: float, n_unseen: float, temperature: float, most: float | None, rounding: float
) -> tuple[float, float]:
    """Give ln of the least and of the most that the unseen mass can weigh."""
    if n_unseen == 0 or (isnan(n_unseen) and unseen < _DOUBLE_ROUNDING):
        return -inf, -inf
    growth = 1 - 1 / temperature

    def weights(mass: float) -> tuple[float, float]:
        """Packed as tightly as it can be, and evenly spread over all unseen tokens."""
        if mass < _DOUBLE_ROUNDING:
            return -inf, -inf
        # an endless vocabulary, where its size is not known; at T = 1 it makes no difference
        many = inf if isnan(n_unseen) else log(n_unseen)
        even = log(mass) / temperature + (growth * many if growth else 0.0)
        return _packed(mass, temperature, most), even

    # doubles are off by less than the mass that they give, but for a mass of nothing
    e = 0.0 if rounding <= _DOUBLE_ROUNDING else rounding
    light, heavy = max(0.0, unseen - e), max(unseen + e, _DOUBLE_ROUNDING)
    return min(weights(light)), max(weights(heavy))


def _packed(unseen: float, temperature: float, most: float | None) -> float:
    piece = 1.0 if most is None else exp(most)
    if piece >= unseen or piece == 0:
        return log(unseen) / temperature
    n, rest = divmod(unseen, piece)
    pieces = log(n) + log(piece) / temperature
    if rest < _DOUBLE_ROUNDING:  # above T = 1 what rounding left over would weigh much
        return pieces
    return float(np.logaddexp(pieces, log(rest) / temperature))


def _greedy(listed: Floats, unseen: float, n_unseen: float) -> tuple[Floats, Floats]:
    highest = listed.max()
    is_top = listed == highest
    ties = int(is_top.sum())
    # an unseen token can only tie where all of the list do
    room = 0 if not is_top.all() else int(unseen / np.exp(highest) + _ROUNDING)
    rivals = room if isnan(n_unseen) else min(room, int(n_unseen))
    return is_top / (ties + rivals), is_top / ties
