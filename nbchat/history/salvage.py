"""A damaged history: put aside under another name, and read as far as it can be.

A file that was cut off, or whose beginning was written over, still has most of its pages. What
is read of it goes into a new file; the damaged one stays as it was.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from nbchat.errors import HistoryError, RunNotFoundError, UnreadableRunError
from nbchat.history.connection import kind_of
from nbchat.history.contents import whole
from nbchat.history.file_lock import locked
from nbchat.history.schema import APPLICATION_ID, migrate
from nbchat.history.stored_runs import contents_of, take_tables
from nbchat.run import Run

_HEADER = 100
_MAGIC = b"SQLite format 3\0"
#: stand as text in a file of ours: in the statement of a table, and in each run
_OURS = (b"nbchat_version TEXT NOT NULL", b'"object":"nbchat.run"')
_LONGEST = max(map(len, _OURS))
#: runs of a page at most, where it cannot be read how far their numbers go
_MOST_IN_A_PAGE = 8


def is_damage(error: sqlite3.Error) -> bool:
    """Tell whether an error says that the file is damaged, or none of SQLite's."""
    return kind_of(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def set_aside(path: Path, inode: tuple[int, int]) -> Path | None:
    """Give a damaged history another name; None where another process has done that already.

    `inode` is that of the file that was found damaged. Raise `HistoryError` for a file that is
    no history, which stays where it is.
    """
    with locked(path.with_name(f"{path.name}.lock")):
        try:
            facts = path.stat()
            if (facts.st_ino, facts.st_dev) != inode:
                return None
            if not is_ours(path):
                raise HistoryError(
                    f"{path} is no history of nbchat: name another file for it (NBCHAT_HISTORY or "
                    "nbchat.configure(history=...))."
                )
            aside = _free_name(path)
            # first what SQLite would play into the file that comes in its place
            for end in ("-journal", "-wal", "-shm"):
                beside = path.with_name(f"{path.name}{end}")
                with contextlib.suppress(FileNotFoundError):
                    beside.rename(aside.with_name(f"{aside.name}{end}"))
            path.rename(aside)
        except FileNotFoundError:
            return None
        finally:
            path.with_name(f"{path.name}.lock").unlink(missing_ok=True)
    return aside


def runs_of_damaged(path: Path) -> Iterator[Run]:
    """Give the runs that can be read of a history, whatever became of the file.

    What a run lacks is said in its `notes`. The file is not changed.
    """
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(_opened(path))
        content = contents_of(connection)
        for number in range(1, _last_number(connection, path) + 1):
            run = _run(connection, number, content)
            if run is not None:
                yield run


def is_ours(path: Path) -> bool:
    """Tell whether a file is a history, or was one before it was damaged."""
    with path.open("rb") as file:
        head = file.read(_HEADER)
        if head[:16] == _MAGIC and head[68:72] == APPLICATION_ID.to_bytes(4, "big"):
            return True
        before = head
        while block := file.read(1 << 20):
            if any(mark in before[-_LONGEST:] + block for mark in _OURS):
                return True
            before = block
    return False


def _free_name(path: Path) -> Path:
    stem = f"{path.stem}.damaged-{datetime.now().astimezone():%Y%m%d-%H%M%S}"
    names = (f"{stem}{end}{path.suffix}" for end in ("", *(f"-{k}" for k in range(2, 100))))
    return next(free for name in names if not (free := path.with_name(name)).exists())


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a file as it is, or a copy of it with a beginning of ours."""
    # a TemporaryDirectory would go as soon as Python begins to end, while this still reads
    folder = Path(tempfile.mkdtemp(prefix="nbchat-salvage-"))
    try:
        for candidate in (lambda: path, *_with_other_beginnings(path, folder)):
            with contextlib.closing(_connected(candidate())) as connection:
                if _has_tables(connection):
                    yield connection
                    return
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    raise HistoryError(f"Nothing can be read of {path}: its tables are not to be found.")


def _has_tables(connection: sqlite3.Connection) -> bool:
    sql = "SELECT count(*) FROM sqlite_master WHERE name IN ('runs', 'bodies', 'contents')"
    with contextlib.suppress(sqlite3.DatabaseError):
        return bool(connection.execute(sql).fetchone()[0] == 3)
    return False


def _connected(path: Path) -> sqlite3.Connection:
    # immutable: no lock, no journal, nothing is written beside it
    connection = sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True, isolation_level=None)
    # then a file with fewer pages than it says is read all the same
    with contextlib.suppress(sqlite3.Error):
        connection.execute("PRAGMA writable_schema = ON")
    return connection


def _with_other_beginnings(path: Path, folder: Path) -> Iterator[Callable[[], Path]]:
    """Give copies with the header of a new history, and with its whole first page."""

    def copied(n_bytes: int) -> Path:
        fresh, copy = folder / "fresh.sqlite", folder / f"{n_bytes}.sqlite"
        if not fresh.exists():
            connection = sqlite3.connect(fresh, isolation_level=None)
            migrate(connection, str(fresh))
            connection.close()
        shutil.copyfile(path, copy)
        with copy.open("r+b") as file:
            file.write(fresh.read_bytes()[:n_bytes])
            size = file.seek(0, 2)
            file.seek(28)  # how many pages there are, and none that is free
            file.write((size // 4096).to_bytes(4, "big") + bytes(8))
        return copy

    for n_bytes in (_HEADER, 4096):
        yield lambda n_bytes=n_bytes: copied(n_bytes)  # type: ignore[misc]


def _last_number(connection: sqlite3.Connection, path: Path) -> int:
    """Give a number that no run is beyond."""
    numbers = []
    for table in ("runs", "bodies", "texts"):
        with contextlib.suppress(sqlite3.Error):
            numbers.append(connection.execute(f"SELECT max(number) FROM {table}").fetchone()[0])  # noqa: S608
    if len(numbers) == 3:
        return max((number or 0) for number in numbers)
    return path.stat().st_size // 4096 * _MOST_IN_A_PAGE


def _run(connection: sqlite3.Connection, number: int, content: Callable[[str], Any]) -> Run | None:
    """Give the run of a number, None where nothing of it can be read."""
    body = _value(connection, "SELECT body FROM bodies WHERE number = ?", number)
    params = _value(connection, "SELECT params FROM runs WHERE number = ?", number)
    if body is None:
        return None
    lost: list[str] = []

    def content_of(sha256: str) -> Any:
        try:
            return content(sha256)
        except (RunNotFoundError, sqlite3.Error, msgspec.DecodeError):
            lost.append("a part of its messages")
            return {"role": "user", "content": "(lost)"}

    try:
        stored = whole(msgspec.json.decode(body), content_of)
        stored["params"] = _params(params, content_of)
        run = Run.from_dict({**stored, "params": stored["params"] or {}})
    except (msgspec.DecodeError, UnreadableRunError, TypeError, LookupError, ValueError):
        return None
    if stored["params"] is None:
        lost.append("its params")
    if not _take_tables(connection, number, run):
        lost.append("its token probabilities")
    if lost:
        parts = ", ".join(dict.fromkeys(lost))
        run.notes = [*run.notes, f"read from a damaged history, which had lost {parts}"]
    return run


def _params(text: Any, content: Callable[[str], Any]) -> Any:
    if not isinstance(text, str):
        return None
    try:
        return whole(msgspec.json.decode(text), content)
    except (msgspec.DecodeError, LookupError, TypeError):
        return None


def _take_tables(connection: sqlite3.Connection, number: int, run: Run) -> bool:
    """Give a run its token probabilities; tell whether all were there."""
    try:
        take_tables(connection, number, run)
    except (sqlite3.Error, UnreadableRunError):
        return False
    return True


def _value(connection: sqlite3.Connection, sql: str, number: int) -> Any:
    try:
        row = connection.execute(sql, [number]).fetchone()
    except (sqlite3.Error, UnicodeDecodeError):
        return None
    return None if row is None else row[0]
