"""Measures of many truncated distributions at once, one for each token position.

The distributions are ragged: row i is `values[offsets[i]:offsets[i + 1]]`, and rows may be
empty. Log probabilities are in nats, NaN where the server sent a sentinel; a NaN counts
for nothing. `offsets` is an integer array of length (number of rows + 1), starting at 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Bools = NDArray[np.bool_]


def row_numbers(offsets: Integers) -> Integers:
    """Give the number of the row that each value belongs to."""
    return np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))


def row_sums(values: NDArray[np.number] | Bools, offsets: Integers) -> Floats:
    """Give the sum of each row (float64); 0 for an empty one."""
    sums = np.zeros(len(offsets) - 1)
    filled = np.diff(offsets) > 0
    if filled.any():
        # empty rows have no values between their neighbours, so that leaving them out is safe
        sums[filled] = np.add.reduceat(values, offsets[:-1][filled], dtype=np.float64)
    return sums


def known_counts(logprobs: Floats, offsets: Integers) -> Integers:
    """Give K of each row: how many of its log probabilities are numbers."""
    if not np.isnan(logprobs).any():
        return np.diff(offsets)
    return row_sums(~np.isnan(logprobs), offsets).astype(np.int64)


def masses(probs: Floats, offsets: Integers) -> Floats:
    """Give m, the sum of each row's probabilities."""
    return row_sums(np.nan_to_num(probs, nan=0.0), offsets)


def listed_entropies(logprobs: Floats, probs: Floats, offsets: Integers) -> Floats:
    """Give H_K = -sum of p ln p of each row, in nats; not renormalised."""
    return 0.0 - row_sums(np.nan_to_num(probs * logprobs, nan=0.0), offsets)


def smallest(logprobs: Floats, offsets: Integers) -> Floats:
    """Give the smallest log probability of each row; 0 (a probability of 1) of an empty one."""
    lowest = np.zeros(len(offsets) - 1)
    filled = np.diff(offsets) > 0
    if filled.any():
        least = np.fmin.reduceat(logprobs, offsets[:-1][filled])
        lowest[filled] = np.nan_to_num(least, nan=0.0)
    return lowest


def entropy_intervals(
    mass: Floats,
    entropy: Floats,
    smallest_logprob: Floats,
    n_unseen: Floats,
    rounding: Floats | float = 0.0,
) -> tuple[Floats, Floats]:
    """Give the lower and the upper bound of each distribution's entropy, in nats.

    `mass` and `entropy` are those of all tokens whose probability is known,
    `smallest_logprob` that of the list (no unseen token has more), `n_unseen` how many
    tokens of the vocabulary remain: NaN where unknown, and then the upper bound is NaN.
    `rounding` is e, how far a whole row's mass can be off.

    With r = max(0, 1 - m), off by at most e: the least entropy packs r into pieces of p_K, the
    greatest spreads it evenly. With n_unseen = 0, r is rounding and counts for nothing. Where e
    is not 0, the bounds hold for the row as sent and for the row divided by its mass, too.
    """
    e = np.where(n_unseen == 0, 0.0, rounding)
    seeming = np.where(n_unseen == 0, 0.0, np.maximum(0.0, 1.0 - mass))
    least, most = np.maximum(0.0, seeming - e), np.minimum(1.0, seeming + e)
    piece = np.exp(smallest_logprob)
    with np.errstate(invalid="ignore", divide="ignore"):
        # entropy is no rising function of the mass inside a large piece: its ends decide
        ends = (least, most, np.minimum(most, np.ceil(least / piece) * piece))
        packed = [_packed(unseen, piece, smallest_logprob) for unseen in ends]
        widest = np.clip(n_unseen / np.e, least, most)
        spread = np.where(widest > 0, widest * np.log(n_unseen / widest), n_unseen * 0.0)
        lower = entropy + np.fmin.reduce(packed)
        upper = np.where(n_unseen < 0, np.nan, entropy + spread)
        # divided by its mass M, a row with the entropy H has H / M + ln M, the least at M = H
        at = np.clip(lower, 1 - e, 1 + e)
        lower = np.fmin(lower, lower / at + np.log(at))
        upper = np.maximum(upper, np.maximum(*(upper / m + np.log(m) for m in (1 - e, 1 + e))))
    # where the list leaves more mass than its smallest entry allows, the row contradicts
    # itself (or r is rounding): never hand out an interval upside down
    return np.fmin(lower, upper), upper


def _packed(unseen: Floats, piece: Floats, logprob: Floats) -> Floats:
    """Give the entropy of a mass in pieces that are as large as they can be, and a rest."""
    rest = np.where(piece > 0, np.fmod(unseen, piece), 0.0)
    of_rest = np.where(rest > 0, rest * np.log(rest), 0.0)
    entropy: Floats = -(unseen - rest) * logprob - of_rest
    return entropy


def ranks(logprobs: Floats, offsets: Integers, sampled: Floats) -> Floats:
    """Give 1 + the number of alternatives more likely than `sampled`, the row's token's logprob.

    Ties take the smaller rank. NaN where `sampled` is NaN. float64, whole numbers.
    """
    larger = logprobs > np.repeat(sampled, np.diff(offsets))
    return np.where(np.isnan(sampled), np.nan, 1.0 + row_sums(larger, offsets))


def first_two(logprobs: Floats, offsets: Integers) -> tuple[Floats, Floats]:
    """Give the largest and second largest of each row sorted from likely to unlikely.

    NaN where there is none. In a sorted row the unknown ones come last.
    """
    lengths = np.diff(offsets)
    first = np.full(len(lengths), np.nan)
    second = np.full(len(lengths), np.nan)
    first[lengths > 0] = logprobs[offsets[:-1][lengths > 0]]
    second[lengths > 1] = logprobs[offsets[:-1][lengths > 1] + 1]
    return first, second


def running_sums(values: Floats, offsets: Integers) -> Floats:
    """Give the sum of each row up to and with each value; a NaN adds nothing.

    Rows of one length are summed together, each from its own start: no row inherits the
    rounding of those before it.
    """
    sums = np.empty(len(values))
    counted = np.nan_to_num(values, nan=0.0)
    lengths = np.diff(offsets)
    for length in np.unique(lengths[lengths > 0]):
        starts = offsets[:-1][lengths == length]
        if len(starts) * length == len(values):
            sums = np.cumsum(counted.reshape(-1, length), axis=1).reshape(-1)
        else:
            where = starts[:, None] + np.arange(length)
            sums[where] = np.cumsum(counted[where], axis=1)
    return sums
