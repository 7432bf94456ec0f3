"""From a figure of a sweep to its rows, and from a row to its run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nbchat.api.explain import did_you_mean, nearest
from nbchat.errors import CheckError, RunNotFoundError
from nbchat.frames.sweep_rows import axis_column
from nbchat.plots.axis_values import is_not_set

if TYPE_CHECKING:
    import pandas as pd

    from nbchat.run import Run
    from nbchat.sweep.folder import Folder


def rows_at(frame: pd.DataFrame, values: Mapping[str, Any], axes: tuple[str, ...]) -> pd.DataFrame:
    """Give the rows of a frame that have these values in these columns.

    A list is any of its values; None is what is not set. Raise CheckError for another column.
    """
    wanted = frame
    for name, value in values.items():
        column = axis_column(name) if name in axes else name
        if column not in frame:
            near = nearest(name, frame.columns)
            raise CheckError(
                f"rows: there is no column {name}; there is {', '.join(frame.columns)}."
                f"{did_you_mean(near)}",
                field=name,
                value=value,
            )
        cells = wanted[column]
        several = value if isinstance(value, (list, tuple, set, frozenset)) else [value]
        is_one = cells.map(lambda cell, several=several: _is_in(cell, several)).astype(bool)
        wanted = wanted[is_one.to_numpy()]
    return wanted.reset_index(drop=True)


def _is_in(cell: Any, values: Any) -> bool:
    return any(is_not_set(cell) if is_not_set(value) else _equal(cell, value) for value in values)


def _equal(cell: Any, value: Any) -> bool:
    try:
        return not is_not_set(cell) and bool(cell == value)
    except (TypeError, ValueError):  # an array, say
        return False


def run_of_row(folder: Folder, row_id: str) -> Run:
    """Give the run of a row, the latest of its attempts. Raise RunNotFoundError without one."""
    ids = {
        record.row_id: record.run_id
        for record in folder.all_records()
        if isinstance(row_id, str) and row_id and record.row_id.startswith(row_id)
    }
    if len(ids) == 1:
        (run_id,) = ids.values()
        for run in folder.runs(lambda record: record.run_id == run_id):
            return run
    what = "Several rows begin" if ids else "No row that has ended begins"
    raise RunNotFoundError(f"{what} with {row_id!r}: sweep.rows() has the row_id of each.")
