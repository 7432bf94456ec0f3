"""Rows cut into parcels, each of which is a task."""

from __future__ import annotations

from collections.abc import Iterator

from nbchat.sweep.design import Cell
from nbchat.sweep.executors import Work
from nbchat.sweep.link import Link
from nbchat.sweep.parcel import Parcel, Wrapping

#: rows of a task, at least where there are enough, and at most; and bytes, about
LEAST_ROWS, MOST_ROWS, MOST_BYTES = 500, 2_000, 4_000_000
#: rows of the last ones, at least: no worker is to wait long for another one's last task
_LAST_ROWS = 125
#: as many tasks for each thread as the rest is cut into
_TASKS_LEFT = 4
#: tasks that are out for each thread of a worker
WINDOW = 2


class Parcels:
    """Makes the parcels of the rows that are wanted, larger ones first, as they are needed.

    `n_rows`: rows in all; `are_all_made`: whether none is left.
    """

    def __init__(self, work: Work, run: str, link: Link):
        self._work, self._run, self._link = work, run, link
        self.wrapping = Wrapping(work.design.labels, work.standings, is_here=link.is_here)
        self._cells: Iterator[Cell] = work.design.cells(is_wanted=work.is_wanted)
        self.n_rows = self._left = sum(work.is_wanted(row.id) for row in work.design.rows())
        self.are_all_made = False
        self._n_parcels = 0
        self._most_rows = MOST_ROWS

    def next(self, n_threads: int) -> list[Parcel]:
        """Give the next one, or a few that are one by their rows; none where none is left."""
        cells = self._next_cells(n_threads)
        return self._parcels_of(cells) if cells else []

    def _next_cells(self, n_threads: int) -> list[Cell]:
        first = min(LEAST_ROWS, max(-(-self.n_rows // (WINDOW * n_threads)), 1))
        least = min(_LAST_ROWS, first)
        size = min(max(-(-self._left // (_TASKS_LEFT * n_threads)), least), self._most_rows)
        if self._n_parcels < WINDOW * n_threads:
            size = first  # so that all have something to do soon
        cells: list[Cell] = []
        n_rows = 0
        while n_rows < size and not self.are_all_made:
            cell = next(self._cells, None)
            if cell is None:
                self.are_all_made = True
                break
            places = [at for at, row in enumerate(cell.rows) if self._work.is_wanted(row.id)]
            rows = tuple(cell.rows[at] for at in places)
            cells.append(Cell(rows, tuple(cell.prepared[at] for at in places)))
            n_rows += len(rows)
        self._left -= n_rows
        return cells

    def _parcels_of(self, cells: list[Cell]) -> list[Parcel]:
        contents = self.wrapping.contents(cells)
        n_rows = sum(len(cell.rows) for cell in cells)
        n_bytes = len(contents) if isinstance(contents, bytes) else 0
        if n_bytes > MOST_BYTES and len(cells) > 1:
            self._most_rows = max(self._most_rows // 2, 1)
            half = len(cells) // 2
            return [*self._parcels_of(cells[:half]), *self._parcels_of(cells[half:])]
        for number, profile in self.wrapping.profiles.items():
            self._link.add_server(number, profile)
        self._n_parcels += 1
        return [
            Parcel(
                run=self._run,
                number=self._n_parcels,
                folder=str(self._work.folder),
                name=self._work.name,
                tries=self._work.tries,
                n_rows=n_rows,
                contents=contents,
            )
        ]
