"""What came of a sweep: its records, runs and tokens, as they are or as frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nbchat.sweep.batched import Batched
from nbchat.sweep.batches import RUNS, Batches, with_columns

if TYPE_CHECKING:
    import pandas as pd

    from nbchat.run import Run
    from nbchat.sweep.records import Record


class Answered(Batched):
    """The part of a `Sweep` that gives what is in its folder, also while it runs."""

    def __iter__(self) -> Iterator[Run]:
        """Give the runs of all rows that have ended, one after the other, as they were written."""
        return self.each_run()

    def records(self) -> dict[str, Record]:
        """Give row id -> its latest record, of the rows of this plan that have ended."""
        latest = self._folder.records()
        return {row.id: latest[row.id] for row in self.design.rows() if row.id in latest}

    def each_run(self, is_wanted: Callable[[Record], bool] = lambda _: True) -> Iterator[Run]:
        """Give the runs whose records are wanted: the latest of each row of this plan."""
        latest = {record.run_id for record in self.records().values() if is_wanted(record)}
        return self._folder.runs(lambda record: record.run_id in latest)

    def runs(self) -> pd.DataFrame:
        """Give one row for each row of the plan, in its order, also while it runs.

        `nbchat.frames.sweep_rows` declares the columns: what the row is, its axes, its status
        ("not_sent" where nothing has come yet), what came, and the data of its item.
        """
        from nbchat.frames.sweep_rows import ROW_COLUMNS, sweep_rows

        latest, rows = self._folder.records(), self.design.rows()
        labels = [self.design.labels(point) for point in range(len(self.design.grid.points))]
        ended = [latest.get(row.id) for row in rows]
        facts: dict[str, list[Any]] = {
            name: [getattr(record, name, None) for record in ended] for name in ROW_COLUMNS
        }
        facts |= {
            "row_id": [row.id for row in rows],
            "item": [row.item for row in rows],
            "sample": [row.sample for row in rows],
            "status": ["not_sent" if record is None else record.status for record in ended],
        }
        axes = {axis: [labels[row.point][axis] for row in rows] for axis in self.design.axes}
        data = {}
        for name in self.design.items.columns:
            if name not in axes:
                column = self.design.items.column(name)
                data[name] = [column[row.item] for row in rows]
        return sweep_rows(facts, axes, data)

    def rows(self, where: Mapping[str, Any] | None = None, /, **equal: Any) -> pd.DataFrame:
        """Give the rows that have these values, with their scores: those of a cell of a figure.

        ``sweep.rows(temperature=1, status="answered")``: names are axes, columns of `runs` and of
        the data, and scores; a list is any of its values, None what is not set. `where` is a
        mapping, for names that are no Python ones. ``nbchat.inspect(sweep.rows(…))`` shows the
        runs, ``sweep.run_of(row_id)`` gives one. Raise CheckError for a name that is none.
        """
        from nbchat.sweep.rows import rows_at

        frame, scores = self.runs(), self.scores()
        for name in scores.columns:
            if name not in frame:
                frame[name] = scores[name].to_numpy()
        return rows_at(frame, {**(where or {}), **equal}, tuple(self.design.axes))

    def run_of(self, row_id: str) -> Run:
        """Give the run of a row, by its id or how it begins: ``nbchat.inspect(sweep.run_of(…))``.

        Raise RunNotFoundError where no such row has ended.
        """
        from nbchat.sweep.rows import run_of_row

        return run_of_row(self._folder, row_id)

    def tokens(
        self,
        *,
        columns: Sequence[str] | None = None,
        where: Callable[[Record], bool] | None = None,
    ) -> pd.DataFrame:
        """Give one row for each token, as `nbchat.tokens`; it has to fit into memory.

        `columns` names those that are wanted; `where` is given the record of a row and tells
        whether its tokens are. `batches` gives the same in pieces.
        """
        from nbchat import frames

        return with_columns(frames.tokens(self.each_run(where or _any_record)), columns)

    def batches(
        self,
        *,
        columns: Sequence[str] | None = None,
        where: Callable[[Record], bool] | None = None,
        n_runs: int = RUNS,
    ) -> Batches:
        """Give the frame of `tokens` in pieces of so many runs, one in memory at a time."""
        return Batches(lambda: self.each_run(where or _any_record), columns, n_runs)


def _any_record(_: Record) -> bool:
    return True
