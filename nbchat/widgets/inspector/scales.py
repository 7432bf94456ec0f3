"""What tokens can be coloured by, and which colour a figure has."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

from nbchat.frames.page_columns import PageFigure, figures_of
from nbchat.plots.heatmap import SCALE, ink

# pale where the model was sure, dark where it was not: in every measure, as in the heat map
_PALE_TO_DARK = tuple(colour for _, colour in reversed(SCALE))
_DARK_TO_PALE = tuple(colour for _, colour in SCALE)
_SHARES = tuple(least for least, _ in SCALE)


class Measure(NamedTuple):
    """A figure of a token. `floors[i]` is the least figure that has `colours[i]`, rising.

    `unknown` is what the legend calls a token without the figure.
    """

    figure: PageFigure
    floors: tuple[float, ...]
    colours: tuple[str, ...]
    unknown: str = "not known"
    whole: bool = False
    highest: float | None = None


_FIGURES = {figure.name: figure for figure in figures_of("tokens")}
MEASURES = (
    Measure(_FIGURES["prob"], _SHARES, _DARK_TO_PALE, highest=1),
    Measure(_FIGURES["surprisal_bits"], (0, 0.1, 0.5, 1, 2, 4, 8), _PALE_TO_DARK),
    Measure(_FIGURES["entropy_lo_bits"], (0, 0.1, 0.5, 1, 2, 4, 6), _PALE_TO_DARK),
    Measure(
        _FIGURES["rank"],
        (1, 2, 3, 4, 6, 11, 21),
        _PALE_TO_DARK,
        unknown="not in the list",
        whole=True,
    ),
    Measure(_FIGURES["margin"], _SHARES, _DARK_TO_PALE, highest=1),
)


def scales() -> list[dict[str, Any]]:
    """Give the measures as plain JSON: with the ink of each colour and the legend's words."""
    return [
        {
            "name": m.figure.name,
            "label": m.figure.label,
            "unit": m.figure.unit,
            "floors": list(m.floors),
            "colours": list(m.colours),
            "inks": [ink(colour) for colour in m.colours],
            "words": list(words_of(m)),
            "unknown": m.unknown,
        }
        for m in MEASURES
    ]


def words_of(measure: Measure) -> list[str]:
    """Say for each colour which figures have it."""
    first, *between = measure.floors
    words = [_between(low, high, whole=measure.whole) for low, high in pairwise(measure.floors)]
    words[0] = words[0] if measure.whole else f"below {between[0]:g}"
    last = between[-1] if between else first
    if measure.highest is None:
        return [*words, f"{last:g} or more"]
    return [*words, f"{last:g}–{measure.highest:g}"]


def _between(low: float, high: float, *, whole: bool) -> str:
    if not whole:
        return f"{low:g}–{high:g}"
    return f"{low:g}" if high == low + 1 else f"{low:g}–{high - 1:g}"
