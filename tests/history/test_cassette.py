"""A cassette: runs in one file beside the notebook, whoever writes it, whatever became of it."""

from __future__ import annotations

import errno
import gzip
import itertools
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbchat.errors import HistoryError, RunNotFoundError
from nbchat.history import cassette as cassettes
from nbchat.history import file_lock
from nbchat.history.cassette import Cassette
from nbchat.run import Run
from tests.fuzzing import examples
from tests.history.made import begun_at_once, run_of, started
from tests.random_runs import assert_says_the_same, runs


def placed(answer: str, number: int = 0, **facts: Any) -> Run:
    return run_of(answer, request_sha256="a", cell="c", number_in_cell=number, **facts)


SUFFIXES = [".jsonl", ".jsonl.gz"]


@pytest.mark.long
@pytest.mark.fuzz
@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(examples(4), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=st.lists(runs(), max_size=3))
def test_a_cassette_gives_back_what_was_recorded(
    found: list[Run], suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"study{suffix}"
    path.unlink(missing_ok=True)
    for run in found:
        run.is_replayed, run.request_sha256 = False, None
        Cassette(path).add(run)
    assert len(Cassette(path)) == len(found)
    for run in found:
        assert_says_the_same(Cassette(path).run(run.id), run)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_cassette_is_the_same_bytes_in_whatever_order_it_was_recorded(
    suffix: str, tmp_path: Path
) -> None:
    made = [placed(str(k), k) for k in range(4)]
    contents = set()
    for n, order in enumerate(itertools.permutations(made)):
        cassette = Cassette(tmp_path / f"{n}{suffix}")
        for run in order:
            cassette.add(run)
        contents.add(cassette.path.read_bytes())
    assert len(contents) == 1


def test_a_new_run_is_a_new_line_and_no_other_changes(tmp_path: Path) -> None:
    cassette = Cassette(tmp_path / "study.jsonl")
    cassette.add(placed("one", 0))
    before = cassette.path.read_text()
    cassette.add(placed("two", 1))
    assert cassette.path.read_text().startswith(before)
    assert cassette.path.read_text().count("\n") == 2


def test_a_place_that_is_asked_again_has_its_new_answer(tmp_path: Path) -> None:
    cassette = Cassette(tmp_path / "study.jsonl")
    for run in (placed("old"), placed("other", 1), placed("new")):
        cassette.add(run)
    texts = {cassette.run(found.id).text for found in cassette.of_request("a")}
    assert texts == {"new", "other"}


def test_what_failed_or_was_replayed_is_never_replayed(tmp_path: Path) -> None:
    cassette = Cassette(tmp_path / "study.jsonl")
    cassette.add(placed("cut", 0, status="interrupted"))
    cassette.add(placed("failed", 1, status="error"))
    cassette.add(placed("again", 2, is_replayed=True))
    assert cassette.of_request("a") == []
    assert len(cassette) == 2


def test_two_that_write_one_cassette_lose_nothing(tmp_path: Path) -> None:
    one, other = (Cassette(tmp_path / "study.jsonl") for _ in range(2))
    one.add(placed("a", 0))
    other.add(placed("b", 1))
    one.add(placed("c", 2))
    assert len(other) == len(one) == 3


WRITING = """
import sys
from pathlib import Path
from nbchat.history.cassette import Cassette
from tests.history.made import run_of, started
cassette = Cassette(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for k in range(int(sys.argv[3])):
    cassette.add(run_of(f"{sys.argv[2]} {k}", number_in_cell=k, request_sha256=sys.argv[2]))
print(len(cassette))
"""


@pytest.mark.long
@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
def test_processes_that_write_one_cassette_at_once_lose_nothing(
    suffix: str, tmp_path: Path
) -> None:
    path, n = tmp_path / f"study{suffix}", 25
    others = [started(WRITING, str(path), name, str(n), stdin=subprocess.PIPE) for name in "abc"]
    begun_at_once(others)
    cassette = Cassette(path)
    texts = {cassette.run(found.id).text for name in "abc" for found in cassette.of_request(name)}
    assert texts == {f"{name} {k}" for name in "abc" for k in range(n)}
    assert list(tmp_path.iterdir()) == [path]


def add_in_turn(cassette: Cassette, *texts: str) -> None:
    for number, text in enumerate(texts):
        cassette.add(placed(text, number))


def test_where_a_file_system_has_no_locks_it_is_written_all_the_same_and_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(file_lock, "_lock", refuse)
    cassette = Cassette(tmp_path / "study.jsonl")
    with pytest.warns(UserWarning, match="cannot be locked") as caught:
        add_in_turn(cassette, "a", "b")
    assert len(caught) == 1
    assert len(Cassette(cassette.path)) == 2


def test_a_cassette_that_is_held_for_long_gets_its_runs_with_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_lock, "PATIENCE_S", 0.02)
    cassette = Cassette(tmp_path / "study.jsonl")
    with file_lock.locked(cassette.path), pytest.raises(OSError, match="another process has held"):
        cassette.add(placed("a", 0))
    cassette.add(placed("b", 1))
    assert len(Cassette(cassette.path)) == 2


def test_a_full_disk_leaves_the_cassette_whole_and_the_run_goes_in_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cassette = Cassette(tmp_path / "study.jsonl")
    cassette.add(placed("a", 0))
    before = cassette.path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", no_space)
        with pytest.raises(OSError, match="No space left"):
            cassette.add(placed("b", 1))
        assert cassette.path.read_bytes() == before
    cassette.add(placed("c", 2))
    assert len(Cassette(cassette.path)) == 3


def no_space(_: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("n_lost", [1, 40, 300])
def test_half_a_line_at_the_end_is_left_out_and_said(n_lost: int, tmp_path: Path) -> None:
    path = tmp_path / "study.jsonl"
    for k in range(3):
        Cassette(path).add(placed(str(k), k))
    path.write_bytes(path.read_bytes()[:-n_lost])
    cassette = Cassette(path)
    if n_lost == 1:  # the end of the line alone
        assert len(cassette) == 3
    else:
        with pytest.warns(UserWarning, match=r"ends in half a line.*line 3 is left out"):
            assert len(cassette) == 2
    cassette.add(placed("new", 3))
    assert len(Cassette(path)) == (4 if n_lost == 1 else 3)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"{}\n", "line 1 is no run"),
        (b'{"object": "nbchat.run", "id": 3}\n', "line 1 is no run"),
        (b"\x80\x04N.", "line 1 is no run"),  # a pickle
        (b"[" * 100_000, "line 1 is no run"),
    ],
)
def test_a_file_that_is_no_cassette_is_refused_by_its_line(
    data: bytes, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "study.jsonl"
    path.write_bytes(data)
    with pytest.raises(HistoryError, match=words):
        Cassette(path).of_request("a")
    assert path.read_bytes() == data


def test_a_cassette_from_elsewhere_cannot_grow_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cassettes, "MOST_BYTES_OF_A_LINE", 10_000)
    monkeypatch.setattr(cassettes, "MOST_BYTES", 50_000)
    for name, data in (
        ("line", b"x" * 20_000),
        ("lines", (b'{"object": "nbchat.run", "id": "1"}' + b" " * 5_000 + b"\n") * 20),
    ):
        path = tmp_path / f"{name}.jsonl.gz"
        path.write_bytes(gzip.compress(data))
        with pytest.raises(HistoryError, match="larger than a cassette may be"):
            len(Cassette(path))


def test_half_a_zipped_cassette_is_refused(tmp_path: Path) -> None:
    cassette = Cassette(tmp_path / "study.jsonl.gz")
    cassette.add(placed("a"))
    data = cassette.path.read_bytes()
    cassette.path.write_bytes(data[: len(data) // 2])
    with pytest.raises(HistoryError, match="no whole gzip"):
        len(Cassette(cassette.path))


def test_a_cassette_names_what_it_lacks_and_how_it_is_called(tmp_path: Path) -> None:
    with pytest.raises(RunNotFoundError, match="no run 'x'"):
        Cassette(tmp_path / "study.jsonl").run("x")
    with pytest.raises(ValueError, match=r"ends in \.jsonl"):
        Cassette(tmp_path / "study.pickle")
    assert list(tmp_path.iterdir()) == []


def test_a_key_is_in_no_cassette(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "canary0123456789")
    cassette = Cassette(tmp_path / "study.jsonl")
    cassette.add(placed("keys: canary0123456789 sk-canary0123456789ABCDEF"))
    assert b"canary" not in cassette.path.read_bytes()
    assert b"keys: " in cassette.path.read_bytes()
