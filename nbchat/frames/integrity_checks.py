"""What can be wrong with a position's log probabilities, found for all positions at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nbchat.frames.token_texts import REPLACEMENT
from nbchat.measures import top_k_arrays

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nbchat.frames.alternatives_lists import Lists
    from nbchat.frames.decoded_text import Texts
    from nbchat.frames.token_arrays import Positions
    from nbchat.frames.token_texts import Words

    Bools = NDArray[np.bool_]

# Probabilities come rounded: 49,152 of them in 32 bits sum to 1.0003, and -1e-7 can come as 0.
_MOST_MASS = 1.001
_ROUNDING = 1e-3
# nothing that a language model reads leaves every token less than this
_LEAST_TOP = 1e-4


@dataclass(frozen=True)
class Facts:
    """What the checks look at: the positions as sent, and as nbchat put them in order."""

    positions: Positions
    words: Words
    texts: Texts
    lists: Lists

    @property
    def places(self) -> NDArray[np.int32]:
        """The place of each position's own token among the words."""
        return self.words.places(self.positions.codes)


def _is_censored(facts: Facts) -> Bools:
    return np.isnan(facts.positions.logprobs) & ~facts.positions.is_merged


def _is_merged(facts: Facts) -> Bools:
    return facts.positions.is_merged


def _is_positive(facts: Facts) -> Bools:
    positions = facts.positions
    alternatives = positions.alternative_logprobs > _ROUNDING
    is_above: Bools = positions.logprobs > _ROUNDING
    return is_above | (top_k_arrays.row_sums(alternatives, positions.offsets) > 0)


def _is_heavy(facts: Facts) -> Bools:
    lists = facts.lists
    mass = top_k_arrays.masses(np.exp(lists.logprobs), lists.offsets)
    sampled = np.where(lists.in_top, 0.0, np.exp(facts.positions.logprobs))
    is_above: Bools = mass + np.nan_to_num(sampled) > _MOST_MASS
    return is_above


def _is_near_zero(facts: Facts) -> Bools:
    first, _ = top_k_arrays.first_two(facts.lists.logprobs, facts.lists.offsets)
    # a list of one may be the token that was drawn, which can be as unlikely as it likes
    is_low: Bools = (np.diff(facts.lists.offsets) > 1) & (np.exp(first) < _LEAST_TOP)
    return is_low


def _is_disordered(facts: Facts) -> Bools:
    """Mark rows that do not fall. Some servers put the token that was drawn first: no fault."""
    positions = facts.positions
    logprobs, offsets = positions.alternative_logprobs, positions.offsets
    rises = np.zeros(len(logprobs), dtype=bool)
    if len(logprobs):
        known = np.nan_to_num(logprobs, nan=-np.inf)
        rises[:-1] = known[1:] > known[:-1] + _ROUNDING
        filled = np.flatnonzero(np.diff(offsets) > 0)
        rises[offsets[1:][filled] - 1] = False
        starts = offsets[:-1][filled]
        is_own = positions.alternative_codes[starts] == positions.codes[filled]
        rises[starts[is_own]] = False
    return top_k_arrays.row_sums(rises, offsets) > 0


def _has_doubles(facts: Facts) -> Bools:
    is_shorter: Bools = np.diff(facts.lists.offsets) < np.diff(facts.positions.offsets)
    return is_shorter


def _is_outside(facts: Facts) -> Bools:
    return ~facts.lists.in_top & (np.diff(facts.lists.offsets) > 0)


def _is_passed_over(facts: Facts) -> Bools:
    """Mark tokens that are not listed though they are more likely than one that is."""
    least = top_k_arrays.smallest(facts.lists.logprobs, facts.lists.offsets)
    return _is_outside(facts) & (facts.positions.logprobs > least + _ROUNDING)


def _differs(facts: Facts) -> Bools:
    lists = facts.lists
    listed = np.full(len(facts.positions), np.nan)
    listed[lists.in_top] = lists.logprobs[lists.is_sampled]
    differs: Bools = np.abs(listed - facts.positions.logprobs) > _ROUNDING
    return differs


def _is_empty(facts: Facts) -> Bools:
    is_empty: Bools = (facts.texts.n_bytes == 0) & ~facts.texts.is_special
    return is_empty


def _is_replaced(facts: Facts) -> Bools:
    lost = np.array([REPLACEMENT in data for data in facts.words.data], dtype=bool)
    marked: Bools = lost[facts.places]
    return marked


#: check -> the function that marks the positions where it finds something, and what that means
CHECKS: Mapping[str, tuple[Callable[[Facts], Bools], str]] = {
    "censored": (_is_censored, "no usable log probability: sums leave it out and are bounds"),
    "merged": (
        _is_merged,
        "a row for a character of several tokens has no probability of its own: sums are bounds",
    ),
    "above 0": (_is_positive, "a log probability above 0: no probability is above 1"),
    "mass above 1": (_is_heavy, "the probabilities of the list sum to more than 1"),
    "near zero": (_is_near_zero, "even the likeliest token listed is next to impossible"),
    "disorder": (_is_disordered, "the list does not fall from likely to unlikely; sorted here"),
    "doubles": (_has_doubles, "a token is listed twice; the second is left out here"),
    "passed over": (_is_passed_over, "a token not listed that is likelier than one that is"),
    "differs": (_differs, "the token has another log probability in its own list"),
    "empty": (_is_empty, "a token without text that is not the end token"),
    "bytes lost": (_is_replaced, "U+FFFD in the place of bytes: part of a character is lost"),
    "not listed": (_is_outside, "the token was drawn, and is not among those listed"),
}
#: worth knowing, and no fault
NO_FAULTS = {"not listed"}
