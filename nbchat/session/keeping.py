"""Every run that was asked goes into the history, and into the cassette where there is one."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nbchat.display.characters import write
from nbchat.errors import BudgetError, HistoryError, NotRecordedError
from nbchat.history.places import PROCESS, Place
from nbchat.session.state import STATE

if TYPE_CHECKING:
    from nbchat.history.cassette import Cassette
    from nbchat.request.prepare import Prepared
    from nbchat.run import Run

#: seconds that the end of a cell waits for the disk
_AT_CELL_END_S = 15.0


def to_history(run: Run, prepared: Prepared) -> None:
    """Record a run; not one that came from a record, and not one that was never asked."""
    if run.is_replayed or isinstance(run.error, (NotRecordedError, BudgetError)):
        return
    from nbchat.history import redaction, store

    key = prepared.profile.key
    redaction.keep_out([*STATE.typed_keys.values(), *([key.reveal()] if key else [])])
    if run.number_in_cell is not None:
        STATE.claims.keep(run.id, Place(run.cell or PROCESS, run.number_in_cell))
    store.record(run)
    line = store.news()
    if line is not None:
        tell(line)
    cassette = STATE.settings.cassette
    if cassette is not None:
        is_first = STATE.settings.replay == "auto"
        _write(cassette, lambda: cassette.add(run, is_first=is_first), f"run {run.id}")


def _write(cassette: Cassette, write: Callable[[], None], what: str) -> None:
    try:
        write()
    except (OSError, HistoryError) as error:
        warnings.warn(
            f"The cassette {cassette.path} lacks {what}: {error}", UserWarning, stacklevel=3
        )


class _Told:
    #: whether a cell runs, at whose end it is said; and what
    is_in_cell = False
    lines: list[str] = []  # noqa: RUF012 - it is the process's


def tell(line: str) -> None:
    """Say a line once: below the cell that runs, whose reply may clear what stands in it."""
    _Told.lines.append(line)
    if not _Told.is_in_cell:
        _say(sys.stderr)


def begin_cell() -> None:
    """Keep what is to be said until the cell has ended."""
    _Told.is_in_cell = True


def end_cell() -> None:
    """Wait until what the cell asked is on disk, and say what is to be said."""
    _Told.is_in_cell = False
    cassette = STATE.settings.cassette
    if cassette is not None:
        _write(cassette, cassette.write, "steps of an analysis in this cell")
    wait_for_history()
    _say(sys.stdout)


def _say(stream: Any) -> None:
    lines, _Told.lines = _Told.lines, []
    for line in lines:
        write(stream, f"{line}\n")


def wait_for_history() -> None:
    """Wait until what was asked is on disk."""
    store = sys.modules.get("nbchat.history.store")  # where nothing was asked, there is none
    if store is not None:
        store.flush(_AT_CELL_END_S)
