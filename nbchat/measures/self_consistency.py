"""How far several answers to the same question agree."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from math import nan
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

# what stands around an answer and is no part of it; a point before a digit is
_QUOTES = r"""\s"'`“”‘’«»()\[\]{}*_,;:!?¿¡…"""
_AROUND = re.compile(rf"^(?:[{_QUOTES}]|\.(?!\d))+|[{_QUOTES}.]+$")


class Consistency(NamedTuple):
    """`answer`: the most frequent one, normalised; `share` of the samples; `counts` of all."""

    answer: Hashable
    share: float
    counts: dict[Hashable, int]


def normalised(answer: str) -> str:
    """Give an answer without what two that are meant the same may differ in.

    Compatibility forms of characters are one (NFKC), case is folded, blanks are single, and
    blanks and punctuation around the whole are gone: " Paris." is "paris". Signs that carry
    meaning (-5, .5, $5, 5 %) stay, and so does an answer of nothing else.
    """
    folded = unicodedata.normalize("NFKC", answer).casefold()
    spaced = " ".join(unicodedata.normalize("NFKC", folded).split())
    return _AROUND.sub("", spaced) or spaced


def self_consistency(
    answers: Iterable[str | None], normalise: Callable[[str], Hashable] = normalised
) -> Consistency:
    """Give the most frequent answer of several samples, and its share of them.

    Answers are the same where `normalise` makes them equal; of equally frequent ones it is
    the first. A None (no answer could be read) is left out. Without any: None and NaN.
    Source: Wang et al., arXiv 2203.11171.
    """
    counts = Counter(normalise(answer) for answer in answers if answer is not None)
    if not counts:
        return Consistency(None, nan, {})
    # a Counter keeps the order of appearance among equals
    (answer, most), *_ = counts.most_common()
    return Consistency(answer, most / counts.total(), dict(counts.most_common()))
