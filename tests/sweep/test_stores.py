"""A sweep whose folder is at an object store, which appends to nothing and locks nothing."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import nbchat
from nbchat.errors import (
    CheckError,
    FolderInUseError,
    HistoryError,
    MissingLibraryError,
    SweepStoppedError,
)
from nbchat.session.state import STATE
from nbchat.sweep import segments, store_lock
from nbchat.sweep.folder import Folder
from nbchat.sweep.journal import Attempt, Journal
from nbchat.sweep.mark import Mark, is_marked, now_at, remove_mark, write_mark
from nbchat.sweep.object_path import ObjectPath, read_each
from nbchat.sweep.place import place_of
from nbchat.sweep.segments import PutAttempts, attempts_in
from nbchat.sweep.store_lock import StoreLock
from tests.scripted import MODEL, Reply, Request, ScriptedServer, completion, usage_of

WORDS = [{"word": f"word {number}"} for number in range(30)]


def echo(request: Request) -> Reply:
    return Reply.json(completion(f"{request.body['messages'][-1]['content']}!"))


@pytest.fixture
def answering() -> object:
    return echo


@pytest.fixture
def url(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    from fsspec.implementations.memory import MemoryFileSystem

    monkeypatch.setattr("nbchat.sweep.journal.ROWS_S", 0.02)
    monkeypatch.setattr("nbchat.sweep.segments._ATTEMPTS_S", 0.005)
    monkeypatch.setattr("nbchat.sweep.segments._AGAIN_AFTER_S", (0.0,))
    yield "memory://bucket/fruit"
    MemoryFileSystem.store.clear()


def names_in(url: str) -> list[str]:
    import fsspec

    fs, path = fsspec.url_to_fs(url)
    return sorted(name.removeprefix(f"{path}/") for name in fs.find(path))


def sweep_at(url: Any, **more: Any) -> Any:
    return nbchat.sweep("{{ word }}", data=WORDS, folder=url, model="m", **more)


def test_a_sweep_at_a_store_gives_the_frame_of_one_in_a_folder_and_goes_on_where_it_ended(
    server: ScriptedServer, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBCHAT_HISTORY", str(tmp_path / "history.sqlite"))
    frame, plain = sweep_at(url).run().runs(), sweep_at(tmp_path / "plain").run().runs()
    varying = ["run_id", "created_at", "ttft_s", "elapsed_s"]
    pd.testing.assert_frame_equal(
        frame.drop(columns=varying, errors="ignore"), plain.drop(columns=varying, errors="ignore")
    )
    again = sweep_at(url)
    assert (again.name, again.status.answered, again.writer) == ("fruit", 30, None)
    assert again.run().status.unknown == 0
    assert len(server.requests) == 60
    assert {run.text for run in again} == {f"word {number}!" for number in range(30)}
    assert len(nbchat.history.search(sweep="fruit")) == 30
    # its segments became a part, and who wrote has gone
    assert [name.partition("/")[0] for name in names_in(url)] == ["attempts", "parts"]


def test_a_judge_has_its_folder_at_the_store_and_what_it_cost_is_of_the_budget(
    server: ScriptedServer, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nbchat.session.worst_case._is_here", lambda _: False)
    STATE.settings.prices = nbchat.prices.read_prices(
        [
            {"model": model, "input_usd_per_mtok": 1.0, "output_usd_per_mtok": 1.0}
            for model in ("m", MODEL)
        ]
    )

    def answer(request: Request) -> Reply:
        text = request.body["messages"][-1]["content"]
        label = "good" if "7" in text else "bad"
        reply = label if text.startswith("Judge ") else f"{text}!"
        return Reply.json(completion(reply, usage=usage_of(9, 800)))

    server.default = answer
    judge = nbchat.evaluators.judge(
        "Judge {{ reply }}", labels={"good": 1, "bad": 0}, model="m", max_completion_tokens=20
    )
    more: dict[str, Any] = {"evaluate": {"nice": judge}, "max_completion_tokens": 20}
    found, plain = (sweep_at(place, **more).run() for place in (url, tmp_path))
    scores = [sweep.scores().drop(columns="run_id") for sweep in (found, plain)]
    pd.testing.assert_frame_equal(*scores)
    assert found.scores()["nice"].sum() == 3
    assert found.used_usd() == pytest.approx(plain.used_usd())
    assert found.used_usd() > found.status.cost_usd > 0
    n = len(server.requests)
    again = sweep_at(url, **more)
    assert again.run().judges["nice"].n_judged == len(again.judges["nice"].runs) == 30
    assert len(server.requests) == n
    assert any(name.startswith("judges/nice/parts/") for name in names_in(url))


def test_rows_of_a_store_are_counted_when_their_segment_is_there(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_put = threading.Event()
    put = ObjectPath.write_bytes

    def slowly(self: ObjectPath, data: bytes) -> None:
        may_put.wait(20)
        put(self, data)

    safe: list[str] = []
    journal = Journal(place_of(url), on_safe=lambda rows: safe.extend(r.row_id for r in rows))
    monkeypatch.setattr(ObjectPath, "write_bytes", slowly)
    journal.append(*row("a"))
    time.sleep(0.1)
    assert (safe, names_in(url)) == ([], [])
    may_put.set()
    journal.append(*row("b"))
    journal.close()
    assert safe == ["a", "b"]
    assert {record.row_id for record in Folder(place_of(url)).all_records()} == {"a", "b"}


def test_what_is_sent_is_at_the_store_before_it_is_sent_and_unknown_where_nothing_came_of_it(
    url: str,
) -> None:
    journal = Journal(place_of(url), on_safe=lambda _: None, stem="killed")
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(journal.sent, [Attempt("sent", f"r{n}", 0.0, 1) for n in range(40)]))
    folder = Folder(place_of(url))  # the process ends here, without a word
    assert folder.unknown() == {f"r{n}": 1 for n in range(40)}
    assert len(names_in(url)) < 40  # those that waited together share an object
    assert folder.has_files_of("killed")
    assert not folder.has_files_of("kill")


def test_attempts_are_read_once_each_however_they_are_bound(url: str) -> None:
    folder = ObjectPath(url)
    first, other = PutAttempts(folder, "s"), PutAttempts(folder, "t")
    for number in range(5):
        first.append(b"%d\n" % number)
    other.append(b"late\n", is_to_be_safe=False)
    lines = attempts_in(folder)
    begun = [next(lines), next(lines)]
    first.append(b"limited\n", is_to_be_safe=False)
    first.close()  # binds them, and takes those away that are still to be read
    other.close()
    wanted = [b"0", b"1", b"2", b"3", b"4", b"late", b"limited"]
    assert sorted([*begun, *lines]) == wanted or set(begun) <= set(wanted)
    assert sorted(attempts_in(folder)) == wanted
    assert names_in(url) == ["attempts-s.bound-000001.jsonl", "attempts-t.000001.jsonl"]


def test_a_store_that_takes_nothing_ends_the_sweep_and_what_is_there_stays(
    server: ScriptedServer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = ObjectPath.write_bytes

    def refusing(self: ObjectPath, data: bytes) -> None:
        if len(server.requests) >= 5 and "writers" not in str(self):
            raise OSError("the bucket is full")
        put(self, data)

    monkeypatch.setattr(ObjectPath, "write_bytes", refusing)
    with pytest.raises((HistoryError, OSError), match="the bucket is full"):
        sweep_at(url, at_once=1).run()
    monkeypatch.undo()
    sweep = sweep_at(url)
    n_before, n_sent = sweep.status.answered, len(server.requests)
    assert sweep.run().status.answered == 30
    assert len(server.requests) - n_sent == 30 - n_before


def test_executors_and_a_store(server: ScriptedServer, url: str) -> None:
    with ThreadPoolExecutor(2) as threads:
        sweep = sweep_at(url, executor=threads).run()
    assert sweep.runs()["text"].tolist() == [f"word {number}!" for number in range(30)]
    assert len(server.requests) == 30
    assert not [name for name in names_in(url) if "json" in name and "attempts" not in name]


def test_one_process_writes_at_a_store_and_one_that_is_dead_is_over_in_a_while(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = ObjectPath(url)
    first, second = StoreLock(folder), StoreLock(folder)
    first.take("here.ipynb")
    with pytest.raises(FolderInUseError, match=r"is being written by process \d+ .*here.ipynb"):
        second.take()
    assert "here.ipynb" in str(second.writer())
    assert len(names_in(url)) == 1  # who did not get it leaves nothing
    first.free()
    second.take()
    assert second.is_held
    monkeypatch.setattr(store_lock, "OVER_AFTER_S", -1.0)
    first.take()  # as if the other had not been heard of
    second.free()
    first.free()
    assert (names_in(url), first.writer()) == ([], None)


def test_of_many_that_come_together_at_most_one_writes(url: str) -> None:
    barrier, held = threading.Barrier(6), []

    def come(lock: StoreLock) -> None:
        barrier.wait()
        try:
            lock.take()
        except FolderInUseError:
            return
        held.append(lock)

    locks = [StoreLock(ObjectPath(url)) for _ in range(6)]
    threads = [threading.Thread(target=come, args=(lock,)) for lock in locks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(held) <= 1
    for lock in held:
        lock.free()
    assert names_in(url) == []


def test_who_was_taken_for_dead_stops(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_lock, "BEAT_S", 0.01)
    is_lost = threading.Event()
    lock = StoreLock(ObjectPath(url), is_lost.set)
    lock.take()
    here = next((ObjectPath(url) / "writers").glob("*"))
    (here.parent / "wants.json").write_bytes(b"{}")
    assert not is_lost.wait(0.1)  # one that only wants to write takes nothing away
    (here.parent / "another.held.json").write_bytes(b"{}")
    assert is_lost.wait(20)


def test_who_finds_its_heart_taken_away_stops(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_lock, "BEAT_S", 0.01)
    is_lost = threading.Event()
    lock = StoreLock(ObjectPath(url), is_lost.set)
    lock.take()
    take_away_the_hearts(url, is_lost.is_set)


def take_away_the_hearts(url: str, is_seen: Callable[[], bool]) -> None:
    """A beat that goes on just now may bring it back: so again and again."""
    for _ in range(2_000):
        for path in (ObjectPath(url) / "writers").glob("*"):
            path.unlink(missing_ok=True)
        if is_seen():
            return
        time.sleep(0.01)
    raise AssertionError("nobody has seen it")


def test_a_sweep_whose_heartbeat_was_missed_stops_and_says_so(
    server: ScriptedServer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_lock, "BEAT_S", 0.01)
    go_on = threading.Event()

    def slowly(request: Request) -> Reply:
        if len(server.requests) > 3:
            go_on.wait(20)
        return echo(request)

    server.default = slowly
    sweep = sweep_at(url, at_once=1).start()
    while len(server.requests) < 4:
        go_on.wait(0.01)
    take_away_the_hearts(url, lambda: not sweep.is_running)
    with pytest.raises(SweepStoppedError, match="the heartbeat of this process was missed at mem"):
        sweep.wait()
    go_on.set()
    assert sweep.status.answered == 3


def test_the_mark_of_a_run_is_at_the_store(url: str) -> None:
    folder = place_of(url)
    write_mark(folder, Mark("run", 2.0))
    assert (is_marked(folder, "run"), is_marked(folder, "another")) == (True, False)
    assert abs(now_at(folder) - time.time()) < 60
    remove_mark(folder)
    assert names_in(url) == []


def test_an_address_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckError, match=r"folder is nosuch://x: .*an address that fsspec knows"):
        sweep_at("nosuch://x")
    with pytest.raises(CheckError, match="which has a password in it") as refused:
        sweep_at("ftp://me:hunter2@host/x")
    assert "hunter2" not in str(refused.value)
    (tmp_path / "file").touch()
    with pytest.raises(CheckError, match="which is a file"):
        sweep_at(f"file://{tmp_path}/file")
    assert sweep_at(f"file://{tmp_path}/made").folder == tmp_path / "made"


def test_a_store_whose_library_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(MissingLibraryError, match=r"s3://bucket/x, which needs a library: .*s3fs"):
        sweep_at("s3://bucket/x")
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(MissingLibraryError, match="needs fsspec"):
        sweep_at("memory://bucket/x")


def test_rows_of_a_store_are_written_to_files_of_a_batch(
    server: ScriptedServer, url: str, tmp_path: Path
) -> None:
    sweep_at(url).to_batch(tmp_path)
    assert list(tmp_path.glob("*.jsonl"))


def test_what_cannot_be_read_is_an_error_and_what_is_gone_is_not(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, gone = ObjectPath(f"{url}/a"), ObjectPath(f"{url}/b")
    there.write_bytes(b"1")
    assert Counter(read_each([there, gone])) == Counter([(there, b"1"), (gone, None)])
    with pytest.raises(FileNotFoundError, match=r"^memory://bucket/fruit/b: "):
        gone.read_bytes()
    monkeypatch.setattr(
        type(there.store), "cat_file", lambda *_, **__: (_ for _ in ()).throw(ValueError("no"))
    )
    with pytest.raises(OSError, match=r"memory://bucket/fruit/a: ValueError: no"):
        there.read_bytes()


def row(row_id: str) -> tuple[Any, bytes]:
    import msgspec

    from nbchat.sweep.records import Record

    record = Record(row_id=row_id, status="answered", item=0, sample=0)
    return record, msgspec.json.encode(record) + b"\n"


@pytest.mark.parametrize("is_refused", [False, True])
def test_whoever_shares_a_segment_waits_until_it_is_put(
    url: str, monkeypatch: pytest.MonkeyPatch, is_refused: bool
) -> None:
    may_put, begun = threading.Event(), threading.Event()
    put = segments.put

    def slow(path: ObjectPath, data: bytes) -> None:
        begun.set()
        assert may_put.wait(30)
        if is_refused:
            raise OSError("the store is full")
        put(path, data)

    monkeypatch.setattr(segments, "put", slow)
    monkeypatch.setattr(segments, "_ATTEMPTS_S", 0.2)
    attempts = PutAttempts(ObjectPath(url), "one")
    with ThreadPoolExecutor(3) as pool:
        notes = [pool.submit(attempts.append, f'{{"n":{n}}}\n'.encode()) for n in range(3)]
        assert begun.wait(30)
        time.sleep(0.05)
        assert not any(note.done() for note in notes)  # nothing may be sent before it is noted
        may_put.set()
        faults = [note.exception(30) for note in notes]
    assert [isinstance(fault, OSError) for fault in faults] == [is_refused] * 3
    assert len([*attempts_in(ObjectPath(url))]) == (0 if is_refused else 3)
