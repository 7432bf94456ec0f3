"""Runs out of the history: whole ones by their id, and many as a frame."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from nbchat.api.fields import FIELDS
from nbchat.errors import RunNotFoundError
from nbchat.history.contents import whole
from nbchat.history.record import with_tables
from nbchat.history.token_columns import unpacked
from nbchat.options import OPTIONS
from nbchat.run import Run

if TYPE_CHECKING:
    import pandas as pd

_AT_ONCE = 500
_FACTS = (
    *("run_id", "created_at", "profile", "status", "text", "error", "is_replayed"),
    *("model", "model_asked", "thread", "turn", "prompt_tokens", "completion_tokens"),
    *("cost_usd", "elapsed_s"),
)


def ids_beginning(connection: sqlite3.Connection, beginning: str) -> list[str]:
    """Give the ids that begin so, the oldest first, at most ten."""
    end = f"{beginning}\U0010ffff"
    rows = connection.execute(
        "SELECT id FROM runs WHERE id >= ? AND id < ? ORDER BY id LIMIT 10", [beginning, end]
    )
    return [row[0] for row in rows]


def run_by_id(connection: sqlite3.Connection, beginning: str) -> Run:
    """Give the run whose id begins so. Raise `RunNotFoundError` where that is not one."""
    ids = ids_beginning(connection, beginning) if beginning else []
    if beginning in ids:
        ids = [beginning]
    if not ids:
        raise RunNotFoundError(f"The history has no run {beginning!r}.")
    if len(ids) > 1:
        shown = ", ".join(ids[:3])
        raise RunNotFoundError(f"{beginning!r} begins the ids of several runs: {shown}, …")
    return next(iter(runs_by_id(connection, ids)))


def runs_by_id(connection: sqlite3.Connection, ids: Iterable[str]) -> Iterator[Run]:
    """Give the runs of these ids that are there, in the order of the ids."""
    content = contents_of(connection)
    wanted = list(dict.fromkeys(ids))
    for start in range(0, len(wanted), _AT_ONCE):
        part = wanted[start : start + _AT_ONCE]
        marks = ", ".join("?" for _ in part)
        rows = connection.execute(
            f"SELECT id, number, params, body FROM runs JOIN bodies USING (number) "  # noqa: S608
            f"WHERE id IN ({marks})",
            part,
        )
        by_id = {row[0]: row[1:] for row in rows}
        for run_id in part:
            if run_id in by_id:
                number, params, body = by_id[run_id]
                yield _run(connection, number, params, body, content)


def _run(
    connection: sqlite3.Connection,
    number: int,
    params: str,
    body: str,
    content: Callable[[str], Any],
) -> Run:
    stored = whole(msgspec.json.decode(body), content)
    stored["params"] = whole(msgspec.json.decode(params), content)
    run = Run.from_dict(stored)
    take_tables(connection, number, run)
    return run


def take_tables(connection: sqlite3.Connection, number: int, run: Run) -> None:
    """Give a run its token probabilities."""
    tables: dict[int, dict[tuple[int, str], bytes]] = {}
    for answer, place, channel, columns in connection.execute(
        "SELECT answer, choice, channel, columns FROM token_probabilities WHERE number = ?",
        [number],
    ):
        tables.setdefault(answer, {})[place, channel] = columns
    for at, tool_round in enumerate(run.rounds):
        if at in tables:
            tool_round.completion = with_tables(tool_round.completion, tables[at], unpacked)
    last = len(run.rounds)
    if run.completion is not None and last in tables:
        run.completion = with_tables(run.completion, tables[last], unpacked)


def contents_of(connection: sqlite3.Connection) -> Callable[[str], Any]:
    """Give what reads a message, a medium or a schema by its SHA-256."""

    @functools.lru_cache(maxsize=4096)
    def content(sha256: str) -> Any:
        row = connection.execute("SELECT body FROM contents WHERE sha256 = ?", [sha256]).fetchone()
        if row is None:
            raise RunNotFoundError(f"The history lacks a part of this run (SHA-256 {sha256}).")
        return msgspec.json.decode(row[0])

    return content


def frame_of(
    connection: sqlite3.Connection,
    where: str,
    values: Sequence[Any],
    *,
    all_columns: bool = False,
) -> pd.DataFrame:
    """Give the runs frame of the rows that `where` (SQL) chooses, without their bodies."""
    from nbchat.frames.assembly import assemble, blank, with_na
    from nbchat.frames.columns import columns_of
    from nbchat.frames.per_run import arranged

    rows = connection.execute(
        "SELECT id, created_at, nullif(profile, ''), status, text, error, is_replayed, "  # noqa: S608
        "model, model_asked, thread, turn, prompt_tokens, completion_tokens, cost_usd, "
        "elapsed_s, params "
        f"FROM runs JOIN texts USING (number) {where}",
        values,
    ).fetchall()
    columns = list(zip(*rows, strict=True)) if rows else [()] * 16
    content = contents_of(connection)
    decode = msgspec.json.Decoder().decode
    seen: dict[str, Any] = {}  # most runs of a study have the same params
    for text in columns[15]:
        if text not in seen:
            seen[text] = whole(decode(text), content)
    params = [seen[text] for text in columns[15]]
    used = {name for each in seen.values() for name in each}
    table: dict[str, Any] = dict(zip(_FACTS, map(list, columns), strict=False))
    table["created_at"] = [datetime.fromisoformat(text) for text in columns[1]]
    table["is_replayed"] = [bool(value) for value in columns[6]]
    for name in ("turn", "prompt_tokens", "completion_tokens"):
        table[name] = with_na(table[name], "Int64")
    for name, option in OPTIONS().items():
        if option.dtype is not None:  # bodies are read for such an option alone
            kept = connection.execute(
                f"SELECT json_extract(body, '$.options.{name}') FROM runs "  # noqa: S608
                f"JOIN texts USING (number) JOIN bodies USING (number) {where}",
                values,
            )
            table[name] = with_na([value for (value,) in kept], option.dtype)
    blanks: dict[str, Any] = {}  # most fields of a request are in none, and lists of None are slow
    fields = FIELDS()
    for column in columns_of("runs"):
        if (
            column.name in fields and column.name not in table
        ):  # any other is in the rows, or assemble misses it
            dtype = column.dtype
            if column.name in used:
                values_ = [each.get(column.name) for each in params]
                table[column.name] = with_na(values_, dtype)
                continue
            if dtype not in blanks:
                blanks[dtype] = blank(dtype, len(rows))
            table[column.name] = blanks[dtype].copy()
    return arranged(assemble("runs", table), all_columns=all_columns)
