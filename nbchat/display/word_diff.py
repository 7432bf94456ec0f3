"""What two texts have in common, word by word."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import accumulate, groupby, takewhile
from typing import Literal

Mark = Literal["same", "added", "removed"]
Piece = tuple[str, Mark]

# A word has the blanks before it: alone they are in every text, and part what belongs together.
_WORDS = re.compile(r"\s*(?:\w+|[^\w\s])|\s+")
# Pairs of like words (or lines) that are looked at: more takes more than some seconds. What is
# left then differs. Before that, frequent words are left out of the search.
_MOST_LOOKED_AT = 20_000_000


def differences(before: str, after: str) -> tuple[list[Piece], list[Piece]]:
    """Give both texts in pieces: those of the first same or removed, of the second same or added.

    Pieces next to one another have different marks; together they are the text. Lines are
    compared first, then the words of lines that differ (difflib), each with the blanks before
    it. Where that would take more than some seconds, what is left is removed and added.
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
    for tag, i, j, k, m in _opcodes(old, new):
        lines = "".join(old[i:j]), "".join(new[k:m])
        if tag == "replace":
            yield from _words(*lines)
        else:
            yield *lines, tag == "equal"


def _words(before: str, after: str) -> Iterator[tuple[str, str, bool]]:
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    for tag, i, j, k, m in _opcodes(old, new):
        texts = "".join(old[i:j]), "".join(new[k:m])
        blank = "" if tag == "equal" else _blank_before(*texts)
        yield blank, blank, True
        yield texts[0][len(blank) :], texts[1][len(blank) :], tag == "equal"


def _opcodes(old: list[str], new: list[str]) -> Iterator[tuple[str, int, int, int, int]]:
    """Give what difflib says of two lists, in bounded time: the ends that are the same are."""
    start = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))
    pairs = zip(reversed(old[start:]), reversed(new[start:]), strict=False)
    end = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    old_end, new_end = len(old) - end, len(new) - end
    if start:
        yield "equal", 0, start, 0, start
    matcher = _BoundedMatcher(old[start:old_end], new[start:new_end])
    for tag, i, j, k, m in matcher.get_opcodes():
        yield tag, start + i, start + j, start + k, start + m
    if end:
        yield "equal", old_end, len(old), new_end, len(new)


class _BoundedMatcher(difflib.SequenceMatcher[str]):
    """Finds no more once it has looked at so many pairs; difflib alone takes cubic time."""

    def __init__(self, old: list[str], new: list[str]):
        counts = Counter(new)
        is_long = sum(counts[word] for word in old) > _MOST_LOOKED_AT
        self._left = _MOST_LOOKED_AT
        super().__init__(None, old, new, autojunk=is_long)
        # pairs of all words before each place: what a search in a stretch costs
        looked_up: dict[str, list[int]] = vars(self)["b2j"]
        sizes = (1 + len(looked_up.get(word, ())) for word in old)
        self._pairs_before = [0, *accumulate(sizes)]

    def find_longest_match(
        self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None
    ) -> difflib.Match:
        cost = self._pairs_before[-1 if ahi is None else ahi] - self._pairs_before[alo]
        if cost > self._left:
            return difflib.Match(alo, blo, 0)
        self._left -= cost
        return super().find_longest_match(alo, ahi, blo, bhi)


def _blank_before(one: str, other: str) -> str:
    """Give the blanks that both begin with."""
    blanks = takewhile(
        lambda pair: pair[0] == pair[1] and pair[0].isspace(), zip(one, other, strict=False)
    )
    return "".join(blank for blank, _ in blanks)
