"""The history that is in force, and what is done with it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbchat.api.json_values import shown
from nbchat.client.presets import LOCAL
from nbchat.errors import HistoryError, RunNotFoundError
from nbchat.history import connection as connections
from nbchat.history import past_turns
from nbchat.history.filters import Texts, When, where_of
from nbchat.history.location import location
from nbchat.history.places import PROCESS, Recorded
from nbchat.history.salvage import is_damage, is_ours, runs_of_damaged
from nbchat.history.saved_file import load as load_runs
from nbchat.history.saved_file import save_all
from nbchat.history.schema import STEPS, migrate, version_of
from nbchat.history.stored_runs import frame_of, run_by_id, runs_by_id
from nbchat.history.sweeps import runs_of_sweeps
from nbchat.history.writer import Writer, inode_of, writer_of

if TYPE_CHECKING:
    import pandas as pd

    from nbchat.history.removal import Removal
    from nbchat.run import Run


class _Chosen:
    setting: object = None
    #: files that this process has written to; and one that it began, until that was said
    seen: set[Path] = set()  # noqa: RUF012 - it is the process's
    begun: Path | None = None


def choose(setting: object) -> None:
    """Say where the history is, as `location` reads it; None: where the environment says."""
    location(setting)
    _Chosen.setting = setting


def path_now() -> Path | None:
    """Give the file that is in force; None where the history is switched off."""
    return location(_Chosen.setting)


def size_now() -> int:
    """Give the bytes that the history takes on disk, with what waits beside it."""
    flush()
    path = path_now()
    if path is None or not path.exists():
        return 0
    beside = path.parent.glob(f"{path.stem}.*.waiting.jsonl*")
    return path.stat().st_size + sum(file.stat().st_size for file in beside)


def record(run: Run) -> None:
    """Take a run to be written, from any thread; it returns at once. Nothing where it is off."""
    path = path_now()
    if path is None:
        return
    if path not in _Chosen.seen:
        _Chosen.seen.add(path)
        _Chosen.begun = None if path.exists() else path
    writer_of(path).record(run)


def flush(timeout_s: float | None = None) -> bool:
    """Wait until all that was recorded is safe; tell whether it is."""
    path = path_now()
    return True if path is None else writer_of(path).flush(timeout_s)


def news() -> str | None:
    """Say once, in one line, that a new history was begun; None where there is nothing to say."""
    path, _Chosen.begun = _Chosen.begun, None
    if path is None:
        return None
    return (
        f"Runs are kept in {path} (nbchat.history); "
        'nbchat.configure(history="off") or NBCHAT_HISTORY=off switches that off.'
    )


def search(
    text: str | None = None,
    *,
    since: When | None = None,
    until: When | None = None,
    model: Texts | None = None,
    profile: Texts | None = None,
    thread: Texts | None = None,
    notebook: Texts | None = None,
    status: Texts | None = None,
    sweep: Texts | None = None,
    limit: int | None = 1000,
    all_columns: bool = False,
) -> pd.DataFrame:
    """Give the runs frame of the history, newest first (see `nbchat.runs`).

    - `text`: words that were typed or answered, all of them; the last may be the beginning of one
    - `since`, `until`: a datetime, a date, text as "2026-11-29", or a timedelta: that long ago
    - the others: what is equal, or one of several; ``*`` stands for anything ("gpt-*")
    - `sweep`: the names of sweeps, which are those of their folders: their rows are read there
    - `limit`: at most so many runs, None for all
    - `all_columns`: with the fields that none of them has set

    Frame functions take the frame: ``nbchat.tokens(nbchat.history.search("Paris"))``. Raise
    `HistoryError` where the file cannot be read, CheckError for a filter that cannot.
    """
    where, values = where_of(
        text,
        since=since,
        until=until,
        limit=limit,
        model=model,
        profile=profile,
        thread=thread,
        notebook=notebook,
        status=status,
        sweep=sweep,
    )
    in_folders: list[Run] = []
    if sweep is not None:
        in_folders = runs_of_sweeps(
            path_now(), sweep, text=text, since=since, until=until, limit=limit,
            model=model, profile=profile, thread=thread, notebook=notebook, status=status,
        )  # fmt: skip
    with _reading() as connection:
        if connection is None:
            from nbchat.frames.assembly import empty
            from nbchat.frames.per_run import arranged

            frame = empty("runs")
            frame = frame if all_columns else arranged(frame)
        else:
            frame = frame_of(connection, where, values, all_columns=all_columns)
    if not in_folders:
        return frame
    from nbchat.frames.per_run import newest_first, runs

    return newest_first(frame, runs(in_folders, all_columns=all_columns), limit)


def get(id: str) -> Run:  # noqa: A002 - it is the id
    """Give the run of this id, or of the one id that begins so.

    Raise `RunNotFoundError` where there is none, or more than one, and for what is no id.
    """
    if not isinstance(id, str) or not id:
        raise RunNotFoundError(
            f"A run is found by its id or the beginning of it, and {shown(id)} is none: "
            "nbchat.history.search() has them as run_id."
        )
    with _reading() as connection:
        if connection is None:
            raise RunNotFoundError(f"There is no history yet, so no run {id!r}.")
        return run_by_id(connection, id)


def runs_of_ids(ids: Iterable[str]) -> dict[str, Run]:
    """Give the runs of these ids that the history has, under their ids."""
    with _reading() as connection:
        runs = [] if connection is None else runs_by_id(connection, ids)
        return {run.id: run for run in runs}


def of_request(sha256: str) -> list[Recorded]:
    """Give the whole runs of requests that are equal to this one."""
    with _reading() as connection:
        if connection is None:
            return []
        rows = connection.execute(
            "SELECT id, cell, number_in_cell FROM runs WHERE request_sha256 = ? "
            "AND status = 'complete' AND NOT is_replayed",
            [sha256],
        )
        return [Recorded(run_id, cell or PROCESS, number) for run_id, cell, number in rows]


def vocabulary_size(profile: str, base_url: str) -> int | None:
    """Give the size of the vocabulary that the last run of a server had; None if unknown.

    The embedded server, whose address changes, is known by its profile.
    """
    with _reading() as connection:
        if connection is None:
            return None
        row = connection.execute(
            "SELECT json_extract(body, '$.vocab_size') AS size FROM runs "
            "JOIN bodies USING (number) "
            "WHERE profile = ? AND (profile = ? OR base_url = ?) AND size IS NOT NULL "
            "ORDER BY number DESC LIMIT 1",
            [profile, LOCAL, base_url],
        ).fetchone()
        return None if row is None else int(row[0])


def turns_of(notebook: str, thread: str) -> list[tuple[Run, int]]:
    """Give the runs of a conversation that the cells of a notebook had, with their numbers."""
    with _reading() as connection:
        if connection is None:
            return []
        turns = past_turns.turns_of(connection, notebook, thread)
        runs = runs_by_id(connection, [turn.run_id for turn in turns])
        return [(run, turn.turn) for run, turn in zip(runs, turns, strict=True)]


def threads_of(notebook: str) -> list[str]:
    """Give the names of the conversations that the cells of a notebook had."""
    with _reading() as connection:
        return [] if connection is None else past_turns.threads_of(connection, notebook)


def thread_of_cell(notebook: str, cell: str, magic: int) -> str | None:
    """Give the conversation in which a cell asked last; None where it asked in none."""
    with _reading() as connection:
        return (
            None if connection is None else past_turns.thread_of(connection, notebook, cell, magic)
        )


def forget(notebook: str, *, thread: str | None = None, cell: str | None = None) -> None:
    """Note that a conversation was cleared, or a cell deleted: it is not to come back.

    Where that cannot be written, it may come back.
    """
    path = path_now()
    if path is None or not path.exists():
        return
    with contextlib.suppress(sqlite3.Error, HistoryError, OSError):
        connection = connections.connect(path)
        try:
            migrate(connection, str(path))
            connections.begin(connection)
            past_turns.forget(connection, notebook, thread=thread, cell=cell)
            connections.commit(connection)
        finally:
            connection.close()


def delete(
    text: str | None = None,
    *,
    since: When | None = None,
    until: When | None = None,
    model: Texts | None = None,
    profile: Texts | None = None,
    thread: Texts | None = None,
    notebook: Texts | None = None,
    status: Texts | None = None,
    sweep: Texts | None = None,
    really: bool = False,
) -> Removal:
    """Say how many runs the filters of `search` choose and how large they are.

    With ``really=True`` they are deleted, and the file shrinks. Without filters it is all.
    """
    from nbchat.history.removal import Removal, removed

    where, values = where_of(
        text,
        since=since,
        until=until,
        model=model,
        profile=profile,
        thread=thread,
        notebook=notebook,
        status=status,
        sweep=sweep,
    )
    flush()
    path = path_now()
    if path is None or not path.exists():
        return Removal(0, 0, is_done=really)
    with _readable(path):
        return removed(path, where, values, really=really)


def export(file: str | os.PathLike[str], text: str | None = None, **filters: Any) -> int:
    """Write runs to a file as `nbchat.save` does, newest first; give how many.

    `text` and `filters` are those of `search`, where None is no limit. They are read one by
    one, so that memory does not matter.
    """
    where, values = where_of(text, **filters)
    with _reading() as connection:
        ids = (
            []
            if connection is None
            else [row[0] for row in connection.execute(f"SELECT id FROM runs {where}", values)]  # noqa: S608
        )
        save_all([] if connection is None else runs_by_id(connection, ids), file)
    return len(ids)


def load(source: Any) -> pd.DataFrame:
    """Take the runs of a file, or of anything that `nbchat.load` reads, into the history.

    A ``.sqlite`` is another history: what can be read of it is taken, be it damaged or not.
    Gives their frame. Runs that are there already stay one. Raise `HistoryError` where the
    history is switched off.
    """
    from nbchat import frames

    is_history = isinstance(source, (str, os.PathLike)) and str(source).endswith(".sqlite")
    runs = list(runs_of_damaged(_there(source))) if is_history else load_runs(source)
    path = path_now()
    if path is None:
        raise HistoryError("The history is switched off (nbchat.configure(history=...)).")
    for run in runs:
        record(run)
    flush()
    return frames.runs(runs)


def _there(source: str | os.PathLike[str]) -> Path:
    path = Path(source).expanduser().absolute()
    path.stat()
    return path


def writer() -> Writer | None:
    """Give this process's writer of the history; None where it is switched off."""
    path = path_now()
    return None if path is None else writer_of(path)


@contextlib.contextmanager
def _reading() -> Iterator[sqlite3.Connection | None]:
    """Give a connection to all that was recorded; None where there is nothing yet."""
    path = path_now()
    if path is not None:
        writer_of(path).settle()
    if path is None or not path.exists():
        yield None
        return
    with _readable(path), connections.reading(path) as connection:
        version = version_of(connection, str(path))
        if 0 < version < len(STEPS):
            _bring_to_today(connection, path)
        yield connection if version else None


def _bring_to_today(connection: sqlite3.Connection, path: Path) -> None:
    try:
        migrate(connection, str(path))
    except sqlite3.OperationalError as error:
        raise HistoryError(
            f"The history {path} was written by an earlier nbchat, and its tables cannot be "
            f"brought to today's ({error}): it has to be writable for that once."
        ) from error


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    inode = inode_of(path)
    try:
        yield
    except sqlite3.Error as error:
        hint = ""
        if is_damage(error) and not is_ours(path):
            hint = (
                ": it is no history of nbchat. Name another file for it (NBCHAT_HISTORY or "
                "nbchat.configure(history=...))"
            )
        elif is_damage(error):
            writer_of(path).note_damage(inode)
            hint = (
                ": it is damaged. The next run begins a new one, which takes over what can be read "
                "of this one; this one is kept under another name"
            )
        raise HistoryError(f"The history {path} cannot be read ({error}){hint}.") from error
