"""What becomes of runs where the history cannot be written: none is lost, one warning is given."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import nbchat
from nbchat.errors import HistoryError
from nbchat.history import connection as connections
from nbchat.history import schema, store, waiting_file, writer
from nbchat.history.writer import HistoryWarning
from nbchat.run import Run
from tests.history.made import begun_at_once, run_of, started


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "PATIENCE_S", 0.05)
    monkeypatch.setattr(writer, "PATIENCE_S", 0.05)
    monkeypatch.setattr(writer, "_SHORT_PATIENCE_S", 0.05)


def record(*runs: Run) -> None:
    for run in runs:
        store.record(run)
    assert store.flush(30)


def record_in_turn(*texts: str) -> None:
    for text in texts:
        record(run_of(text))


def waiting(path: Path) -> list[Path]:
    return sorted(path.parent.glob("*.waiting.jsonl*"))


def texts() -> list[str]:
    return sorted(nbchat.history.search(limit=None)["text"])


def is_sound(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


class BrokenLocks(sqlite3.Connection):
    """What SQLite says on a network file system whose locks fail."""

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if sql.startswith("BEGIN"):
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(sql, *parameters)


def lock(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as other, other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("COMMIT")


def break_locks(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        real = sqlite3.connect
        patch.setattr(sqlite3, "connect", lambda *a, **k: real(*a, **{"factory": BrokenLocks} | k))
        nbchat.history.store.writer()._disconnect()  # type: ignore[union-attr]
        yield
    store.writer()._disconnect()  # type: ignore[union-attr]


def make_newer(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    version = len(schema.STEPS)
    set_version(path, version + 1)
    yield
    set_version(path, version)


def set_version(path: Path, version: int) -> None:
    store.writer()._disconnect()  # type: ignore[union-attr]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"PRAGMA user_version = {version}")


def another_programs(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    store.writer()._disconnect()  # type: ignore[union-attr]
    away = path.rename(path.with_name("away"))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE theirs (a)")
    yield
    store.writer()._disconnect()  # type: ignore[union-attr]
    away.replace(path)


TROUBLES = [lock, break_locks, make_newer, another_programs]
Trouble = Callable[[Path, pytest.MonkeyPatch], Iterator[None]]


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda t: t.__name__)
def test_runs_wait_beside_a_history_that_cannot_be_written_and_go_in_later(
    trouble: Trouble, history: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(run_of("before"))
    going = trouble(history, monkeypatch)
    next(going)
    with pytest.warns(HistoryWarning, match="cannot be written") as caught:
        record_in_turn("during", "during too", "and this")
    assert len(caught) == 1
    (beside,) = waiting(history)
    assert str(beside) in str(caught[0].message)
    assert stat.S_IMODE(beside.stat().st_mode) == 0o600
    assert len(beside.read_text().splitlines()) == 3
    next(going, None)
    record(run_of("after"))
    assert texts() == ["after", "and this", "before", "during", "during too"]
    assert waiting(history) == []
    assert is_sound(history)


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (make_newer, "later nbchat .* update nbchat"),
        (another_programs, "another program"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_a_sentence(
    trouble: Trouble, words: str, history: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(*(run_of(str(k)) for k in range(30)))
    going = trouble(history, monkeypatch)
    next(going)
    before = history.read_bytes()
    for ask in (
        nbchat.history.search,
        lambda: nbchat.history.get("0"),
        lambda: nbchat.history.delete(really=True),
    ):
        with pytest.raises(HistoryError, match=words):
            ask()
    assert history.read_bytes() == before
    next(going, None)


def test_where_nothing_can_be_written_runs_stay_in_memory_and_go_in_later(
    history: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(run_of("before"))
    going = lock(history, monkeypatch)
    next(going)
    with monkeypatch.context() as patch:
        patch.setattr(waiting_file.WaitingFile, "append", no_space)
        with pytest.warns(HistoryWarning, match="in memory alone") as caught:
            record_in_turn("one", "two")
    assert len(caught) == 1
    assert store.writer().n_kept == 2  # type: ignore[union-attr]
    next(going, None)
    record(run_of("after"))
    assert texts() == ["after", "before", "one", "two"]


def no_space(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_run_that_is_no_data_stops_no_other(history: Path) -> None:
    bad = run_of("bad")
    bad.messages = [{"role": "user", "content": object()}]
    with pytest.warns(HistoryWarning, match="holds what is no data"):
        record(run_of("one"), bad, run_of("two"))
    assert texts() == ["one", "two"]


def test_text_that_utf_8_cannot_write_is_recorded_all_the_same(history: Path) -> None:
    run = run_of("half \ud83e", "a \udc00 surrogate")
    record(run)
    assert nbchat.history.get(run.id).text == "half \\ud83e"


def test_what_a_dead_process_left_waiting_is_taken_in(
    history: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = (
        "import os, sys\nfrom tests.history.made import run_of\n"
        "from nbchat.history.redaction import Redaction\n"
        "from nbchat.history.waiting_file import WaitingFile\n"
        "from pathlib import Path\n"
        "file = WaitingFile(Path(sys.argv[1]))\n"
        "file.append([run_of('left'), run_of('behind')], Redaction())\n"
        'with file.path.open(\'ab\') as half: half.write(b\'{"object": "nbchat.run", "id": \')\n'
    )
    subprocess.run([sys.executable, "-c", program, str(history)], check=True)
    assert len(waiting(history)) == 1
    record(run_of("mine"))
    assert texts() == ["behind", "left", "mine"]
    assert waiting(history) == []


def test_what_a_living_process_has_waiting_is_left_to_it(history: Path) -> None:
    program = (
        "import sys\nfrom tests.history.made import run_of\n"
        "from nbchat.history.redaction import Redaction\n"
        "from nbchat.history.waiting_file import WaitingFile\n"
        "from pathlib import Path\n"
        "WaitingFile(Path(sys.argv[1])).append([run_of('theirs')], Redaction())\n"
        "print('there', flush=True)\nsys.stdin.read()"
    )
    with started(program, str(history), stdin=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "there\n"
        record(run_of("mine"))
        assert len(waiting(history)) == 1
        other.stdin.close()
        assert other.wait() == 0


def test_a_waiting_file_that_is_taken_while_it_is_written_loses_nothing(tmp_path: Path) -> None:
    from nbchat.history.redaction import Redaction

    file = waiting_file.WaitingFile(tmp_path / "history.sqlite")
    real, found = os.fsync, []

    def taken_meanwhile(handle: int) -> None:
        real(handle)
        if not found:
            found.append(waiting_file.taken(file.path))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", taken_meanwhile)
        file.append([run_of("one")], Redaction())
    assert [run.text for run in found[0][1]] == ["one"]
    again = waiting_file.taken(file.path)
    assert again is not None
    assert [run.text for run in again[1]] == ["one"]


FULL = """
import resource, sys, warnings
from tests.history.made import run_of
from nbchat.history import store
store.record(run_of("before")); store.flush()
size = store.path_now().stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20_000, size + 20_000))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for k in range(40):
        store.record(run_of(f"during {k}", "q " * 1_000)); store.flush()
print(len(caught), store.writer().n_kept, caught[0].message if caught else "", sep="|")
"""


@pytest.mark.long
def test_a_full_disk_loses_no_run_that_there_was_room_for(history: Path) -> None:
    with started(FULL) as other:
        out, err = other.communicate(timeout=60)
    assert other.returncode == 0, err
    n_warnings, n_kept, message = out.strip().split("|")
    assert (n_warnings, int(n_kept) > 0) == ("1", True)
    assert "cannot be written" in message
    assert is_sound(history)
    left = waiting(history)
    record(run_of("after"))
    # what was kept in memory alone went with the process; all else is there
    assert len(texts()) == 42 - int(n_kept)
    assert left
    assert waiting(history) == []


READ_ONLY = """
import os, sys, warnings
import nbchat.frames, nbchat.history.saved_file, pyarrow.parquet, sqlite3, unittest.mock
from tests.history.made import run_of
from nbchat.history import store
store.record(run_of("before")); store.flush()
folder = store.path_now().parent
store.writer().close()
from nbchat.history import writer
writer._writers.clear()
os.chmod(store.path_now(), 0o444); os.chmod(folder, 0o555)
if os.geteuid() == 0: os.setuid(65534)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for k in range(3):
        store.record(run_of(f"during {k}")); store.flush()
print(len(caught), store.writer().n_kept, caught[0].message if caught else "", sep="|")
"""


@pytest.mark.long
def test_a_read_only_folder_keeps_runs_in_memory_with_one_warning(history: Path) -> None:
    history.parent.mkdir()
    open_up(history.parent)
    with started(READ_ONLY) as other:
        out, err = other.communicate(timeout=60)
    assert other.returncode == 0, err
    n_warnings, n_kept, message = out.strip().split("|")
    assert (n_warnings, n_kept) == ("1", "3")
    assert "readonly" in message
    assert "in memory alone" in message
    history.parent.chmod(0o755)
    history.chmod(0o600)
    assert texts() == ["before"]


def open_up(folder: Path) -> None:
    """Let another user come as far as this folder, as in a home of their own."""
    for above in [folder, *folder.parents]:
        if above.stat().st_uid == os.geteuid() and above != Path("/"):
            above.chmod(above.stat().st_mode | 0o055)


KILLED = """
import sys, itertools
from tests.history.made import run_of
from nbchat.history import store
for k in itertools.count():
    runs = [run_of(f"{sys.argv[1]} {k} {j}", "q " * 500) for j in range(3)]
    for run in runs: store.record(run)
    store.flush()
    print(*(run.id for run in runs), flush=True)
"""


def killed_at_a_random_moment(number: int, rng: random.Random) -> list[str]:
    """Start a writer, kill it, and give the ids of the runs whose cells had ended."""
    with started(KILLED, str(number)) as other:
        assert other.stdout is not None
        first = other.stdout.readline()
        time.sleep(rng.uniform(0, 0.05))
        other.send_signal(signal.SIGKILL)
        rest = other.stdout.read()
    lines = (first + rest).split("\n")[:-1]
    return [run_id for line in lines for run_id in line.split()]


@pytest.mark.long
def test_a_killed_process_leaves_a_sound_file_with_every_run_that_was_safe(history: Path) -> None:
    rng = random.Random(11)
    for number in range(int(os.environ.get("NBCHAT_TEST_KILLS", "6"))):
        safe = killed_at_a_random_moment(number, rng)
        assert is_sound(history)
        found = store.runs_of_ids(safe)
        assert set(found) == set(safe)
        assert all(len(run.tokens()) == 2 for run in list(found.values())[-3:])
        assert {run.text.split()[0] for run in found.values()} == {str(number)}


SIDE_BY_SIDE = """
import sys, time
from tests.history.made import run_of
from nbchat.history import store
longest = 0.0
for k in range(int(sys.argv[2])):
    store.record(run_of(f"{sys.argv[1]} {k}"))
    if k % 10 == 9:
        begin = time.perf_counter()
        store.flush()
        longest = max(longest, time.perf_counter() - begin)
store.flush()
print(longest, store.writer().trouble, sep="|")
"""


@pytest.mark.long
def test_processes_write_side_by_side_with_no_error_and_none_missing(history: Path) -> None:
    n = int(os.environ.get("NBCHAT_TEST_SIDE_BY_SIDE", "100"))
    others = [started(SIDE_BY_SIDE, str(k), str(n)) for k in range(4)]
    for other in others:
        with other:
            out, err = other.communicate(timeout=110)
        assert other.returncode == 0, err
        longest, trouble = out.strip().split("|")
        assert trouble == ""
        assert float(longest) < 2.0
    assert len(set(texts())) == 4 * n
    assert is_sound(history)


@pytest.mark.long
def test_two_processes_may_begin_the_same_file_at_once(history: Path) -> None:
    program = (
        "import sys\nfrom tests.history.made import run_of\nfrom nbchat.history import store\n"
        "run = run_of(sys.argv[1])\nprint('ready', flush=True)\nsys.stdin.readline()\n"
        "store.record(run)\nstore.flush()\nprint(store.writer().trouble)"
    )
    others = [started(program, str(k), stdin=subprocess.PIPE) for k in range(3)]
    assert set(begun_at_once(others)) == {""}
    assert texts() == ["0", "1", "2"]


@pytest.mark.long
def test_an_older_file_is_brought_to_today_once_by_two_at_once(history: Path) -> None:
    record(run_of("old"))
    store.writer()._disconnect()  # type: ignore[union-attr]
    program = (
        "import sys, sqlite3\nfrom pathlib import Path\nfrom nbchat.history import schema\n"
        "from nbchat.history.connection import connect\n"
        "steps = (*schema.STEPS, ('CREATE TABLE later (a)', 'INSERT INTO later VALUES (1)'))\n"
        "connection = connect(Path(sys.argv[1]))\nprint('ready', flush=True)\n"
        "sys.stdin.readline()\nschema.migrate(connection, 'it', steps)"
    )
    others = [started(program, str(history), stdin=subprocess.PIPE) for _ in range(2)]
    begun_at_once(others)
    with closing(sqlite3.connect(history)) as connection, connection:
        assert connection.execute("SELECT a FROM later").fetchall() == [(1,)]
        assert connection.execute("SELECT count(*) FROM runs").fetchall() == [(1,)]
        version = connection.execute("PRAGMA user_version").fetchone()
    assert version == (len(schema.STEPS) + 1,)


def test_a_migration_that_fails_leaves_the_file_as_it_was(history: Path) -> None:
    record(run_of("old"))
    connection = connections.connect(history)
    steps = (*schema.STEPS, ("CREATE TABLE later (a)", "INSERT INTO nowhere VALUES (1)"))
    with pytest.raises(sqlite3.OperationalError):
        schema.migrate(connection, "it", steps)
    connection.close()
    assert texts() == ["old"]


def test_waiting_lines_are_runs_that_anyone_can_load(
    history: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(run_of("before"))
    going = lock(history, monkeypatch)
    next(going)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HistoryWarning)
        record(run_of("during"))
    (line,) = waiting(history)[0].read_text().splitlines()
    assert [run.text for run in nbchat.load(json.loads(line))] == ["during"]
    next(going, None)
