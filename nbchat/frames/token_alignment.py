"""Which tokens of two replies stand for the same bytes, however each was cut into tokens."""

from __future__ import annotations

import difflib
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Literal, NamedTuple

Op = Literal["same", "only_a", "only_b"]

# Words and marks with the blanks before them (a blank alone is in every text, and would part
# what belongs together); a character each of scripts that put no blanks between words.
_UNSPACED = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uf900-\ufaff"
_ATOMS = re.compile(rf"\s*(?:[{_UNSPACED}]|(?:(?![{_UNSPACED}])\w)+|[^\w\s])|\s+")
# atoms of one text times atoms of the other: more takes more than a second, and frequent
# atoms are then left out of the search
_MOST_PAIRS = 100_000_000


class Pair(NamedTuple):
    """Tokens `a` of one list and `b` of the other: the same bytes, or one token of one alone."""

    op: Op
    a: range
    b: range


class _Block(NamedTuple):
    """The bytes from `a` on in one text that are those from `b` on in the other."""

    a: int
    b: int
    size: int


def paired(a: Sequence[bytes], b: Sequence[bytes]) -> Iterator[Pair]:
    """Give the tokens of two lists side by side, in order.

    Texts are compared by words (difflib), from the first byte in which they differ. Where they
    are the same, tokens are put together up to the next byte at which both have a border:
    several against one where the two were cut differently. A token that is not wholly in what
    is the same is in one alone, and so is one without bytes, but for those that end both.
    """
    n_a, n_b = (_ending(tokens) for tokens in (a, b))
    at_a = at_b = 0
    borders_a, borders_b = ([0, *accumulate(map(len, tokens))] for tokens in (a, b))
    for block in _blocks(b"".join(a), b"".join(b)):
        for of_a, of_b in _groups(block, borders_a, borders_b):
            yield from _alone(range(at_a, of_a.start), range(at_b, of_b.start))
            yield Pair("same", of_a, of_b)
            at_a, at_b = of_a.stop, of_b.stop
    n_ends = min(len(a) - n_a, len(b) - n_b) if at_a <= n_a and at_b <= n_b else 0
    yield from _alone(range(at_a, len(a) - n_ends), range(at_b, len(b) - n_ends))
    for i in range(n_ends, 0, -1):
        yield Pair("same", range(len(a))[-i:][:1], range(len(b))[-i:][:1])


def _ending(tokens: Sequence[bytes]) -> int:
    """Give where the tokens without bytes begin that end a list."""
    n = len(tokens)
    while n and not tokens[n - 1]:
        n -= 1
    return n


def _alone(of_a: range, of_b: range) -> Iterator[Pair]:
    for i in of_a:
        yield Pair("only_a", range(i, i + 1), of_b[:0])
    for i in of_b:
        yield Pair("only_b", of_a[:0], range(i, i + 1))


def _groups(block: _Block, a: Sequence[int], b: Sequence[int]) -> Iterator[tuple[range, range]]:
    """Give the least ranges of tokens of both that cover the same bytes of a block."""
    cuts_a = _cuts(a, block.a, block.size)
    cuts_b = _cuts(b, block.b, block.size)
    common = sorted(cuts_a.keys() & cuts_b.keys())
    for start, stop in pairwise(common):
        # a token without bytes stands before the border that it shares with the next one
        yield (
            range(cuts_a[start][1], cuts_a[stop][0]),
            range(cuts_b[start][1], cuts_b[stop][0]),
        )


def _cuts(borders: Sequence[int], start: int, size: int) -> dict[int, tuple[int, int]]:
    """Map each border of a stretch, from its start, to the first and last token that has it."""
    inside = range(bisect_left(borders, start), bisect_right(borders, start + size))
    cuts: dict[int, tuple[int, int]] = {}
    for i in inside:
        at = borders[i] - start
        cuts[at] = (cuts.get(at, (i, i))[0], i)
    return cuts


def _blocks(a: bytes, b: bytes) -> list[_Block]:
    """Give what the texts have in common, in order; blocks next to each other are joined."""
    shorter = min(len(a), len(b))
    n_same = next((i for i in range(shorter) if a[i] != b[i]), shorter)
    blocks = [_Block(0, 0, n_same)] if n_same else []
    for block in _later_blocks(a[n_same:], b[n_same:]):
        last = blocks[-1] if blocks else _Block(0, 0, 0)
        now = _Block(block.a + n_same, block.b + n_same, block.size)
        if blocks and (last.a + last.size, last.b + last.size) == (now.a, now.b):
            blocks[-1] = last._replace(size=last.size + now.size)
        else:
            blocks.append(now)
    return blocks


def _later_blocks(a: bytes, b: bytes) -> Iterator[_Block]:
    old, new = (_ATOMS.findall(text.decode("utf-8", "surrogateescape")) for text in (a, b))
    is_long = len(old) * len(new) > _MOST_PAIRS
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=is_long)
    at_a, at_b = (
        [0, *accumulate(len(atom.encode("utf-8", "surrogateescape")) for atom in atoms)]
        for atoms in (old, new)
    )
    for i, j, size in matcher.get_matching_blocks():
        if size:
            yield _Block(at_a[i], at_b[j], at_a[i + size] - at_a[i])
