"""Where words begin and end in a text: at white space, or by Unicode's rules."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Literal

WordRule = Literal["space", "unicode"]

_SPACED = re.compile(r"\s*\S+")
_MID = frozenset(":··՟״‧︓﹕：")
_MID_BOTH = frozenset(".'‘’․﹒＇．")
_MID_NUMBER = frozenset(",;;։،؍٬߸⁄︐︔﹐﹔，；")
# scripts that write no spaces between words; only a dictionary could find them
_ALONE = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3041-\u309f\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\U0001b001-\U0001b11f\U00020000-\U0003ffff]"
)
_KATAKANA = re.compile(
    "[\u3031-\u3035\u309b\u309c\u30a0-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9d]"
)
_PICTURE = re.compile("[\u00a9\u00ae\u203c-\u3299\U0001f000-\U0001faff]")
_HEBREW = re.compile("[\u05d0-\u05ea]")
_JOINER = "\u200d"


def words_in(text: str, by: WordRule = "space") -> list[tuple[int, int]]:
    """Give the start and end (characters) of each word, with the blanks before it.

    - "space": what stands between white space, as in reading-time studies
    - "unicode": the words of Unicode's text segmentation (UAX 29); marks of punctuation are
      words of their own. Of scripts without spaces (Thai, Chinese) each letter is one

    Blanks at the end of the text are of no word. Raise ValueError for another rule.
    """
    if by == "space":
        return [match.span() for match in _SPACED.finditer(text)]
    if by != "unicode":
        raise ValueError(f'words are cut by "space" or by "unicode", not by {by!r}')
    spans: list[tuple[int, int]] = []
    start = 0
    for end in _breaks(text):
        if not text[start:end].isspace():
            spans.append((start, end))
            start = end
    return spans


def _breaks(text: str) -> Iterator[int]:
    """Give each place in a text where a segment of UAX 29 ends."""
    kinds = [_kind(char) for char in text]
    # what only extends the character before it is looked through (WB4)
    seen = [i for i, kind in enumerate(kinds) if kind != "extend" or i == 0]
    flags = 0
    for n, i in enumerate(seen[1:], start=1):
        before = seen[n - 1]
        around = (
            kinds[seen[n - 2]] if n > 1 else "",
            kinds[before],
            kinds[i],
            kinds[seen[n + 1]] if n + 1 < len(seen) else "",
        )
        flags = flags + 1 if kinds[before] == "flag" else 0
        is_joined = kinds[i] == "picture" and text[i - 1] == _JOINER
        is_spaced = around[1] == around[2] == "blank" and before == i - 1
        chars = (text[before], text[i])
        if not (is_joined or is_spaced or _goes_on(around, chars, flags)):
            yield i
    if text:
        yield len(text)


def _goes_on(around: tuple[str, str, str, str], chars: tuple[str, str], flags: int) -> bool:
    """Tell whether no break is between the middle two of four kinds; `flags` end before it."""
    first, left, right, last = around
    if chars == ("\r", "\n"):
        return True
    if left == right == "flag":
        return flags % 2 == 1
    if "letter" in (first, left) and "letter" in (right, last):
        if left == "letter" and (right == "letter" or (right in _OF_LETTERS and last == "letter")):
            return True
        if first == "letter" and left in _OF_LETTERS and right == "letter":
            return True
    if '"' in chars and any(map(_HEBREW.match, chars)):
        # as in an abbreviation
        return (left, last) == ("letter", "letter") or (first, right) == ("letter", "letter")
    if left == "number" and right in _OF_NUMBERS and last == "number":
        return True
    if first == "number" and left in _OF_NUMBERS and right == "number":
        return True
    pair = {left, right}
    if pair <= {"letter", "number"} or (left == right and left in ("katakana", "connector")):
        return True
    return "connector" in pair and pair <= {"connector", "letter", "number", "katakana"}


_OF_LETTERS = ("mid", "mid both")
_OF_NUMBERS = ("mid number", "mid both")


def _kind(char: str) -> str:
    category = unicodedata.category(char)
    if char.isspace():
        return "blank"
    if category in ("Mn", "Me", "Mc", "Cf") or "\U0001f3fb" <= char <= "\U0001f3ff":
        return "extend"
    if "\U0001f1e6" <= char <= "\U0001f1ff":
        return "flag"
    for kind, chars in (("mid", _MID), ("mid both", _MID_BOTH), ("mid number", _MID_NUMBER)):
        if char in chars:
            return kind
    if _KATAKANA.match(char):
        return "katakana"
    if _ALONE.match(char):
        return "alone"
    if category[0] == "L" or category == "Nl" or char in "ⒶⓏⓐⓩ":
        return "letter"
    if category == "Nd":
        return "number"
    if category == "Pc" or char == "\u202f":
        return "connector"
    return "picture" if _PICTURE.match(char) else "other"
