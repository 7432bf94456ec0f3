"""What a sweep asks about: the rows of a frame, of a list of mappings or of a file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from nbchat.errors import CheckError
from nbchat.version import install_command

if TYPE_CHECKING:
    import pandas as pd

Item = dict[str, Any]
_RULE = "must be a frame, a list of mappings, or a .csv, .jsonl or .parquet file"


class Items:
    """The items of a sweep, each a mapping of its variables; `columns` are their names."""

    def __init__(self, rows: Sequence[Mapping[str, Any]] | pd.DataFrame):
        self._listed: Sequence[Mapping[str, Any]] | None = None
        self._arrays: dict[str, Any] = {}
        if isinstance(rows, (list, tuple)):
            self._listed = rows
            self._n = len(rows)
            self.columns = [*dict.fromkeys(str(name) for row in rows for name in row)]
            return
        frame: Any = rows
        self._n = len(frame)
        self.columns = [str(name) for name in frame.columns]
        self._arrays = {name: frame.iloc[:, at].array for at, name in enumerate(self.columns)}

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, number: int) -> Item:
        if self._listed is not None:
            return {str(name): plain(value) for name, value in self._listed[number].items()}
        return {name: plain(values[number]) for name, values in self._arrays.items()}

    def __iter__(self) -> Iterator[Item]:
        return (self[number] for number in range(self._n))

    def column(self, name: str) -> list[Any]:
        """Give a variable of every item, None where one does not have it."""
        if self._listed is not None:
            return [plain(row.get(name)) for row in self._listed]
        return [plain(value) for value in self._arrays[name]]


def read_items(data: Any) -> Items:
    """Read the items of a sweep; None is one item without variables. Raise CheckError."""
    if data is None:
        return Items([{}])
    if isinstance(data, (str, os.PathLike)):
        return _of_file(Path(data).expanduser())
    if hasattr(data, "columns") and hasattr(data, "iloc"):
        return _several(Items(data))
    if isinstance(data, Mapping) or not isinstance(data, (list, tuple)):
        raise CheckError(
            f"data is a {type(data).__name__}, but it {_RULE}.",
            field="data",
            value=data,
            rule=_RULE,
        )
    for place, row in enumerate(data):
        if not isinstance(row, Mapping):
            raise CheckError(
                f"data[{place}] is a {type(row).__name__}, but each item must be a mapping of "
                "variable names to values.",
                field=f"data[{place}]",
                value=row,
                rule="must be a mapping",
            )
    return _several(Items(list(data)))


def plain(value: Any) -> Any:
    """Give a value of a frame as Python has it, None for what is missing."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return None if value != value else float(value)
    if type(value).__module__.partition(".")[0] == "numpy" and hasattr(value, "tolist"):
        return plain(value.tolist())
    # pandas' NA and NaT are equal to nothing, and say so in two ways
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    return value


def _several(items: Items) -> Items:
    if not len(items):
        raise CheckError("data has no items.", field="data", rule="must have at least one item")
    return items


def _of_file(path: Path) -> Items:
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".jsonl", ".ndjson", ".parquet"):
        raise CheckError(
            f"data is {path.name}, but it {_RULE}.", field="data", value=str(path), rule=_RULE
        )
    if not path.is_file():
        raise CheckError(f"data: there is no file {path}.", field="data", value=str(path))
    if suffix in (".jsonl", ".ndjson"):
        return _several(Items(_lines(path)))
    from nbchat.frames.sweep_rows import read_table

    try:
        frame = read_table(path)
    except ImportError:
        raise CheckError(
            f"data is {path.name}, which needs pyarrow: {install_command('parquet')}.",
            field="data",
            value=str(path),
        ) from None
    except (ValueError, OSError) as error:
        raise CheckError(
            f"data: {path.name} cannot be read: {error}", field="data", value=str(path)
        ) from None
    return _several(Items(frame))


def _lines(path: Path) -> list[Item]:
    rows = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = msgspec.json.decode(line)
        except msgspec.DecodeError as error:
            raise CheckError(
                f"data: line {number} of {path.name} is no JSON: {error}.", field="data", value=line
            ) from None
        if not isinstance(row, dict):
            raise CheckError(
                f"data: line {number} of {path.name} is no object.", field="data", value=line
            )
        rows.append(row)
    return rows
