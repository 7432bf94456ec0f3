"""Measures of the list of alternatives at a position, on the list alone.

Lists lie along the last axis: of shape (K,) a number comes out, of (..., K) an array of shape
(...), float64. Their order does not matter. What a server sends in the place of a number
counts as not listed, so that lists of several lengths fit into one array, filled with NaN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nbchat.measures.sentinels import without_sentinels

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


class Rank(NamedTuple):
    """`rank`: NaN where the token is not in the list; `rank_min`: the least it can be."""

    rank: float | Floats
    rank_min: float | Floats


def top_mass(logprobs: ArrayLike) -> float | Floats:
    """Give m, the sum of the listed probabilities; 0 of an empty list.

    What is left, r = max(0, 1 - m), lies on tokens that nobody saw. m is not clipped: above
    1 the server's list is wrong.
    """
    return _plain(np.nansum(np.exp(without_sentinels(logprobs)), axis=-1))


def entropy_top(logprobs: ArrayLike) -> float | Floats:
    """Give H_K = -sum of p ln p over the list alone, in nats; 0 of an empty list.

    Not renormalised, and no estimate of the entropy: `entropy_bounds` says where that lies.
    """
    values = without_sentinels(logprobs)
    return _plain(0.0 - np.nansum(np.exp(values) * values, axis=-1))


def margin(logprobs: ArrayLike) -> float | Floats:
    """Give p1 - p2, the probabilities of the two most likely; NaN of fewer than two."""
    first, second = _first_two(logprobs)
    return _plain(np.exp(first) - np.exp(second))


def log_margin(logprobs: ArrayLike) -> float | Floats:
    """Give l1 - l2, the log probabilities of the two most likely, in nats."""
    first, second = _first_two(logprobs)
    return _plain(first - second)


def rank(logprobs: ArrayLike, own: ArrayLike) -> Rank:
    """Give 1 + the number of alternatives more likely than the token that stands there.

    `own`, of shape (...), is that token's own log probability in its list, NaN (or a
    sentinel) where the list does not have it: its rank is then NaN, and at least K + 1.
    Ties take the smaller rank.
    """
    listed, mine = without_sentinels(logprobs), without_sentinels(own)
    above = (listed > mine[..., None]).sum(axis=-1)
    is_listed = ~np.isnan(mine)
    outside = (~np.isnan(listed)).sum(axis=-1)
    return Rank(
        _plain(np.where(is_listed, 1.0 + above, np.nan)),
        _plain(1.0 + np.where(is_listed, above, outside)),
    )


def _first_two(logprobs: ArrayLike) -> tuple[Floats, Floats]:
    values = np.nan_to_num(without_sentinels(logprobs), nan=-np.inf)
    short = max(0, 2 - values.shape[-1])
    padding = [(0, 0)] * (values.ndim - 1) + [(0, short)]
    values = np.pad(values, padding, constant_values=-np.inf)
    top = np.sort(np.partition(values, -2, axis=-1)[..., -2:], axis=-1)
    top[np.isneginf(top)] = np.nan
    return top[..., 1], top[..., 0]


def _plain(values: Floats) -> float | Floats:
    return float(values) if np.ndim(values) == 0 else values
