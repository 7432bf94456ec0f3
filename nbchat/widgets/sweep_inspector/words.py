"""Values of any kind in words that a message can hold and a page can show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nbchat.display.characters import encodable, visible
from nbchat.plots.axes import counted
from nbchat.plots.axis_values import EMPTY, value_text
from nbchat.plots.glyphs import shortened

#: characters of a label, and of what is shown where the mouse rests on it
_LABEL, _TITLE = 40, 300
#: numbers from here on do not fit into a cell as they are
_LARGE = 1e5
_REASONS = {"error": "failed", "refused": "refused", "not_sent": "not sent"}


def in_a_line(text: str, most: int) -> str:
    """Give the beginning of a text on one line, with what would be obeyed made visible."""
    beginning = text[: 4 * most + 64]  # a text may have millions of characters
    line = " ".join(visible(encodable(beginning)).split())
    return shortened(line, most) if len(beginning) == len(text) else f"{line[: most - 1]}…"


def label(value: Any) -> dict[str, str]:
    """Give a value as a figure names it (`Label`)."""
    text = value_text(value)
    return {"text": in_a_line(text, _LABEL) or EMPTY, "title": in_a_line(text, _TITLE)}


def point_name(point: dict[str, Any]) -> str:
    """Name a point: each axis and its value."""
    parts = [f"{in_a_line(name, _LABEL)} {label(value)['text']}" for name, value in point.items()]
    return ", ".join(parts) or "all rows"


def number(value: float, digits: int = 3) -> str:
    """Give a mean or a score as a figure writes it."""
    if value != value:
        return "not known"
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e15 else f"{value:.{digits}g}"


def compact(value: float, digits: int = 3) -> str:
    """Give a mean as a cell has room for it: of a large one three digits, as 1.62e+06."""
    return f"{value:.3g}" if abs(value) >= _LARGE else number(value, digits)


def interval_of(row: dict[Any, Any], of: Callable[[float, int], str]) -> str:
    """Give the interval of a mean, its ends as `of` writes a number; nothing if unknown."""
    return "" if row["lo"] != row["lo"] else f"{of(row['lo'], 2)} to {of(row['hi'], 2)}"


def why_missing(row: dict[Any, Any], *, is_of_status: bool) -> str:
    """Say how many rows of a cell have no score, by what became of them; nothing where all have.

    `row` is one of `sweep.table`. A figure of the status itself lacks only what was not sent.
    """
    missing = int(row["missing"])
    if not missing:
        return ""
    parts, left = [], missing
    for status, words in _REASONS.items():
        count = min(left, int(row.get(status, 0)))
        if count and (not is_of_status or status == "not_sent"):
            parts.append(f"{count:,} {words}")
            left -= count
    if left:
        parts.append(f"{left:,} without a score")
    return ", ".join(parts)


def items_of(row: dict[Any, Any]) -> str:
    return counted(int(row["n_items"]), "item")
