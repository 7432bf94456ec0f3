"""What two texts have in common, word by word."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from itertools import groupby, takewhile
from typing import Literal

Mark = Literal["same", "added", "removed"]
Piece = tuple[str, Mark]

# A word has the blanks before it: alone they are in every text, and part what belongs together.
_WORDS = re.compile(r"\s*(?:\w+|[^\w\s])|\s+")
# words of one text times words of the other, where they differ: more takes more than a second,
# and frequent words are then left out of the search
_MOST_PAIRS = 100_000_000


def differences(before: str, after: str) -> tuple[list[Piece], list[Piece]]:
    """Give both texts in pieces: those of the first same or removed, of the second same or added.

    Pieces next to one another have different marks; together they are the text. Lines are
    compared first, then the words of lines that differ (difflib), each with the blanks before
    it.
    """
    parts = [*_parts(before, after)]
    return (
        _joined((old, "same" if is_same else "removed") for old, _, is_same in parts),
        _joined((new, "same" if is_same else "added") for _, new, is_same in parts),
    )


def _joined(pieces: Iterable[Piece]) -> list[Piece]:
    """Join neighbours of the same mark, and leave out what is empty."""
    marked = groupby((piece for piece in pieces if piece[0]), key=lambda piece: piece[1])
    return [("".join(text for text, _ in group), mark) for mark, group in marked]


def _parts(before: str, after: str) -> Iterator[tuple[str, str, bool]]:
    """Give the stretches of both texts beside each other, and whether they are the same."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    for tag, i, j, k, m in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        lines = "".join(old[i:j]), "".join(new[k:m])
        if tag == "replace":
            yield from _words(*lines)
        else:
            yield *lines, tag == "equal"


def _words(before: str, after: str) -> Iterator[tuple[str, str, bool]]:
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    is_long = len(old) * len(new) > _MOST_PAIRS
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=is_long)
    for tag, i, j, k, m in matcher.get_opcodes():
        texts = "".join(old[i:j]), "".join(new[k:m])
        blank = "" if tag == "equal" else _blank_before(*texts)
        yield blank, blank, True
        yield texts[0][len(blank) :], texts[1][len(blank) :], tag == "equal"


def _blank_before(one: str, other: str) -> str:
    """Give the blanks that both begin with."""
    blanks = takewhile(
        lambda pair: pair[0] == pair[1] and pair[0].isspace(), zip(one, other, strict=False)
    )
    return "".join(blank for blank, _ in blanks)
