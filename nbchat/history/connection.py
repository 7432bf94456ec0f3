"""Connections to the file, and how long they wait for one another.

The rollback journal, since WAL loses commits of several processes in the SQLite that many
Pythons have, and fails silently on network file systems. A transaction says at its beginning
that it writes: one that reads first is refused whatever the timeout.
"""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

#: seconds that a writer waits for others, and a reader
PATIENCE_S = 10.0


def connect(path: Path) -> sqlite3.Connection:
    """Open a file for reading and writing; a new one belongs to the user alone (mode 0600)."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    connection = sqlite3.connect(
        path, timeout=PATIENCE_S, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")
    return connection


@contextlib.contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a file that is there for one reader."""
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode=rw", uri=True, timeout=PATIENCE_S, isolation_level=None
    )
    try:
        yield connection
    finally:
        connection.close()


def kind_of(error: sqlite3.Error) -> int:
    """Give SQLite's code of an error without what it adds to it; 0 where it has none."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def begin(connection: sqlite3.Connection, patience_s: float = PATIENCE_S) -> None:
    """Begin to write, once nobody else does."""
    _patiently(connection, "BEGIN IMMEDIATE", patience_s)


def commit(connection: sqlite3.Connection, patience_s: float = PATIENCE_S) -> None:
    """Put what was written on disk, once nobody reads."""
    _patiently(connection, "COMMIT", patience_s)


def _patiently(connection: sqlite3.Connection, statement: str, patience_s: float) -> None:
    # SQLite's own waiting grows to 100 ms at a time, in which others come first again and again
    connection.execute("PRAGMA busy_timeout = 0")
    deadline = time.monotonic() + patience_s
    while True:
        try:
            connection.execute(statement)
        except sqlite3.OperationalError as error:
            if kind_of(error) != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise
            time.sleep(random.uniform(0.001, 0.01))  # noqa: S311 - so that not all ask at once
        else:
            break
    connection.execute(f"PRAGMA busy_timeout = {int(PATIENCE_S * 1000)}")
