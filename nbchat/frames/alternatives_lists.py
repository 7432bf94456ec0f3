"""The lists of alternatives put in order: sorted, doubles removed, the sampled token found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nbchat.measures.top_k_arrays import row_numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nbchat.frames.token_arrays import Positions
    from nbchat.frames.token_texts import Words

    Codes = NDArray[np.int32]
    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Lists:
    """The alternatives of each position, from likely to unlikely, unknown ones last.

    - `offsets`: position i has the rows offsets[i] to offsets[i + 1]
    - `places`: int32, of the words; `logprobs`: nats, NaN for sentinels
    - `is_sampled`: bool, the row that is the position's own token
    - `is_listed`: bool, false for an own token that the server's list did not have
    """

    offsets: Integers
    places: Codes
    logprobs: Floats
    is_sampled: Bools
    is_listed: Bools

    @property
    def in_top(self) -> Bools:
        """Whether each position's own token is in its list."""
        has_sampled = np.zeros(len(self.offsets) - 1, dtype=bool)
        rows = np.flatnonzero(self.is_sampled & self.is_listed)
        has_sampled[np.searchsorted(self.offsets, rows, side="right") - 1] = True
        return has_sampled


def lists_of(positions: Positions, words: Words) -> Lists:
    """Give what the server listed for each position."""
    offsets, logprobs = positions.offsets, positions.alternative_logprobs
    places = words.places(positions.alternative_codes)
    order = _sorting(logprobs, offsets)
    if order is not None:
        places, logprobs = places[order], logprobs[order]
    doubles = _doubles(places, logprobs, offsets, words)
    if doubles is not None:
        kept = ~doubles
        offsets = np.concatenate([[0], np.cumsum(kept)])[offsets]
        places, logprobs = places[kept], logprobs[kept]
    return Lists(
        offsets,
        places,
        logprobs,
        _sampled(places, logprobs, offsets, words, positions),
        np.ones(len(places), dtype=bool),
    )


def with_unlisted(lists: Lists, positions: Positions, words: Words) -> Lists:
    """Give the lists with each position's own token added where the server's lacks it."""
    lacking = ~lists.in_top
    if not lacking.any():
        return lists
    where = lists.offsets[1:][lacking]
    offsets = lists.offsets + np.concatenate([[0], np.cumsum(lacking)])
    places = np.insert(lists.places, where, words.places(positions.codes)[lacking])
    logprobs = np.insert(lists.logprobs, where, positions.logprobs[lacking])
    is_sampled = np.insert(lists.is_sampled, where, values=True)
    is_listed = np.insert(lists.is_listed, where, values=False)
    order = _sorting(logprobs, offsets)
    if order is not None:
        places, logprobs = places[order], logprobs[order]
        is_sampled, is_listed = is_sampled[order], is_listed[order]
    return Lists(offsets, places, logprobs, is_sampled, is_listed)


def _sorting(logprobs: Floats, offsets: Integers) -> Integers | None:
    """Give the order in which each row falls, ties as they came; None if all do already."""
    if len(logprobs) < 2:
        return None
    # a NaN is less likely than anything, and two of them are a tie
    rises = logprobs[1:] > logprobs[:-1]
    rises |= np.isnan(logprobs[:-1]) & ~np.isnan(logprobs[1:])
    borders = offsets[1:-1]
    rises[borders[(borders > 0) & (borders < len(logprobs))] - 1] = False
    if not rises.any():
        return None
    disordered = np.zeros(len(offsets) - 1, dtype=bool)
    disordered[np.searchsorted(offsets, np.flatnonzero(rises), side="right") - 1] = True
    among = np.flatnonzero(np.repeat(disordered, np.diff(offsets)))
    keys = -np.nan_to_num(logprobs[among], nan=-np.inf)
    order = np.arange(len(logprobs))
    order[among] = among[np.lexsort((keys, row_numbers(offsets)[among]))]
    return order


def _doubles(places: Codes, logprobs: Floats, offsets: Integers, words: Words) -> Bools | None:
    """Mark each alternative whose token stands earlier in its row; None where none does."""
    identities = words.identities[places]
    keys = row_numbers(offsets) * max(len(words.tokens), 1) + identities
    ordered = np.sort(keys)
    repeated = ordered[1:][ordered[1:] == ordered[:-1]]
    if not len(repeated):
        return None
    among = np.flatnonzero(np.isin(keys, np.unique(repeated)))
    among = among[np.argsort(keys[among], kind="stable")]
    later, earlier = among[1:], among[:-1]
    is_same = words.are_telling[places[later]] | (logprobs[later] == logprobs[earlier])
    doubles = np.zeros(len(places), dtype=bool)
    doubles[later[(keys[later] == keys[earlier]) & is_same]] = True
    return doubles if doubles.any() else None


def _sampled(
    places: Codes, logprobs: Floats, offsets: Integers, words: Words, positions: Positions
) -> Bools:
    """Mark the row of each position's own token."""
    sampled = words.places(positions.codes)
    lengths = np.diff(offsets)
    is_sampled: Bools = words.identities[places] == np.repeat(words.identities[sampled], lengths)
    unsure = is_sampled & ~words.are_telling[places]
    if unsure.any():
        at = np.flatnonzero(unsure)
        row = np.searchsorted(offsets, at, side="right") - 1
        is_sampled[at] = logprobs[at] == positions.logprobs[row]
    return is_sampled
