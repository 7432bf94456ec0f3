"""The tables of the history, and the steps by which older files become today's.

A step is never changed once it was released: what comes later is another step.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from nbchat.errors import HistoryError
from nbchat.history.connection import begin

#: stands in the file's header, so that no other program's file is taken for a history
APPLICATION_ID = 0x6E626368  # "nbch"

#: statements, and what a statement alone cannot say
Step = Sequence[str | Callable[[sqlite3.Connection], object]]

_FIRST = (
    # one row for each run: what is looked for, sorted by and shown in a table
    """
    CREATE TABLE runs (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        created_at TEXT NOT NULL,
        profile TEXT,
        base_url TEXT,
        model TEXT,
        status TEXT NOT NULL,
        error TEXT,
        params TEXT NOT NULL,
        thread TEXT,
        turn INTEGER,
        notebook TEXT,
        cell TEXT,
        sweep TEXT,
        request_sha256 TEXT,
        number_in_cell INTEGER,
        is_replayed INTEGER NOT NULL,
        ttft_s REAL,
        elapsed_s REAL,
        cost_usd REAL,
        prompt_tokens INTEGER,
        completion_tokens INTEGER,
        total_tokens INTEGER,
        nbchat_version TEXT NOT NULL,
        n_bytes INTEGER NOT NULL
    )
    """,
    "CREATE INDEX runs_by_time ON runs (created_at)",
    "CREATE INDEX runs_by_request ON runs (request_sha256) WHERE request_sha256 IS NOT NULL",
    # what was answered first, what was typed, and what else was answered
    """
    CREATE TABLE texts (
        number INTEGER PRIMARY KEY REFERENCES runs ON DELETE CASCADE,
        text TEXT,
        asked TEXT,
        also_answered TEXT
    )
    """,
    """
    CREATE VIRTUAL TABLE texts_index USING fts5 (
        text, asked, also_answered, content='texts', content_rowid='number',
        tokenize="unicode61 remove_diacritics 2"
    )
    """,
    # the run as JSON, but for its contents and token probabilities
    """
    CREATE TABLE bodies (
        number INTEGER PRIMARY KEY REFERENCES runs ON DELETE CASCADE,
        body TEXT NOT NULL
    )
    """,
    # messages, media and schemas, each once
    """
    CREATE TABLE contents (
        content INTEGER PRIMARY KEY,
        sha256 TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        body TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE run_contents (
        number INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
        content INTEGER NOT NULL REFERENCES contents,
        PRIMARY KEY (number, content)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX run_contents_by_content ON run_contents (content)",
    # one row for each list of log probabilities; `answer` counts the rounds, then the last answer
    """
    CREATE TABLE token_probabilities (
        number INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
        answer INTEGER NOT NULL,
        choice INTEGER NOT NULL,
        channel TEXT NOT NULL,
        n_tokens INTEGER NOT NULL,
        n_alternatives INTEGER NOT NULL,
        columns BLOB NOT NULL,
        PRIMARY KEY (number, answer, choice, channel)
    )
    """,
)


_CONVERSATIONS = (
    # the number of the magic in its cell, where one asked
    "ALTER TABLE runs ADD COLUMN magic_in_cell INTEGER",
    # what conversations no longer have: all of one, or where `cell` says so, what that cell asked
    """
    CREATE TABLE forgotten (
        at TEXT NOT NULL,
        notebook TEXT NOT NULL,
        thread TEXT,
        cell TEXT
    )
    """,
    "CREATE INDEX forgotten_by_notebook ON forgotten (notebook)",
    "CREATE INDEX runs_by_notebook ON runs (notebook, thread) WHERE notebook IS NOT NULL",
)


def _with_who_was_asked(connection: sqlite3.Connection) -> None:
    """Add the model that was asked for; some files of the first schema have it already."""
    names = {row[1] for row in connection.execute("PRAGMA table_info(runs)")}
    if "model_asked" not in names:
        connection.execute("ALTER TABLE runs ADD COLUMN model_asked TEXT")
    connection.execute(
        "UPDATE runs SET model_asked = (SELECT CASE WHEN json_type(body, '$.model_asked') IS NULL "
        "THEN json_extract(params, '$.model') ELSE json_extract(body, '$.model_asked') END "
        "FROM bodies WHERE bodies.number = runs.number) WHERE model_asked IS NULL"
    )


STEPS: tuple[Step, ...] = (_FIRST, (_with_who_was_asked,), _CONVERSATIONS)


def version_of(connection: sqlite3.Connection, name: str, known: int | None = None) -> int:
    """Give the schema version of a file, 0 of a new one. `known`: the latest that can be read.

    Raise `HistoryError` for the file of another program or of a later nbchat.
    """
    version, owner, n_tables = _facts(connection)
    if owner != APPLICATION_ID and (owner or n_tables or version):
        raise HistoryError(
            f"{name} is a SQLite file of another program: name another one for the history "
            "(NBCHAT_HISTORY or nbchat.configure(history=...))."
        )
    latest = len(STEPS) if known is None else known
    if version > latest:
        raise HistoryError(
            f"{name} was written by a later nbchat (its schema is {version}, this one knows "
            f"{latest}): update nbchat, or name another file for the history."
        )
    return version


def _facts(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """Give a file's schema version, its owner's number and its count of tables.

    All as of one moment: another process may begin the same file between two reads.
    """
    is_alone = not connection.in_transaction
    if is_alone:
        connection.execute("BEGIN")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (owner,) = connection.execute("PRAGMA application_id").fetchone()
        (n_tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    finally:
        if is_alone:
            connection.rollback()
    return version, owner, n_tables


def migrate(connection: sqlite3.Connection, name: str, steps: Sequence[Step] | None = None) -> None:
    """Bring a file to today's schema, under a lock, whole or not at all.

    Raise `HistoryError` for the file of another program or of a later nbchat.
    """
    todo = STEPS if steps is None else steps
    if version_of(connection, name, len(todo)) >= len(todo):
        return
    begin(connection)
    try:
        # another process may have been quicker
        left = todo[version_of(connection, name, len(todo)) :]
        for part in (part for step in left for part in step):
            if isinstance(part, str):
                connection.execute(part)
            else:
                part(connection)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(todo)}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
