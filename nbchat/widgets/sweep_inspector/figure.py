"""The figure as the page has it: cells of words and colours, made of a table of a sweep."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from nbchat.plots.axes import counted
from nbchat.plots.axis_values import value_key
from nbchat.plots.heatmap import SCALE, ink
from nbchat.widgets.sweep_inspector.words import (
    compact,
    in_a_line,
    interval_of,
    items_of,
    label,
    number,
    point_name,
    why_missing,
)

if TYPE_CHECKING:
    from nbchat.sweep.cells import Cells

#: more cells, and more in a line, are not shown, which is said
MOST_CELLS, MOST_ACROSS = 1_000, 100
_COLOURS = tuple(colour for _, colour in SCALE)
_NO_LABEL = {"text": "", "title": ""}


def figure_of(cells: Cells) -> dict[str, Any]:
    """Give the figure (`sweep_inspector_messages.Figure`).

    The first axis goes across, the second down, and each point of further ones has a figure of its
    own below the one before.
    """
    rows: list[dict[Any, Any]] = cells.table.to_dict("records")
    low, high = _ends(rows, is_share=cells.is_of_right)
    by_place: dict[tuple[Any, ...], int] = {}
    values: list[dict[Any, None]] = [{} for _ in range(max(2, len(cells.by)))]
    for place, row in enumerate(rows):
        keys = [value_key(row[name]) for name in cells.by]
        keys += [None] * (2 - len(keys))
        by_place[tuple(keys)] = place
        for axis, key in enumerate(keys):
            values[axis][key] = None
    across = [*values[0]]
    further = list(dict.fromkeys(keys[2:] for keys in by_place))
    multiples: list[dict[str, Any]] = []
    n_shown, is_full = 0, False
    columns = across[:MOST_ACROSS]
    for rest in further:
        if is_full:
            break
        lines = []
        for down in values[1]:
            places = [by_place.get((key, down, *rest)) for key in columns]
            if all(place is None for place in places):
                continue
            n_here = sum(place is not None for place in places)
            is_full = n_shown + n_here > MOST_CELLS
            if is_full:
                break
            n_shown += n_here
            drawn = [
                None if place is None else _cell(place, rows[place], cells, low, high)
                for place in places
            ]
            lines.append({"label": _label_at(cells.by, 1, down), "cells": drawn})
        if lines:
            point = dict(zip(cells.by[2:], rest, strict=True))
            name = point_name(point) if point else ""
            multiples.append({"title": {"text": name, "title": name}, "lines": lines})
    return {
        "name": in_a_line(cells.sweep.name, 60) if cells.sweep.is_kept else "sweep",
        "score": cells.score,
        "scores": list(cells.scores),
        "unit": "share" if cells.is_of_right else "mean",
        "across": label(cells.by[0]) if cells.by else _NO_LABEL,
        "down": label(cells.by[1]) if len(cells.by) > 1 else _NO_LABEL,
        "columns": [_label_at(cells.by, 0, key) for key in columns],
        "multiples": multiples,
        "scale": {"colours": list(_COLOURS), "lowest": number(low), "highest": number(high)},
        "status": _status(cells),
        "lacking": _lacking(cells),
        "cut": _cut(len(rows) - n_shown, len(rows), cells.by),
    }


def _label_at(by: list[str], axis: int, key: Any) -> dict[str, str]:
    if len(by) > axis:
        return label(key)
    return {"text": "" if axis else "all rows", "title": ""}


def _ends(rows: list[dict[Any, Any]], *, is_share: bool) -> tuple[float, float]:
    means = [row["mean"] for row in rows if row["mean"] == row["mean"]]
    if is_share or not means:
        return 0.0, 1.0
    return min(means), max(means)


def _cell(place: int, row: dict[Any, Any], cells: Cells, low: float, high: float) -> dict[str, Any]:
    name = point_name({axis: row[axis] for axis in cells.by})
    missing = why_missing(row, is_of_status=cells.is_of_status)
    if row["mean"] != row["mean"]:
        words = {"mean": "no score", "interval": "", "colour": "", "ink": ""}
        sentence = f"{name}: no score, {missing}"
    else:
        share = (row["mean"] - low) / (high - low) if high > low else 0.5
        colour = colour_at(share)
        words = {"mean": compact(row["mean"]), "interval": interval_of(row, compact),
                 "colour": colour, "ink": ink(colour)}  # fmt: skip
        facts = [f"mean {number(row['mean'])}"]
        interval = interval_of(row, number)
        facts += [f"interval {interval}"] if interval else []
        facts.append(items_of(row))
        facts.append(f"{missing}{' of ' if missing else ''}{counted(int(row['n_rows']), 'row')}")
        sentence = f"{name}: {', '.join(facts)}"
    return {
        "number": place,
        "name": name,
        **words,
        "items": items_of(row) if words["colour"] else "",
        "lacking": missing,
        "sentence": sentence,
    }


def colour_at(share: float) -> str:
    """Give the colour at a place of the scale, 0 its dark end and 1 its light one."""
    steps = len(_COLOURS) - 1
    at = min(max(share, 0.0), 1.0) * steps
    low, high = list(pairwise(_COLOURS))[min(int(at), steps - 1)]
    part = at - min(int(at), steps - 1)
    mixed = (
        round(int(low[i : i + 2], 16) * (1 - part) + int(high[i : i + 2], 16) * part)
        for i in (1, 3, 5)
    )
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def _status(cells: Cells) -> str:
    n, ended = len(cells.frame), cells.n_ended
    rows = counted(n, "row") if ended == n else f"{ended:,} of {counted(n, 'row')}"
    return f"{rows} at {time.strftime('%H:%M:%S')}"


def _lacking(cells: Cells) -> str:
    totals = cells.table.sum(numeric_only=True).to_dict()
    why = why_missing(totals, is_of_status=cells.is_of_status)
    of = f"{int(totals['missing']):,} of {counted(int(totals['n_rows']), 'row')}"
    return f"{of} without a score ({why})" if why else ""


def _cut(left: int, n: int, by: list[str]) -> str:
    if not left:
        return ""
    return (
        f"{n - left:,} of {n:,} cells are shown: by= takes axes together that it does not name, "
        f"as by={by[:1]!r}"
    )
