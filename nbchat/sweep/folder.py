"""The folder of a sweep as it is read: all rows that ended, wherever they stand in it.

- ``journals/rows-….jsonl``: a line a row, appended while it runs
- ``parts/rows-….parquet``: journals that were packed (`nbchat.sweep.parts`)
- ``attempts/attempts-….jsonl``: what was sent, and what came of it that is no row

All of it can be opened by other programs while the sweep runs.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from nbchat.errors import HistoryError, UnreadableRunError
from nbchat.run import Run
from nbchat.sweep import parts
from nbchat.sweep.journal import ATTEMPTS, JOURNALS, Attempt, journal_name
from nbchat.sweep.object_path import ObjectPath
from nbchat.sweep.place import Place, opened
from nbchat.sweep.records import Record, Status, read_record, read_run
from nbchat.sweep.segments import attempts_in, has_attempts_of


class _Brief(msgspec.Struct, gc=False):
    row_id: str
    status: Status
    attempt: int = 0
    cost_usd: float | None = None


_read_brief = msgspec.json.Decoder(_Brief).decode
_read_attempt = msgspec.json.Decoder(Attempt).decode


class Standing(msgspec.Struct, gc=False):
    """Where a row stands: what became of it, and after how many earlier records."""

    status: Status
    attempt: int


class Folder:
    """Reads a folder. What another process writes meanwhile is there the next time."""

    def __init__(self, path: Place):
        self.path = path
        #: whether rows were read here, or a process of ours writes some
        self.has_rows = False
        #: part at a store, which never changes -> its journals
        self._journals_in: dict[Place, list[str]] = {}

    def standings(self) -> dict[str, Standing]:
        """Give row id -> where it stands, for each row that ended."""
        latest: dict[str, Standing] = {}
        for brief in self._each(_read_brief, ["row_id", "status", "attempt", "cost_usd"], _Brief):
            before = latest.get(brief.row_id)
            if before is None or brief.attempt >= before.attempt:
                latest[brief.row_id] = Standing(brief.status, brief.attempt)
        return latest

    def spent_usd(self) -> float:
        """Give what all records cost together, as far as it is known."""
        names = ["row_id", "status", "attempt", "cost_usd"]
        return sum(brief.cost_usd or 0.0 for brief in self._each(_read_brief, names, _Brief))

    def check_there(self) -> None:
        """Raise HistoryError where rows were here, and the folder is not there any more."""
        if self.has_rows and not isinstance(self.path, ObjectPath) and not self.path.exists():
            raise HistoryError(
                f"The folder {self.path} is no longer there, and its rows are gone with it. Put it "
                "back; a new nbchat.sweep(…) begins without them."
            )

    def records(self) -> dict[str, Record]:
        """Give row id -> its latest record. Raise HistoryError where the folder is gone."""
        self.check_there()
        latest: dict[str, Record] = {}
        for record in self.all_records():
            before = latest.get(record.row_id)
            if before is None or record.attempt >= before.attempt:
                latest[record.row_id] = record
        return latest

    def all_records(self) -> Iterator[Record]:
        """Give every record, those of earlier attempts included, in the order of writing."""
        names = list(Record.__struct_fields__)
        yield from self._each(read_record, names, Record)

    def runs(
        self,
        is_wanted: Callable[[Record], bool] = lambda _: True,
        *,
        with_tokens: bool = True,
    ) -> Iterator[Run]:
        """Give the runs whose records are wanted, one after the other, as they were written."""
        for path, lines in self.sources():
            if lines is None:
                yield from parts.runs_of(path, is_wanted, with_tokens=with_tokens)
                continue
            for line in lines:
                try:
                    if is_wanted(read_record(line)):
                        yield read_run(line, with_tokens=with_tokens)
                except UnreadableRunError:
                    continue

    def attempts(self) -> Iterator[Attempt]:
        """Give what is known of requests, sent or ended, file by file."""
        for line in self._attempt_lines():
            try:
                yield _read_attempt(line)
            except msgspec.DecodeError:
                continue

    def _attempt_lines(self) -> Iterator[bytes]:
        folder = self.path / ATTEMPTS
        if isinstance(folder, ObjectPath):
            yield from attempts_in(folder)
            return
        for path in sorted(folder.glob("attempts-*.jsonl")):
            yield from _whole_lines(path)

    def unknown(self) -> dict[str, int]:
        """Give row id -> requests that were sent and of which nobody knows what came of them.

        They may have been paid: those of a process that was killed, and connections that broke.
        """
        sent: dict[str, int] = {}
        told: dict[str, int] = {}
        for attempt in self.attempts():
            if attempt.event == "unknown":
                told[attempt.row_id] = told.get(attempt.row_id, 0) + 1
            by = 1 if attempt.event == "sent" else -1
            sent[attempt.row_id] = sent.get(attempt.row_id, 0) + by
        for record in self._each(_read_brief, ["row_id", "status"], _Brief):
            if record.row_id in sent:
                sent[record.row_id] -= 1
        never = {key: n for key, n in sent.items() if n > 0}
        return {key: never.get(key, 0) + told.get(key, 0) for key in {**never, **told}}

    def has_files_of(self, stem: str) -> bool:
        """Tell whether anything was written by this name (`nbchat.sweep.journal.Journal`)."""
        folder = self.path / ATTEMPTS
        if isinstance(folder, ObjectPath):
            return has_attempts_of(folder, stem)
        return (folder / f"attempts-{stem}.jsonl").exists() or self._journal(stem, 1).exists()

    def ended_in(self, stem: str) -> set[str]:
        """Give the ids of the rows that ended in the journals of this name."""
        row_ids: set[str] = set()
        for path in self.journals_of(stem):
            for line in _whole_lines(path):
                with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
                    row_ids.add(_read_brief(line).row_id)
        return row_ids

    def journals_of(self, stem: str) -> list[Place]:
        """Give the journals of this name, in the order of writing."""
        numbers = itertools.takewhile(
            lambda number: self._journal(stem, number).exists(), itertools.count(1)
        )
        return [self._journal(stem, number) for number in numbers]

    def _journal(self, stem: str, number: int) -> Place:
        return self.path / JOURNALS / journal_name(stem, number)

    def journals(self) -> list[Place]:
        """Give the journals whose rows are in no part."""
        packed = {name for path in self._parts() for name in self._packed_in(path)}
        return [path for path in self.all_journals() if path.name not in packed]

    def all_journals(self) -> list[Place]:
        """Give the journals that are there, those whose rows are in a part included."""
        return sorted((self.path / JOURNALS).glob("rows-*.jsonl"))

    def _packed_in(self, part: Place) -> list[str]:
        if not isinstance(part, ObjectPath):
            return parts.journals_of(part)
        if part not in self._journals_in:
            self._journals_in[part] = parts.journals_of(part)
        return self._journals_in[part]

    def _parts(self) -> list[Place]:
        return sorted((self.path / parts.PARTS).glob("rows-*.parquet"))

    def sources(self) -> Iterator[tuple[Place, Iterable[bytes] | None]]:
        """Give each part, with None, and each journal, with its lines that are whole.

        Of a journal that is packed just now, the part is given afterwards.
        """
        seen: set[Place] = set()
        is_complete = False
        while not is_complete:
            is_complete = True
            for path in self._new_parts(seen):
                seen.add(path)
                self.has_rows = True
                yield path, None
            for path, file in opened(path for path in self.journals() if path not in seen):
                if file is None:
                    is_complete = False
                    continue
                seen.add(path)
                self.has_rows = True
                yield path, (line for line in file if line.endswith(b"\n"))
            if any(self._new_parts(seen)):
                is_complete = False  # made while the journals were read

    def _new_parts(self, seen: set[Place]) -> list[Place]:
        """Give the parts that were not seen, not those whose journals were."""
        names = {path.name for path in seen}
        new = [path for path in self._parts() if path not in seen]
        return [path for path in new if not names.issuperset(self._packed_in(path) or [""])]

    def _each(
        self, read: Callable[[bytes], Any], names: list[str], kind: type[Any]
    ) -> Iterator[Any]:
        for path, lines in self.sources():
            if lines is None:
                yield from parts.facts_of(path, names, kind)
                continue
            for line in lines:
                try:
                    yield read(line)
                except (msgspec.DecodeError, UnicodeDecodeError, UnreadableRunError):
                    continue  # it was being written when its process ended


def _whole_lines(path: Place) -> Iterable[bytes]:
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield line
