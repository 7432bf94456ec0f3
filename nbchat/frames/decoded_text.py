"""Tokens as text: what each contributes, where it stands, and which are no text at all."""

from __future__ import annotations

from codecs import getincrementaldecoder
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nbchat.frames.token_arrays import Owner, Positions
    from nbchat.frames.token_texts import Words

    Integers = NDArray[np.int64]
    Bools = NDArray[np.bool_]

_new_decoder = getincrementaldecoder("utf-8")


@dataclass(frozen=True)
class Texts:
    """One entry for each position; starts and ends are counted from the table's start.

    - `text`: object array of str
    - `byte_end`, `char_end`: int64; `n_bytes`, `n_chars`: int64, the token's own
    - `is_special`: a control token, no part of the text; `is_end`: the one that ends it
    - `is_partial`: bytes that are not whole characters
    """

    text: NDArray[Any]
    n_bytes: Integers
    byte_end: Integers
    n_chars: Integers
    char_end: Integers
    is_special: Bools
    is_end: Bools
    is_partial: Bools


def texts_of(positions: Positions, words: Words) -> Texts:
    """Decode each table's bytes from its start, across the borders of tokens."""
    places = words.places(positions.codes)
    is_end = _ends(positions, words)
    is_special = _specials(positions, words) | is_end
    whole = np.array([t is not None for t in words.texts], dtype=bool)
    is_partial = ~whole[places] & ~is_special
    text = np.array(words.texts, dtype=object)[places]
    text[is_special] = ""
    for table in np.unique(np.searchsorted(positions.borders, np.flatnonzero(is_partial), "right")):
        stretch = slice(positions.borders[table - 1], positions.borders[table])
        text[stretch] = _decoded_together(
            [
                b"" if special else words.data[place]
                for place, special in zip(places[stretch], is_special[stretch], strict=True)
            ]
        )
    n_bytes = np.array([len(data) for data in words.data], dtype=np.int64)[places]
    n_bytes[is_special] = 0
    n_chars = np.fromiter(map(len, text), dtype=np.int64, count=len(text))
    return Texts(
        text=text,
        n_bytes=n_bytes,
        byte_end=_ends_of(n_bytes, positions.borders),
        n_chars=n_chars,
        char_end=_ends_of(n_chars, positions.borders),
        is_special=is_special,
        is_end=is_end,
        is_partial=is_partial,
    )


def _decoded_together(pieces: list[bytes]) -> list[str]:
    decoder = _new_decoder("replace")
    last = len(pieces) - 1
    return [decoder.decode(piece, final=i == last) for i, piece in enumerate(pieces)]


def _ends_of(lengths: Integers, borders: Integers) -> Integers:
    total = np.concatenate([[0], np.cumsum(lengths)])
    ends: Integers = total[1:] - np.repeat(total[borders[:-1]], np.diff(borders))
    return ends


def _specials(positions: Positions, words: Words) -> Bools:
    """Mark tokens written as control tokens that the message does not contain as text."""
    places = words.places(positions.codes)
    special = words.look_special[places]
    for at in np.flatnonzero(special):
        owner = positions.owners[np.searchsorted(positions.borders, at, side="right") - 1]
        special[at] = words.tokens[places[at]] not in _message_text(owner)
    return special


def _ends(positions: Positions, words: Words) -> Bools:
    """Mark end tokens: the last of a table, with no text or written as a control token."""
    is_end = np.zeros(len(positions), dtype=bool)
    last = positions.borders[1:] - 1
    for owner, at, length in zip(positions.owners, last, positions.lengths, strict=True):
        # an answer that ran into its limit has no end
        if length and owner.choice.finish_reason != "length":
            place = words.places(positions.codes[at : at + 1])[0]
            token = words.tokens[place]
            is_end[at] = not words.data[place] or (
                bool(words.look_special[place]) and token not in _message_text(owner)
            )
    return is_end


def _message_text(owner: Owner) -> str:
    message = owner.choice.message
    return (message.refusal if owner.channel else message.content) or ""
