"""A page of the rows of a cell, as the page has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbchat.plots.axis_values import value_text
from nbchat.widgets.sweep_inspector.words import in_a_line, number, point_name

if TYPE_CHECKING:
    import pandas as pd

    from nbchat.sweep.cells import Cells, Listed, Which

#: rows of a page
SIZE = 25
#: characters of an answer, of a variable, and of all variables of a row
_ANSWER, _VALUE, _VARIABLES = 160, 60, 160
_STATUSES = {"not_sent": "not sent"}


def rows_of(
    cells: Cells, rows: pd.DataFrame, cell: int, which: Which, other: int | None, start: int
) -> dict[str, Any]:
    """Give the page of these rows of a cell that begins at `start` (`Rows`)."""
    start = max(0, min(start, len(rows) - 1) // SIZE * SIZE) if len(rows) else 0
    listed = cells.listed(rows.iloc[start : start + SIZE])
    return {
        "cell": cell,
        "name": point_name(cells.points[cell]),
        "which": which,
        "other": other,
        "counts": cells.counts(cell),
        "has_wrong": cells.is_of_right,
        "has_samples": cells.sweep.design.repeats > 1,
        "has_variables": any(each.variables for each in listed),
        "order": _order(cells, which),
        "start": start,
        "total": len(rows),
        "size": SIZE,
        "lines": [_line(each, is_of_right=cells.is_of_right) for each in listed],
    }


def status_words(status: str) -> str:
    return _STATUSES.get(status, status)


def _order(cells: Cells, which: Which) -> str:
    if which == "flips":
        return "the largest difference first"
    return "" if cells.is_of_right or which == "missing" else "without a score first, then lowest"


def _line(row: Listed, *, is_of_right: bool) -> dict[str, Any]:
    record = row.record
    text = record.text if record is not None else None
    reason = "" if text or record is None else record.error or ""
    kind = "missing"
    if row.score == row.score:
        kind = ("wrong" if row.score < 1 else "right") if is_of_right else ""
    return {
        "row": row.row_id,
        "item": f"{row.item:,}",
        "sample": f"{row.sample:,}",
        "variables": variables_of(row.variables),
        "answer": in_a_line(text or reason, _ANSWER),
        "is_reason": bool(reason),
        "status": status_words(row.status),
        "score": number(row.score) if row.score == row.score else "none",
        "there": "" if row.means is None else f"{number(row.means[0])} → {number(row.means[1])}",
        "kind": kind,
    }


def variables_of(variables: dict[str, Any]) -> str:
    """Give variables and their values on one line."""
    parts: list[str] = []
    for name, value in variables.items():
        parts.append(f"{in_a_line(name, _VALUE)}: {in_a_line(value_text(value), _VALUE)}")
        if sum(map(len, parts)) > _VARIABLES:
            break
    return in_a_line(" · ".join(parts), _VARIABLES)
