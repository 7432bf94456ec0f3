"""Where formulas and code stand in Markdown, and which formulas a page may typeset.

A formula is what MathJax in JupyterLab takes for one: ``$…$`` (by the rule of Pandoc, which
tells it from a price), ``$$…$$``, ``\\(…\\)``, ``\\[…\\]`` and environments; none goes on past an
empty line. Some commands of MathJax do more than typeset: they define macros for all formulas
of the page, the user's own included, load extensions, or put links, classes and styles into it.
A formula with one of them is text. The work is linear in the text, whatever stands in it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Kind = Literal["text", "code", "formula"]

# Commands that outlive their formula or reach beyond it: those of MathJax's packages newcommand,
# ams, mathtools, extpfeil, color, html, unicode, bbox, require and setoptions, those of base that
# take attributes, and what TeX itself calls the same.
_ACTING = re.compile(
    r"\\(?:[egx]?def|let|futurelet|global|catcode|csname|expandafter|Declare[A-Za-z]+"
    r"|(?:re)?new(?:command|environment|tagform)|providecommand|NewDocumentCommand|usetagform"
    r"|mathtoolsset|Newextarrow|definecolor|require|setOptions"
    r"|href|url|class|style|cssId|data|unicode|bbox|mmlToken)(?![A-Za-z])"
)

_CODE = re.compile(
    r"^[ ]{0,3}(?P<fence>`{3,}|~{3,})(?P<info>[^\n]*)|(?P<ticks>`+)|\\[^\n]", re.MULTILINE
)
_FORMULA = re.compile(
    r"\\begin\{(?P<environment>[A-Za-z]+\*?)\}|\\(?P<bracket>[(\[])|\\[^\n]|(?P<dollars>\$+)"
)
_FENCE_LINE = re.compile(r"^[ ]{0,3}(`{3,}|~{3,})[ \t]*$", re.MULTILINE)
_EMPTY_LINE = re.compile(r"\n[ \t\r\f\v]*(?=\n)")
_BACKSLASHED = re.compile(r"\\(?:(end\{[A-Za-z]+\*?\})|[^\n])")
_TICKS = re.compile(r"`+")
_DOLLARS = re.compile(r"(?:\\[^\n])|(\$+)")
_BRACKETS = {"(": "\\)", "[": "\\]"}


class Piece(NamedTuple):
    """A stretch of Markdown and what it is."""

    text: str
    kind: Kind


def acts(text: str) -> bool:
    """Tell whether a text has a command that does more than typeset, however it is escaped."""
    return "\\" in text and _ACTING.search(text) is not None


def pieces(markdown: str) -> list[Piece]:
    """Cut Markdown into text, code and formulas; joined, they are the Markdown."""
    return [
        part
        for piece in _cut(markdown, "code", _code_spans(markdown))
        for part in (
            _cut(piece.text, "formula", _formula_spans(piece.text))
            if piece.kind == "text"
            else [piece]
        )
    ]


def _cut(text: str, kind: Kind, spans: Iterator[tuple[int, int]]) -> Iterator[Piece]:
    end = 0
    for start, stop in spans:
        if start > end:
            yield Piece(text[end:start], "text")
        yield Piece(text[start:stop], kind)
        end = stop
    if end < len(text):
        yield Piece(text[end:], "text")


def _code_spans(markdown: str) -> Iterator[tuple[int, int]]:
    places, end = _Places(markdown), 0
    while match := _CODE.search(markdown, end):
        start, end = match.span()
        fence = match["fence"]
        if fence and (fence[0] == "~" or "`" not in match["info"]):
            yield start, (end := places.end_of_fence(match))
            continue
        name = "fence" if fence else "ticks"
        if match[name]:
            start, end = match.span(name)
            if stop := places.after(match[name], end):
                yield start, (end := stop)


def _formula_spans(text: str) -> Iterator[tuple[int, int]]:
    places, end = _Places(text), 0
    while match := _FORMULA.search(text, end):
        start, end = match.span()
        if stop := _end_of_formula(text, match, places):
            yield start, (end := stop)


def _end_of_formula(markdown: str, match: re.Match[str], places: _Places) -> int:
    """Give where the formula ends that begins here; 0 where none does."""
    if name := match["environment"]:
        return places.after(f"\\end{{{name}}}", match.end())
    if bracket := match["bracket"]:
        return places.after(_BRACKETS[bracket], match.end())
    dollars = match["dollars"]
    if not dollars or len(dollars) > 2:
        return 0
    stop = places.after_dollars(len(dollars), match.end())
    if len(dollars) == 2 or not stop:
        return stop
    inside, following = markdown[match.end() : stop - 1], markdown[stop : stop + 1]
    is_price = inside[0].isspace() or inside[-1].isspace() or following.isdigit()
    return 0 if is_price else stop


class _Places:
    """Where things end in a text. What is asked for is looked up, and found once for all."""

    def __init__(self, markdown: str):
        self._markdown = markdown
        self._starts_of: dict[str, dict[str, list[int]]] = {}

    def end_of_fence(self, opening: re.Match[str]) -> int:
        # what is passed on the way belongs to the block, so that nothing is passed twice
        for line in _FENCE_LINE.finditer(self._markdown, opening.end()):
            if line[1][0] == opening["fence"][0] and len(line[1]) >= len(opening["fence"]):
                return line.end()
        return len(self._markdown)

    def after(self, closer: str, position: int) -> int:
        """Give where this closer ends, at or after a position in its paragraph; 0 for nowhere."""
        starts = self._starts("ticks" if closer[0] == "`" else "backslashed").get(closer, [])
        start = _next(starts, position)
        return start + len(closer) if start is not None and self._is_near(position, start) else 0

    def after_dollars(self, count: int, position: int) -> int:
        """Give where the next dollars end, if they are so many; 0 where they are not."""
        starts = self._starts("dollars")
        start = _next(starts["all"], position)
        if start is None or not self._is_near(position, start):
            return 0
        is_fitting = self._markdown.startswith("$" * count, start) and not (
            self._markdown.startswith("$" * (count + 1), start)
        )
        return start + count if is_fitting and start > position else 0

    def _is_near(self, position: int, start: int) -> bool:
        blank = _next(self._starts("blanks")["all"], position)
        return blank is None or start < blank

    def _starts(self, what: str) -> dict[str, list[int]]:
        if what not in self._starts_of:
            starts: dict[str, list[int]] = defaultdict(list)
            for name, start in _FINDERS[what](self._markdown):
                starts[name].append(start)
            self._starts_of[what] = starts
        return self._starts_of[what]


def _next(starts: list[int], position: int) -> int | None:
    place = bisect_left(starts, position)
    return starts[place] if place < len(starts) else None


_FINDERS: dict[str, Callable[[str], Iterator[tuple[str, int]]]] = {
    "ticks": lambda text: ((match[0], match.start()) for match in _TICKS.finditer(text)),
    "backslashed": lambda text: (
        (match[0], match.start()) for match in _BACKSLASHED.finditer(text)
    ),
    "dollars": lambda text: (
        ("all", match.start()) for match in _DOLLARS.finditer(text) if match[1]
    ),
    "blanks": lambda text: (("all", match.start()) for match in _EMPTY_LINE.finditer(text)),
}
