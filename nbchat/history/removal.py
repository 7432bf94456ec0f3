"""Runs out of the history for good."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from nbchat.api.encoded import size_text
from nbchat.history.connection import begin, commit, connect
from nbchat.history.record import remove
from nbchat.history.schema import migrate

_ORPHANS = "content NOT IN (SELECT content FROM run_contents)"
_OF_THESE_ALONE = (
    "SELECT coalesce(sum(length(body)), 0) FROM contents WHERE content IN ("
    "SELECT content FROM run_contents GROUP BY content "
    "HAVING count(*) = sum(number IN (SELECT number FROM chosen)))"
)


class Removal(msgspec.Struct, frozen=True):
    """What `delete` took away, or would: runs, and the bytes of what they alone have."""

    n_runs: int
    n_bytes: int
    is_done: bool

    def __repr__(self) -> str:
        runs = f"{self.n_runs:,} run{'' if self.n_runs == 1 else 's'}, {size_text(self.n_bytes)}"
        if self.is_done:
            return f"{runs}: deleted"
        return f"{runs} would be deleted: really=True does it"


def removed(path: Path, where: str, values: Sequence[Any], *, really: bool) -> Removal:
    """Count the runs that `where` chooses and, if `really`, delete them and shrink the file."""
    with closing(connect(path)) as connection:
        migrate(connection, str(path))
        if really:
            begin(connection)
        chosen = f"CREATE TEMP TABLE chosen AS SELECT number FROM runs {where}"  # noqa: S608
        connection.execute(chosen, values)
        removal = _counted(connection)
        if not really or not removal.n_runs:
            return removal
        numbers = connection.execute("SELECT number FROM chosen").fetchall()
        for (number,) in numbers:
            remove(connection, number)
        connection.execute(f"DELETE FROM contents WHERE {_ORPHANS}")  # noqa: S608
        # the index keeps what was deleted until its parts are merged
        connection.execute("INSERT INTO texts_index (texts_index) VALUES ('optimize')")
        commit(connection)
        connection.execute("DROP TABLE chosen")
        connection.execute("VACUUM")
        return msgspec.structs.replace(removal, is_done=True)


def _counted(connection: sqlite3.Connection) -> Removal:
    n_runs, n_bytes = connection.execute(
        "SELECT count(*), coalesce(sum(n_bytes), 0) FROM runs JOIN chosen USING (number)"
    ).fetchone()
    (of_contents,) = connection.execute(_OF_THESE_ALONE).fetchone()
    return Removal(n_runs, n_bytes + of_contents, is_done=False)
