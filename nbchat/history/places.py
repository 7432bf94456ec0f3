"""Where a request stands, and which record is its: the pure half of a replay.

30 samples of one cell are 30 equal requests. Each has a place: its cell, and its number among
the equal ones of this execution of the cell, fixed when it is prepared, so that it does not
matter which of them is sent or answered first.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Hashable, Sequence

import msgspec

#: the cell of what was asked outside of a notebook: the process is its cell
PROCESS = ""


class Place(msgspec.Struct, frozen=True):
    """Where a request stands: its cell, and its number among equal ones in it, from 0."""

    cell: str
    number: int


class Recorded(msgspec.Struct, frozen=True):
    """A run that could be replayed: its id, which sorts by time, and where it stood."""

    id: str
    cell: str = PROCESS
    number: int | None = None


class Claim(msgspec.Struct, frozen=True):
    """The record that a request is answered from. `is_own`: whether it is of this very place."""

    id: str
    is_own: bool


class Places:
    """Gives out the numbers of equal requests. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._executions: dict[str, Hashable] = {}
        self._counts: dict[str, Counter[str]] = {}

    def take(self, sha256: str, cell: str = PROCESS, execution: Hashable = None) -> Place:
        """Give the place of a request that is being prepared.

        `execution` is what names this execution of the cell: with another one, numbers begin
        again at 0.
        """
        with self._lock:
            if cell not in self._counts or self._executions[cell] != execution:
                self._executions[cell] = execution
                self._counts[cell] = Counter()
            number = self._counts[cell][sha256]
            self._counts[cell][sha256] += 1
        return Place(cell, number)


class Claims:
    """Tells which record answers a request at a place. Safe from any thread.

    The record of this very place, the latest where there are several; else, in the order in
    which they were made, one that no other place has taken. What a place took once, it gets
    again when its cell runs again.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: dict[str, Place] = {}
        self._made: dict[str, Place] = {}

    def claim(
        self, place: Place, records: Sequence[Recorded], *, may_ask: bool = False
    ) -> Claim | None:
        """Take one of the records of equal requests for this place; None where none is left.

        Where it `may_ask` instead, what another place was answered in this process is left to
        that: samples that are drawn one after the other are no records for each other.
        """
        latest: dict[tuple[str, int | None, str], Recorded] = {}
        for record in sorted(records, key=lambda record: record.id):
            # of a place that was asked again only the last answer counts
            is_placed = record.number is not None
            latest[record.cell, record.number, "" if is_placed else record.id] = record
        here = latest.get((place.cell, place.number, ""))
        with self._lock:
            if here is not None:
                self._taken[here.id] = place
                return Claim(here.id, is_own=True)
            order = sorted(latest.values(), key=lambda record: record.id)
            mine = [record for record in order if self._taken.get(record.id) == place]
            kept = {**self._made, **self._taken} if may_ask else self._taken
            free = [record for record in order if record.id not in kept]
            for record in (*mine, *free):
                self._taken[record.id] = place
                return Claim(record.id, is_own=False)
        return None

    def keep(self, run_id: str, place: Place) -> None:
        """Note that a record is that of this place, which has just been answered."""
        with self._lock:
            self._made[run_id] = place

    def forget(self) -> None:
        """Let every record be free again."""
        with self._lock:
            self._taken.clear()
            self._made.clear()
