"""A history that was damaged: kept under another name, read as far as it goes, begun anew."""

from __future__ import annotations

import re
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

import nbchat
from nbchat.errors import HistoryError
from nbchat.history import salvage, store
from nbchat.history.writer import HistoryWarning
from nbchat.run import Run
from tests.history.made import begun_at_once, run_of, started
from tests.random_runs import assert_says_the_same

N_RUNS = 120


def begin_anew() -> None:
    """Let go of the file, as a process does that ends."""
    store.writer()._disconnect()  # type: ignore[union-attr]


@pytest.fixture
def made(history: Path) -> list[Run]:
    found = [run_of(f"answer {k}", f"question {k} {'q ' * 300}") for k in range(N_RUNS)]
    for run in found:
        store.record(run)
    assert store.flush(30)
    begin_anew()
    return found


def cut_in_half(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2 + 1_234])


def overwrite(n_bytes: int, at: float = 0.0) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(int(path.stat().st_size * at))
            file.write(b"\xa5" * n_bytes)

    return damage


#: what is done to the file, and the share of its runs that has to come back
DAMAGES = {
    "cut in half": (cut_in_half, 0.3),
    "16 bytes of its beginning": (overwrite(16), 1.0),
    "its whole header": (overwrite(100), 1.0),
    "its first page": (overwrite(4096), 1.0),
    "3 pages in its middle": (overwrite(3 * 4096, 0.5), 0.8),
}


def texts() -> list[str]:
    return list(nbchat.history.search(limit=None)["text"])


def is_sound(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.long
@pytest.mark.parametrize("name", DAMAGES)
def test_new_runs_go_on_and_what_can_be_read_comes_back(
    name: str, history: Path, made: list[Run]
) -> None:
    damage, share = DAMAGES[name]
    damage(history)
    damaged = history.read_bytes()
    # pages in the middle are met by whoever reads them, the others by whoever writes
    with pytest.raises(HistoryError, match="damaged"):
        [nbchat.history.get(run.id) for run in made]
    new = run_of("new")
    store.record(new)
    with pytest.warns(HistoryWarning, match="was damaged. It is kept as") as caught:
        store.flush(30)
    assert len(caught) == 1
    aside = Path(re.findall(r"kept as (.*?), and", str(caught[0].message))[0])
    assert aside.read_bytes() == damaged
    assert aside.parent == history.parent
    found = texts()
    assert found[0] == "new"
    assert len(found) - 1 >= share * N_RUNS
    assert is_sound(history)
    known = {run.id: run for run in made}
    # to compare all that is said of a run takes its time
    for run_id in nbchat.history.search(limit=None)["run_id"][::20]:
        run = nbchat.history.get(run_id)
        if run.notes:
            assert "read from a damaged history, which had lost" in run.notes[0]
        elif run.id in known:
            assert_says_the_same(run, known[run.id])
    assert sorted(p.name for p in history.parent.iterdir()) == sorted([history.name, aside.name])


def test_a_file_that_is_no_history_is_never_moved(history: Path) -> None:
    history.parent.mkdir()
    history.write_bytes(b"month,sold\nMay,120\n" * 1_000)
    store.record(run_of("new"))
    with pytest.warns(HistoryWarning, match="is no history of nbchat: name another file"):
        store.flush(30)
    assert history.read_bytes().startswith(b"month,sold")
    history.unlink()
    store.record(run_of("after"))
    store.flush(30)
    assert sorted(texts()) == ["after", "new"]


def test_a_journal_beside_a_damaged_file_is_not_played_into_the_new_one(
    history: Path, made: list[Run]
) -> None:
    overwrite(100)(history)
    journal = history.with_name(f"{history.name}-journal")
    journal.write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + bytes(500))
    store.record(run_of("new"))
    with pytest.warns(HistoryWarning, match="was damaged"):
        store.flush(30)
    assert len(texts()) == N_RUNS + 1
    assert not journal.exists()
    assert is_sound(history)


@pytest.mark.long
def test_processes_that_meet_a_damaged_file_at_once_set_it_aside_once(
    history: Path, made: list[Run]
) -> None:
    overwrite(100)(history)
    program = (
        "import sys, warnings\nfrom tests.history.made import run_of\n"
        "from nbchat.history import store\nrun = run_of(sys.argv[1])\n"
        "print('ready', flush=True)\nsys.stdin.readline()\n"
        "warnings.simplefilter('ignore')\nstore.record(run)\nstore.flush()\n"
        "print(repr(store.writer().trouble))"
    )
    others = [started(program, str(k), stdin=subprocess.PIPE) for k in range(3)]
    assert set(begun_at_once(others)) == {"''"}
    assert len(list(history.parent.glob("*.damaged-*"))) == 1
    found = texts()
    assert {"0", "1", "2"} <= set(found)
    assert len(found) == N_RUNS + 3


def test_a_damaged_file_can_be_loaded_by_its_name(history: Path, made: list[Run]) -> None:
    away = history.rename(history.with_name("old.sqlite"))
    overwrite(100)(away)
    before = away.read_bytes()
    assert len(nbchat.history.load(away)) == N_RUNS
    assert len(texts()) == N_RUNS
    assert away.read_bytes() == before
    with pytest.raises(FileNotFoundError):
        nbchat.history.load(history.parent / "nowhere.sqlite")


def test_what_a_run_has_lost_is_said_in_it(history: Path, made: list[Run]) -> None:
    with closing(sqlite3.connect(history)) as connection, connection:
        connection.execute("DELETE FROM contents WHERE content = 1")
        connection.execute("UPDATE token_probabilities SET columns = X'00' WHERE number = 2")
        connection.execute("UPDATE runs SET params = '{' WHERE number = 3")
        connection.execute("UPDATE bodies SET body = '{' WHERE number = 4")
    found = {run.id: run for run in salvage.runs_of_damaged(history)}
    assert len(found) == N_RUNS - 1
    lost = [found[run.id].notes[-1].rpartition("had lost ")[2] for run in made[:3]]
    assert lost == ["a part of its messages", "its token probabilities", "its params"]
    assert found[made[4].id].notes == []
    assert found[made[1].id].text == "answer 1"
