"""The objects of a structured reply as a DataFrame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd


def objects(rows: Iterable[Mapping[str, Any]], names: Sequence[str] = ()) -> pd.DataFrame:
    """Give one row for each object, one column for each property.

    Properties of an object inside stand under ``outer.inner``; lists stay lists. `names` are
    columns that are there in any case, the first ones. Dtypes: Int64, float64, boolean and
    string, where a column has only such values or null; null is NA.
    """
    flat = [_flat(row, "", frozenset(names)) for row in rows]
    seen = [*names, *(name for row in flat for name in row)]
    columns = {name: [row.get(name) for row in flat] for name in dict.fromkeys(seen)}
    kept = {
        name: values
        for name, values in columns.items()
        if name in names or not _is_null_of_object(name, values, columns)
    }
    return pd.DataFrame(
        {name: _series(values) for name, values in kept.items()}, index=range(len(flat))
    )


def _flat(row: Mapping[str, Any], prefix: str, whole: frozenset[str]) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    for key, value in row.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and value and name not in whole:
            cells.update(_flat(value, f"{name}.", whole))
        else:
            cells[name] = value
    return cells


def _is_null_of_object(name: str, values: list[Any], columns: Mapping[str, Any]) -> bool:
    """Tell whether a column is only the null in place of an object whose columns are there."""
    is_object = any(other.startswith(f"{name}.") for other in columns)
    return is_object and all(value is None for value in values)


def _series(values: list[Any]) -> pd.Series[Any]:
    kinds = {type(value) for value in values if value is not None}
    try:
        if kinds == {int}:
            return pd.Series(values, dtype="Int64")
        if kinds and kinds <= {int, float}:
            return pd.Series(values, dtype="float64")
    except OverflowError:  # whole numbers beyond 64 bits
        return pd.Series(values, dtype="object")
    if kinds == {bool}:
        return pd.Series(values, dtype="boolean")
    if kinds == {str}:
        return pd.Series(values, dtype="string")
    return pd.Series(values) if kinds else pd.Series(values, dtype="object")
