"""Frames that pandas wrote to files, with their dtypes again."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pandas as pd

from nbchat.errors import MissingLibraryError
from nbchat.frames.assembly import category_of
from nbchat.frames.columns import FrameName, columns_of, columns_of_requests
from nbchat.frames.token_texts import SentBytes
from nbchat.version import install_command

if TYPE_CHECKING:
    from os import PathLike

    from nbchat.frames.columns import Column

_TRUTH = {"True": True, "False": False}
# a text that is never missing: there an empty field of a CSV is an empty text
_NEVER_MISSING = {("tokens", "token"), ("tokens", "text"), ("alternatives", "token")}


def read_csv(path: str | PathLike[str]) -> pd.DataFrame:
    """Read a frame that ``frame.to_csv(path)`` wrote, with or without its index.

    Which frame it is, its columns tell; those that are declared have their declared dtypes
    (`nbchat.frames.columns`), and others are read as pandas reads them. `bytes` is
    hexadecimal in the file. A CSV has one empty field for what is missing and for an empty text:
    it is read as missing, but for the text of a token. Numbers are those that were written, to
    the last digit. Raise ValueError where it is none of the frames.
    """
    ends = _line_ends(path)
    written = pd.read_csv(path, dtype=str, keep_default_na=False, na_filter=False, **ends)
    if len(written.columns) and written.columns[0] in ("", "Unnamed: 0"):
        written = written.iloc[:, 1:]
    columns = _columns_in(written, path)
    others = [name for name in written if name not in columns]
    by_name = {
        name: _from_text(written[name].tolist(), columns[name])
        for name in written
        if name in columns and name != "bytes"
    }
    if "bytes" in columns:
        fields = zip(written["bytes"], written["token"], strict=True)
        # an empty token has no bytes, and any other some
        sent = [SentBytes.fromhex(data) if data or not token else None for data, token in fields]
        by_name["bytes"] = _category_of_bytes(sent)
    if others:
        loose = pd.read_csv(path, usecols=others, **ends)
        by_name |= {name: loose[name].array for name in others}
    return pd.DataFrame({name: by_name[name] for name in written}, copy=False)


def _line_ends(path: str | PathLike[str]) -> dict[str, Any]:
    """Say how lines end: pandas writes a carriage return inside of a text without quotes."""
    with open(path, "rb") as file:  # noqa: PTH123 - also what is a path of another kind
        is_of_windows = file.readline().endswith(b"\r\n")
    return {} if is_of_windows else {"lineterminator": "\n"}


def read_parquet(path: str | PathLike[str]) -> pd.DataFrame:
    """Read a frame that ``frame.to_parquet(path)`` wrote, with its declared dtypes.

    Columns that are not declared stay as they are. Raise ValueError where it is none of the
    frames, MissingLibraryError where there is no pyarrow (the extra ``parquet``).
    """
    try:
        written = pd.read_parquet(path)
    except ImportError:  # pandas lists all that could read it, in many lines
        raise MissingLibraryError(
            f"Parquet files need pyarrow ({install_command('parquet')})."
        ) from None
    columns = _columns_in(written, path)
    by_name = {
        name: _as_declared(written[name], columns[name]) if name in columns else written[name].array
        for name in written
    }
    return pd.DataFrame(by_name, copy=False)


def _columns_in(frame: pd.DataFrame, path: Any) -> dict[Any, Column]:
    """Give the declared columns of the frame that has most of those in this one."""
    fitting = []
    for name in get_args(FrameName):
        declared = columns_of(name)
        may_lack = columns_of_requests() if name == "runs" else frozenset()
        if all(c.name in frame or c.name in may_lack for c in declared):
            fitting.append({c.name: c for c in declared if c.name in frame})
    if not fitting:
        names = ", ".join(get_args(FrameName))
        raise ValueError(f"{path}: its columns are those of no frame of nbchat ({names})")
    return max(fitting, key=len)


def _from_text(values: list[str], column: Column) -> Any:
    if column.dtype in ("category", "string"):
        keeps_empty = (column.frame, column.name) in _NEVER_MISSING
        texts: list[Any] = [v if v or keeps_empty else None for v in values]
        return category_of(texts) if column.dtype == "category" else pd.array(texts, dtype="string")
    if column.dtype == "object":
        return pd.Series([_literal(v) for v in values], dtype=object).array
    if column.dtype in ("bool", "boolean"):
        return pd.array([_TRUTH.get(v, pd.NA) for v in values], dtype=_dtype(column))
    if column.dtype.startswith("datetime"):
        return pd.array([pd.Timestamp(v) if v else pd.NaT for v in values], dtype=_dtype(column))
    if column.dtype == "float64":
        return np.array([float(v) if v else np.nan for v in values])
    return pd.array([int(v) if v else pd.NA for v in values], dtype=_dtype(column))


def _dtype(column: Column) -> Any:
    return column.dtype


def _literal(value: str) -> Any:
    """Read a list, a mapping or a number as Python writes it; else it is a text."""
    if not value:
        return pd.NA
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return value


def _as_declared(values: pd.Series[Any], column: Column) -> Any:
    if column.name == "bytes":
        return _category_of_bytes([None if pd.isna(v) else SentBytes(v) for v in values])
    if column.dtype == "category" and isinstance(values.dtype, pd.CategoricalDtype):
        names = pd.Index(values.cat.categories, dtype="string")
        return pd.Categorical.from_codes(values.cat.codes.to_numpy(), categories=names)
    if column.dtype == "category":
        return category_of([None if pd.isna(v) else str(v) for v in values])
    if column.dtype == "object":
        return pd.Series([_plain(v) for v in values], dtype=object).array
    return values.astype(_dtype(column)).array


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [_plain(entry) for entry in value]
    if isinstance(value, dict):
        # a struct of Arrow has every key that one of its rows has
        return {key: _plain(entry) for key, entry in value.items() if entry is not None}
    return pd.NA if value is None else value


def _category_of_bytes(values: list[Any]) -> pd.Categorical[Any]:
    seen = list(dict.fromkeys(value for value in values if value is not None))
    return pd.Categorical(values, categories=pd.Index(seen, dtype=object if seen else "string"))
