"""A matplotlib figure that a notebook shows with a text in its place, for who cannot see it.

It is imported where a figure is made: matplotlib is heavy.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 600
_OF_IMAGES = ("image/png", "image/jpeg", "image/svg+xml")


class DescribedFigure(Figure):
    """Tells front ends and nbconvert what stands in it: titles, axes, legends, notes."""

    def _repr_mimebundle_(self, *_: object, **__: object) -> tuple[dict[str, str], dict[str, Any]]:
        # no picture: whoever shows figures draws it, and takes this along as the `alt` of it
        return {}, {kind: {"alt": described(self)} for kind in _OF_IMAGES}


def described(figure: Figure) -> str:
    """Say in a few sentences what a figure shows, from the words that are in it."""
    suptitle = figure.get_suptitle()
    facts = [fact for ax in figure.axes if (fact := _axes(ax))]
    text = ". ".join(dict.fromkeys([*([suptitle] if suptitle else []), *facts]))
    text = re.sub(r"\s+", " ", text).strip()
    text = text if len(text) <= _MOST else f"{text[: _MOST - 1]}…"
    return f"Figure: {text}." if text else "A figure without words."


def _axes(ax: Axes) -> str:
    titles = [ax.get_title(where) for where in ("left", "center", "right")]
    title = ", ".join(filter(None, titles))
    across, up = ax.get_xlabel(), ax.get_ylabel()
    scales = f"{up} over {across}" if across and up else up or across
    legend = ax.get_legend()
    lines = [text.get_text() for text in legend.get_texts()] if legend is not None else []
    notes = [text.get_text() for text in ax.texts if len(text.get_text().split()) > 2]
    parts = [part for part in (title, scales) if part]
    if lines:
        parts.append(f"shown are {', '.join(lines)}")
    return "; ".join([*parts, *notes])
