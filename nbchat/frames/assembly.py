"""Frames made of their columns, as `nbchat.frames.columns` declares them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from nbchat.frames.columns import columns_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbchat.frames.columns import FrameName


def assemble(frame: FrameName, values: Mapping[str, Any]) -> pd.DataFrame:
    """Make a frame of one array or list for each declared column.

    What has the declared dtype is taken as it is, without a copy. Raise ValueError where a
    declared column has no values, or values have no column.
    """
    columns = columns_of(frame)
    names = {column.name for column in columns}
    if unfilled := sorted(names - values.keys()):
        raise ValueError(f"nothing fills these columns of the {frame} frame: {unfilled}")
    if undeclared := sorted(values.keys() - names):
        raise ValueError(f"columns.py declares no such columns of {frame}: {undeclared}")
    return pd.DataFrame(
        {column.name: _as_declared(values[column.name], column.dtype) for column in columns},
        copy=False,
    )


def assemble_rows(frame: FrameName, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Make a frame of rows; what a row does not have is NA.

    Raise ValueError where a row has what no column is declared for.
    """
    names = [column.name for column in columns_of(frame)]
    if undeclared := sorted({name for row in rows for name in row} - set(names)):
        raise ValueError(f"columns.py declares no such columns of {frame}: {undeclared}")
    return assemble(frame, {name: [row.get(name) for row in rows] for name in names})


def empty(frame: FrameName) -> pd.DataFrame:
    """Give a frame with no rows, all its columns and their dtypes."""
    return assemble(frame, {column.name: [] for column in columns_of(frame)})


def _as_declared(values: Any, dtype: Any) -> Any:
    if isinstance(values, pd.Categorical):
        return values
    if isinstance(values, pd.api.extensions.ExtensionArray) and values.dtype == dtype:
        return values
    if dtype == "object":
        return pd.Series(values, dtype=object).array
    try:
        if dtype == "category":
            return category_of(values)
        return pd.array(values, dtype=dtype, copy=False)
    except (TypeError, ValueError, OverflowError):
        # one odd value, of a server or of a field sent unchecked, must not take away the others
        fitting = [_fitting(value, dtype) for value in values]
        return category_of(fitting) if dtype == "category" else pd.array(fitting, dtype=dtype)


def _fitting(value: Any, dtype: Any) -> Any:
    """Give a value that its column can hold, NA in the place of one that it cannot."""
    if dtype == "category":
        return value if value is None or isinstance(value, str) else str(value)
    missing = float("nan") if dtype == "float64" else pd.NA
    if not pd.api.types.is_scalar(value):
        return missing
    try:
        return pd.array([value], dtype=dtype)[0]
    except (TypeError, ValueError, OverflowError):
        return missing


def blank(dtype: str, n_rows: int) -> Any:
    """Give a column in which nothing is known."""
    return _as_declared(with_na([None] * n_rows, dtype), dtype)


def with_na(values: list[Any], dtype: str) -> list[Any]:
    """Give values with NA for None, where the dtype would not take None for missing."""
    if dtype in ("float64", "category"):
        return values
    return [pd.NA if value is None else value for value in values]


def category_of(values: list[str | None]) -> pd.Categorical:
    """Make a categorical of strings, with their categories in the order of appearance.

    Raise TypeError for what is neither a string nor None.
    """
    seen = dict.fromkeys(value for value in values if value is not None)
    if not all(isinstance(value, str) for value in seen):
        raise TypeError("categories are strings")
    codes: dict[str | None, int] = {value: code for code, value in enumerate(seen)}
    codes[None] = -1
    return pd.Categorical.from_codes(
        [codes[value] for value in values], categories=pd.Index(list(seen), dtype="string")
    )
