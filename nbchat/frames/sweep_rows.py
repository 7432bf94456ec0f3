"""The rows of a sweep as a frame, and the tables that it asks about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

#: column -> dtype, unit and meaning; the axes of the grid follow `sample`, the data come last
ROW_COLUMNS: dict[str, tuple[str, str, str]] = {
    "row_id": ("string", "", "the row's id: that of its request and its sample"),
    "item": ("int64", "", "the item's place in the data, from 0"),
    "sample": ("int64", "", "which of the repeats, from 0"),
    "status": ("category", "", "answered, refused, truncated, error or not_sent"),
    "text": ("string", "", "what was answered"),
    "model": ("category", "", "the one that answered"),
    "finish_reason": ("category", "", "as the server sent it"),
    "error": ("string", "", "why there is no answer"),
    "prompt_tokens": ("Int64", "tokens", "as the server counted"),
    "completion_tokens": ("Int64", "tokens", "as the server counted"),
    "cost_usd": ("Float64", "US dollars", "NA where the price is not known"),
    "ttft_s": ("Float64", "s", "from sending to the first content"),
    "elapsed_s": ("Float64", "s", "of the last request"),
    "tries": ("Int64", "requests", "those that were refused or failed included"),
    "attempt": ("Int64", "", "how often the row was asked before and had ended, from 0"),
    "created_at": ("string", "", "when its last request was begun, ISO 8601"),
    "run_id": ("string", "", "the run's id"),
}
_STATUSES = ["answered", "refused", "truncated", "error", "not_sent"]


def sweep_rows(
    facts: Mapping[str, Sequence[Any]],
    axes: Mapping[str, Sequence[Any]],
    data: Mapping[str, Sequence[Any]],
) -> pd.DataFrame:
    """Give one row for each row of a sweep: what it is, its axes, what came, its item's data.

    `facts` has the columns of `ROW_COLUMNS`. An axis or a column of the data whose name is one of
    them has it behind `axis_` or `data_`.
    """
    columns: dict[str, Any] = {}
    for name, (dtype, _, _) in ROW_COLUMNS.items():
        if name == "status":
            columns |= {axis_column(axis): _plain_column(axes[axis]) for axis in axes}
            columns[name] = pd.Categorical(facts[name], categories=_STATUSES)
        else:
            columns[name] = pd.Series(list(facts[name]), dtype=dtype).array
    for name, values in data.items():
        columns[f"data_{name}" if name in columns else name] = _plain_column(values)
    return pd.DataFrame(columns, copy=False)


def axis_column(axis: str) -> str:
    """Name the column of an axis."""
    return f"axis_{axis}" if axis in ROW_COLUMNS else axis


def read_table(path: Path) -> pd.DataFrame:
    """Read a CSV or Parquet file. Raise ImportError, ValueError or OSError where it cannot be."""
    return pd.read_csv(path) if path.suffix.lower() == ".csv" else pd.read_parquet(path)


def _plain_column(values: Sequence[Any]) -> Any:
    """Give values of any kind as a column: numbers as such, all else as objects."""
    series = pd.Series(list(values), dtype=object)
    kinds = {type(value) for value in values if value is not None}
    if kinds and kinds <= {int, float, bool} and not (bool in kinds and len(kinds) > 1):
        return series.convert_dtypes()
    return series.astype("string") if kinds == {str} else series
