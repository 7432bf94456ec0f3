"""What is written of rows: that they are sent, what became of it, and at last the row itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from nbchat.history.redaction import Redaction, keep_out, known_secrets
from nbchat.sweep.journal import Attempt, Journal
from nbchat.sweep.outcomes import Ending
from nbchat.sweep.packing import Packing
from nbchat.sweep.records import Record, line_of

if TYPE_CHECKING:
    from nbchat.run import Run
    from nbchat.sweep.asked_row import Task
    from nbchat.sweep.design import Design


class RowLog:
    """The journal of a process, the packing of what is full of it, and no key in either.

    `on_rows` is told of records that are on disk, from a thread; `stem` is what the files are
    called by, None: as no others are.
    """

    def __init__(
        self,
        design: Design,
        folder: Path,
        on_rows: Callable[[list[Record]], object],
        stem: str | None,
    ):
        self._packing = Packing(folder)
        self._journal = Journal(folder, on_safe=on_rows, on_full=self._packing.add, stem=stem)
        self._redaction = Redaction(known_secrets())
        self._keys: set[str] = set()
        self._design = design

    @property
    def fault(self) -> BaseException | None:
        """What the disk refused, None where it takes all."""
        return self._journal.fault

    def take_over(self) -> None:
        """Pack what earlier processes left in the folder, which nobody else writes."""
        self._packing.take_over()

    def close(self) -> None:
        """Bring all onto the disk."""
        self._journal.close()
        self._packing.close()

    def sent(self, task: Task) -> None:
        """Note that a row is sent, before it is. Raise HistoryError where it cannot be noted."""
        self._journal.sent(Attempt("sent", task.row.id, time.time(), task.n_sent))

    def gave_no_row(
        self, task: Task, run: Run, error: BaseException | None, ending: Ending, n_requests: int
    ) -> None:
        """Note what became of a request that gave no row."""
        event: str = "unknown" if ending.is_unknown else ending.outcome
        if not n_requests:
            event = "not_sent"
        elif event == "cut":
            event = "failed"
        sentence = None if error is None else f"{type(error).__name__}: {error}"
        self._journal.sent(
            Attempt(
                event,
                task.row.id,
                time.time(),
                task.n_sent,
                None if sentence is None else self._redaction.text(sentence),
                run.elapsed_s,
            )
        )

    def row(self, task: Task, run: Run) -> None:
        """Write a row that has ended. Raise HistoryError where it cannot be."""
        key = task.prepared.profile.key
        if key is not None and key.reveal() not in self._keys:
            self._keys.add(key.reveal())
            keep_out([key.reveal()])
            self._redaction = Redaction(known_secrets())
        labels = self._design.labels(task.row.point)
        self._journal.append(
            *line_of(task.row, labels, run, task.attempt, task.n_sent, self._redaction)
        )
