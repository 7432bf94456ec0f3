"""A DataFrame as a Markdown table for a prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS = 50


def table(frame: pd.DataFrame, most_rows: int | None = MOST_ROWS) -> str:
    """Give a frame as a Markdown table of 50 rows at most, and say how many were left out.

    None for `most_rows` gives them all. The index is shown unless it only counts the rows
    from 0.
    """
    shown = frame.iloc[:most_rows]
    index = frame.index
    counts_rows = index.nlevels == 1 and index.name is None and _is_range(index)
    headers = [] if counts_rows else ["" if name is None else name for name in index.names]
    headers += list(frame.columns)
    columns = [shown.iloc[:, place].tolist() for place in range(shown.shape[1])]
    labels = (
        [] if counts_rows else list(zip(*(_labels(label) for label in shown.index), strict=True))
    )
    rows = zip(*labels, *columns, strict=True) if labels or columns else iter(())
    lines = [_row(headers), _row(["---"] * len(headers)), *(_row(row) for row in rows)]
    left_out = len(frame) - len(shown)
    if left_out:
        lines += ["", f"({len(shown)} of {len(frame):,} rows shown, {left_out:,} left out)"]
    return "\n".join(lines)


def _is_range(index: Any) -> bool:
    # a RangeIndex from 0 by 1, whatever made it
    return getattr(index, "start", None) == 0 and getattr(index, "step", None) == 1


def _labels(label: Any) -> tuple[Any, ...]:
    return label if isinstance(label, tuple) else (label,)


def _row(cells: Any) -> str:
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(value: Any) -> str:
    text = " / ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    text = "NaN" if text == "nan" else text
    return text.replace("|", "\\|").replace("\r\n", "<br>").replace("\n", "<br>")
