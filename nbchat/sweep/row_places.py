"""Where each row stands in a folder, so that a few of many are read without the others."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from nbchat.errors import RunNotFoundError
from nbchat.run import Run
from nbchat.sweep import parts
from nbchat.sweep.folder import Folder
from nbchat.sweep.place import Place
from nbchat.sweep.records import Record, read_record, read_run


class _Brief(msgspec.Struct, gc=False):
    run_id: str
    completion_tokens: int | None = None


_read_brief = msgspec.json.Decoder(_Brief).decode
_RECORD = list(Record.__struct_fields__)


class _Spot(NamedTuple):
    """A file, and where a row is in it: its first byte in a journal, its number in a part."""

    file: Place
    at: int
    completion_tokens: int | None


class RowPlaces:
    """Reads rows of a folder by the ids of their runs: of the folder once all, then only those."""

    def __init__(self, folder: Folder):
        self._folder = folder
        self._places: dict[str, _Spot] = {}

    @property
    def is_there(self) -> bool:
        """Whether there is such a folder; one at a store that cannot be reached is not."""
        try:
            return self._folder.path.is_dir()
        except OSError:
            return False

    def look(self) -> None:
        """Read anew where all rows stand. Of their texts nothing is kept."""
        places: dict[str, _Spot] = {}
        for file, lines in self._folder.sources():
            briefs = _of_part(file) if lines is None else _of_lines(lines)
            for at, brief in briefs:
                places[brief.run_id] = _Spot(file, at, brief.completion_tokens)
        self._places = places

    def completion_tokens(self, run_id: str | None) -> float:
        """Give the tokens of a row's answer as the server counted, NaN where it did not."""
        place = self._places.get(run_id or "")
        known = None if place is None else place.completion_tokens
        return float("nan") if known is None else float(known)

    def records(self, run_ids: Iterable[str]) -> dict[str, Record]:
        """Give the records of these runs, of those that are there."""
        records = (
            read_record(data) if isinstance(data, bytes) else parts.record_of(data)
            for data in self._read(list(run_ids), _RECORD).values()
        )
        return {record.run_id: record for record in records}

    def run(self, run_id: str) -> Run:
        """Give a run. Raise RunNotFoundError where it is no longer there."""
        for data in self._read([run_id], None).values():
            run = read_run(data) if isinstance(data, bytes) else parts.run_of(data)
            if run.id == run_id:
                return run
        raise RunNotFoundError(
            f"The run {run_id} is not in {self._folder.path}: its row was moved or deleted."
        )

    def _read(self, run_ids: list[str], names: list[str] | None) -> dict[str, Any]:
        """Give the line or the columns of each; what was packed or came meanwhile is looked for."""
        rows = dict(self._read_as_known(run_ids, names))
        if len(rows) < len(set(run_ids)):
            self.look()
            rows.update(self._read_as_known([each for each in run_ids if each not in rows], names))
        return rows

    def _read_as_known(
        self, run_ids: list[str], names: list[str] | None
    ) -> Iterator[tuple[str, Any]]:
        by_file: dict[Place, dict[int, str]] = {}
        for run_id in run_ids:
            if run_id in self._places:
                place = self._places[run_id]
                by_file.setdefault(place.file, {})[place.at] = run_id
        for file, wanted in by_file.items():
            try:
                rows = _rows_at(file, sorted(wanted), names)
            except OSError:  # packed meanwhile, or gone
                continue
            yield from ((wanted[at], row) for at, row in rows.items())


def _of_lines(lines: Iterable[bytes]) -> Iterator[tuple[int, _Brief]]:
    at = 0
    for line in lines:
        brief = None
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):  # it was cut off
            brief = _read_brief(line)
        if brief is not None:
            yield at, brief
        at += len(line)


def _of_part(file: Place) -> Iterator[tuple[int, _Brief]]:
    return enumerate(parts.facts_of(file, ["run_id", "completion_tokens"], _Brief))


def _rows_at(file: Place, places: list[int], names: list[str] | None) -> dict[int, Any]:
    if file.name.endswith(".parquet"):
        return parts.rows_at(file, places, names)
    rows: dict[int, Any] = {}
    with file.open("rb") as lines:
        for at in places:
            lines.seek(at)
            line = lines.readline()
            if line.endswith(b"\n"):
                rows[at] = line
    return rows
