"""The tokens of a reply that is JSON, by the bytes of its text that they write."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING

import numpy as np

from nbchat.frames.allowed_probability import Row
from nbchat.frames.alternatives_lists import lists_of, with_unlisted
from nbchat.frames.decoded_text import texts_of
from nbchat.frames.reply_end import end_of
from nbchat.frames.text_alignment import reply_prefix, token_places
from nbchat.frames.token_arrays import positions_of
from nbchat.frames.token_texts import Words
from nbchat.measures.rounding import rounding_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nbchat.frames.alternatives_lists import Lists
    from nbchat.frames.source import RunLike
    from nbchat.measures import EventLogprob


@dataclass(frozen=True)
class Written:
    """The tokens of a text that are known to stand in it, and where: one entry for each.

    - `at`: the position in the lists; `tokens`: its own bytes; `logprobs`: nats
    - `is_merged`: its list is of the last piece of a character
    - `start`, `end`: int64, bytes of the text
    - `covered`: for each byte of the text, how many before it have a token
    - `n_begun`: the bytes at the text's beginning that the request gave
    - `first`: where the list begins in all arrays; `rounding`: how far its masses can be off
    - `ending`: the log probability that the reply ends in its last row, by all tokens that end one;
      None where the row has no end or these are not known
    """

    at: NDArray[np.int64]
    tokens: list[bytes]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    logprobs: NDArray[np.float64]
    is_merged: NDArray[np.bool_]
    covered: NDArray[np.int64]
    n_begun: int
    lists: Lists
    words: Words
    vocab_size: int | None
    first: int
    rounding: float
    ending: EventLogprob | None

    def row(self, i: int) -> Row:
        """Give what is known of a position's tokens, for `allowed_share`."""
        if self.is_merged[i]:
            return Row(self.tokens[i], nan, (), 1.0)
        offsets = self.lists.offsets
        rows = np.arange(offsets[self.at[i]], offsets[self.at[i] + 1])
        probs = np.exp(self.lists.logprobs[rows])
        known = ~np.isnan(probs)
        rows, probs = rows[known], probs[known]
        is_whole = self.vocab_size is not None and len(rows) >= self.vocab_size
        rest = max(0.0, 1.0 - float(probs.sum()))
        unseen = 0.0 if is_whole else min(1.0, rest + self.rounding)
        tokens = [self.words.data[place] for place in self.lists.places[rows].tolist()]
        listed = zip(tokens, probs.tolist(), strict=True)
        return Row(self.tokens[i], float(np.exp(self.logprobs[i])), listed, unseen)


def tokens_in(run: RunLike, choice: int, data: bytes) -> Written | None:
    """Find the content's tokens in the text; None where there are none."""
    positions = positions_of([run])
    table = next(
        (
            number
            for number, owner in enumerate(positions.owners)
            if owner.choice.index == choice and owner.channel == 0
        ),
        None,
    )
    if table is None or not positions.lengths[table]:
        return None
    words = Words(positions.codes, positions.alternative_codes)
    texts = texts_of(positions, words)
    first, stop = int(positions.borders[table]), int(positions.borders[table + 1])
    at = np.arange(first, stop)
    places = words.places(positions.codes[at]).tolist()
    tokens = [
        b"" if special else words.data[place]
        for place, special in zip(places, texts.is_special[at], strict=True)
    ]
    joined = b"".join(tokens)
    prefix = reply_prefix(getattr(run, "messages", ())).encode("utf-8", "surrogatepass")
    ends = texts.byte_end[at]
    starts, ends, is_placed = token_places(ends - texts.n_bytes[at], ends, joined, data, prefix)
    kept = is_placed & ((ends > starts) | texts.is_end[at])
    starts, ends, at = starts[kept], ends[kept], at[kept]
    tokens = [tokens[place] for place in np.flatnonzero(kept)]
    borders = np.zeros(len(data) + 1, dtype=np.int64)
    np.add.at(borders, np.clip(starts, 0, len(data)), 1)
    np.add.at(borders, np.clip(ends, 0, len(data)), -1)
    return Written(
        at=at,
        tokens=tokens,
        start=starts,
        end=ends,
        logprobs=positions.logprobs[at],
        is_merged=positions.is_merged[at],
        covered=np.concatenate([[0], np.cumsum(np.cumsum(borders)[:-1])]),
        n_begun=len(prefix) if data.startswith(prefix) and data != joined else 0,
        lists=with_unlisted(lists_of(positions, words), positions, words),
        words=words,
        vocab_size=run.vocab_size,
        first=first,
        rounding=rounding_of(positions.logprobs[first:stop]),
        ending=end_of(positions, stop - 1, run) if texts.is_end[stop - 1] else None,
    )
