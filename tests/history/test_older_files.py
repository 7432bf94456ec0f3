"""Files that earlier versions of nbchat wrote: brought to today's tables, once, whole."""

from __future__ import annotations

import gzip
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

import nbchat
from nbchat.errors import HistoryError
from nbchat.history import schema, store
from tests.history.made import begun_at_once, run_of, started

#: three runs, written by the first version, before the column `model_asked`
FIRST = Path(__file__).parents[1] / "data" / "history_of_schema_1.sqlite.gz"


@pytest.fixture
def old(history: Path) -> Path:
    history.parent.mkdir()
    history.write_bytes(gzip.decompress(FIRST.read_bytes()))
    assert version(history) == 1
    return history


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection, connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def tables(path: Path) -> dict[str, list[str]]:
    with closing(sqlite3.connect(path)) as connection, connection:
        names = [
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        return {
            name: sorted(row[1] for row in connection.execute(f"PRAGMA table_info({name})"))
            for name in names
        }


def columns_of_a_new_one(tmp_path: Path) -> dict[str, list[str]]:
    connection = sqlite3.connect(tmp_path / "new.sqlite", isolation_level=None)
    schema.migrate(connection, "it")
    connection.close()
    return tables(tmp_path / "new.sqlite")


def test_an_old_file_is_read_and_its_runs_say_who_was_asked(old: Path) -> None:
    frame = nbchat.history.search()
    assert list(frame["text"]) == ["Köln", "Rome", "Paris"]
    assert list(frame["model_asked"]) == ["small", "small-latest", "small"]
    assert list(nbchat.history.search("capital")["text"]) == ["Paris"]
    runs = [nbchat.history.get(run_id) for run_id in frame["run_id"]]
    pd.testing.assert_frame_equal(frame, nbchat.runs(runs), check_categorical=False)
    assert len(runs[0].tokens()) == 2


def test_it_has_the_tables_of_a_new_one_and_takes_new_runs(old: Path, tmp_path: Path) -> None:
    store.record(run_of("Berlin"))
    assert store.flush(30)
    assert version(old) == len(schema.STEPS)
    assert tables(old) == columns_of_a_new_one(tmp_path)
    assert list(nbchat.history.search()["text"]) == ["Berlin", "Köln", "Rome", "Paris"]


def test_a_file_of_the_first_version_that_has_the_column_keeps_what_is_in_it(old: Path) -> None:
    with closing(sqlite3.connect(old)) as connection, connection:
        connection.execute("ALTER TABLE runs ADD COLUMN model_asked TEXT")
        connection.execute("UPDATE runs SET model_asked = 'mine' WHERE number = 1")
    assert list(nbchat.history.search()["model_asked"]) == ["small", "small-latest", "mine"]


def test_a_run_that_never_said_whom_it_asked_has_its_model(old: Path) -> None:
    with closing(sqlite3.connect(old)) as connection, connection:
        connection.execute("UPDATE bodies SET body = json_remove(body, '$.model_asked')")
    frame = nbchat.history.search()
    assert list(frame["model_asked"]) == ["small", "small", "small"]
    assert list(nbchat.runs(frame)["model_asked"]) == ["small", "small", "small"]


@pytest.mark.long
def test_processes_that_meet_an_old_file_at_once_all_read_and_write_it(old: Path) -> None:
    program = (
        "import sys, nbchat\nfrom tests.history.made import run_of\n"
        "from nbchat.history import store\nrun = run_of(sys.argv[1])\n"
        "print('ready', flush=True)\nsys.stdin.readline()\n"
        "before = len(nbchat.history.search())\nstore.record(run)\nstore.flush()\n"
        "print(before >= 3, repr(store.writer().trouble))"
    )
    others = [started(program, str(k), stdin=subprocess.PIPE) for k in range(2)]
    assert set(begun_at_once(others)) == {"True ''"}
    assert sorted(nbchat.history.search()["text"]) == ["0", "1", "Köln", "Paris", "Rome"]
    with closing(sqlite3.connect(old)) as connection, connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_an_old_file_that_cannot_be_written_is_refused_with_a_sentence(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise sqlite3.OperationalError("attempt to write a readonly database")

    before = old.read_bytes()
    monkeypatch.setattr(store, "migrate", refuse)
    with pytest.raises(HistoryError, match=r"earlier nbchat.*readonly.*writable"):
        nbchat.history.search()
    assert old.read_bytes() == before


def test_a_newer_file_is_left_as_it_is(old: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(old)) as connection, connection:
        connection.execute(f"PRAGMA user_version = {len(schema.STEPS) + 1}")
    before = shutil.copy(old, tmp_path / "before")
    with pytest.raises(HistoryError, match=r"later nbchat .* update nbchat"):
        nbchat.history.search()
    assert old.read_bytes() == before.read_bytes()
