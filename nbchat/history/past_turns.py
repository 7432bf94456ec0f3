"""The turns that a notebook's cells had in a conversation, as far as the history knows."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from typing import NamedTuple

from nbchat.history.record import time_text


class _Row(NamedTuple):
    id: str
    created_at: str
    thread: str | None
    turn: int | None
    cell: str
    magic_in_cell: int


class PastTurn(NamedTuple):
    """A turn of a cell: the id of its run, and its number in the conversation, from 1."""

    run_id: str
    turn: int


_TURNS = """
    SELECT id, created_at, thread, turn, cell, magic_in_cell FROM runs JOIN texts USING (number)
    WHERE notebook = ? AND magic_in_cell IS NOT NULL AND cell IS NOT NULL
    AND (status = 'complete' OR thread IS NOT NULL AND (text <> '' OR also_answered <> ''))
    ORDER BY id
"""


def turns_of(connection: sqlite3.Connection, notebook: str, thread: str) -> list[PastTurn]:
    """Give the turns of a conversation in their order: of each cell the one it asked last."""
    forgotten = connection.execute(
        "SELECT at, thread, cell FROM forgotten WHERE notebook = ?", [notebook]
    ).fetchall()
    last: dict[tuple[str, int], _Row] = {}
    for cells in connection.execute(_TURNS, [notebook]):
        row = _Row(*cells)
        last[row.cell, row.magic_in_cell] = row
    kept = [
        PastTurn(row.id, row.turn or 1)
        for row in last.values()
        if row.thread == thread and not any(_covers(mark, row) for mark in forgotten)
    ]
    return sorted(kept, key=lambda turn: (turn.turn, turn.run_id))


def threads_of(connection: sqlite3.Connection, notebook: str) -> list[str]:
    """Give the names of all conversations that cells of a notebook had."""
    names = connection.execute(
        "SELECT DISTINCT thread FROM runs WHERE notebook = ? AND thread IS NOT NULL "
        "AND magic_in_cell IS NOT NULL",
        [notebook],
    )
    return [name for (name,) in names]


def thread_of(connection: sqlite3.Connection, notebook: str, cell: str, magic: int) -> str | None:
    """Give the conversation in which a cell asked last; None where it asked in none."""
    row = connection.execute(
        "SELECT thread FROM runs WHERE notebook = ? AND cell = ? AND magic_in_cell = ? "
        "ORDER BY id DESC LIMIT 1",
        [notebook, cell, magic],
    ).fetchone()
    return None if row is None else row[0]


def forget(
    connection: sqlite3.Connection, notebook: str, *, thread: str | None, cell: str | None
) -> None:
    """Note that a conversation was cleared, or a cell deleted, in the open transaction."""
    at = time_text(datetime.now(UTC))
    connection.execute(
        "INSERT INTO forgotten (at, notebook, thread, cell) VALUES (?, ?, ?, ?)",
        [at, notebook, thread, cell],
    )


def _covers(mark: tuple[str, str | None, str | None], row: _Row) -> bool:
    at, thread, cell = mark
    return row.created_at <= at and thread in (None, row.thread) and cell in (None, row.cell)
