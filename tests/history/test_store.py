"""The history: what goes in comes out whole, is found, exported, deleted."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
import threading
import time
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nbchat
from nbchat.errors import CheckError, HistoryError, RunNotFoundError
from nbchat.history import store
from nbchat.history.location import location
from nbchat.run import Run
from tests.fuzzing import examples
from tests.history.made import run_of
from tests.random_runs import assert_says_the_same, picture, runs


def recorded(*found: Run) -> None:
    for run in found:
        store.record(run)
    assert store.flush(30)


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(sql).fetchall()


@pytest.mark.long
@pytest.mark.fuzz
@settings(examples(8), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=st.lists(runs(), min_size=1, max_size=3))
def test_what_is_recorded_is_read_and_says_the_same(found: list[Run], history: Path) -> None:
    recorded(*found)
    for run in found:
        read = nbchat.history.get(run.id)
        assert_says_the_same(read, run)
        assert read.to_dict() == run.to_dict()


@pytest.mark.fuzz
@settings(examples(8), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=st.lists(runs(), max_size=4))
def test_the_frame_of_a_search_is_the_frame_of_its_runs(found: list[Run], history: Path) -> None:
    nbchat.history.delete(really=True)
    recorded(*found)
    newest_first = sorted(found, key=lambda run: (run.created_at, run.id), reverse=True)
    frame = nbchat.history.search(limit=None)
    pd.testing.assert_frame_equal(frame, nbchat.runs(newest_first), check_categorical=False)


def test_a_run_is_written_as_it_was_when_it_was_recorded(history: Path) -> None:
    run = run_of()
    store.record(run)
    run.messages.append({"role": "user", "content": "later"})
    run.notes.append("later")
    assert nbchat.history.get(run.id).notes == []
    assert len(nbchat.history.get(run.id).messages) == 1


def test_a_run_that_is_recorded_twice_is_one_run_as_it_was_last(history: Path) -> None:
    run = run_of("one")
    recorded(run)
    run.notes.append("more")
    recorded(run)
    assert len(nbchat.history.search()) == 1
    assert nbchat.history.get(run.id).notes == ["more"]
    assert rows(history, "SELECT count(*) FROM texts_index WHERE texts_index MATCH 'one'") == [(1,)]


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("Paris", 1),
        ("paris", 1),
        ("Par", 1),
        ("capital France", 1),
        ("france capital", 1),
        ("capital Spain", 0),
        ("Zürich", 1),
        ("zurich", 1),
        ("東京", 1),
        ("京", 1),
        ("大阪", 0),
        ('"quoted" AND (odd', 0),
        ("odd*", 0),
        ("100%", 1),
        ("%", 1),
        ("_", 0),
        ("why", 1),
        ("", 3),
        ("   ", 3),
    ],
)
def test_a_text_finds_what_was_typed_and_what_was_answered(
    history: Path, text: str, n: int
) -> None:
    recorded(
        run_of("Paris, I think", "The capital of France?"),
        run_of("It is 100% Zürich", "hm"),
        run_of("東京都です", "why"),
    )
    assert len(nbchat.history.search(text)) == n


def test_earlier_turns_are_found_in_their_own_runs_alone(history: Path) -> None:
    first = [{"role": "user", "content": "apples"}]
    later = [*first, {"role": "assistant", "content": "ok"}, {"role": "user", "content": "pears"}]
    one, two = run_of("ok"), run_of("fine")
    one.messages, two.messages = first, later
    recorded(one, two)
    assert list(nbchat.history.search("apples")["run_id"]) == [one.id]
    assert list(nbchat.history.search("pears")["run_id"]) == [two.id]


FACTS: dict[str, tuple[Any, Any]] = {
    "model": ("gpt-9", "small"),
    "profile": ("openai", "local"),
    "thread": ("main", "other"),
    "notebook": ("a.ipynb", "b.ipynb"),
    "status": ("error", "complete"),
    "sweep": ("study", "trial"),
}


@pytest.mark.parametrize("name", FACTS)
def test_a_filter_finds_what_is_equal_or_one_of_several(history: Path, name: str) -> None:
    one, other = FACTS[name]
    wanted, unwanted = (run_of(**{name: value}) for value in (one, other))
    recorded(wanted, unwanted, run_of(**({} if name == "model" else {"model": "x"})))
    search = nbchat.history.search
    assert list(search(**{name: one})["run_id"]) == [wanted.id]
    assert set(search(**{name: [one, other]})["run_id"]) >= {wanted.id, unwanted.id}
    assert len(search(**{name: []})) == 0
    if name != "status":
        assert list(search(**{name: f"{one[:3]}*"})["run_id"]) == [wanted.id]
        assert len(search(**{name: "?" * len(one)})) == 0


def test_times_are_from_and_up_to(history: Path) -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    found = [run_of(str(k), created_at=noon + timedelta(hours=k)) for k in range(3)]
    recorded(*found)

    def texts(**when: Any) -> list[str]:
        return list(nbchat.history.search(**when)["text"])

    assert texts() == ["2", "1", "0"]
    assert texts(since=noon + timedelta(hours=1)) == ["2", "1"]
    assert texts(until=noon + timedelta(hours=1)) == ["0"]
    assert texts(since="2026-03-01T13:00:00+00:00", until="2026-03-01T14:00:00+00:00") == ["1"]
    assert texts(since=timedelta(days=1)) == []
    assert texts(until=date(2026, 2, 27)) == []
    assert texts(limit=2) == ["2", "1"]
    assert texts(limit=0) == []


@pytest.mark.parametrize(
    ("filters", "field"),
    [
        ({"since": "last week"}, "since"),
        ({"until": 3}, "until"),
        ({"status": "compleet"}, "status"),
        ({"limit": -1}, "limit"),
        ({"limit": "all"}, "limit"),
    ],
)
def test_a_filter_that_cannot_be_read_is_refused_by_name(
    history: Path, filters: dict[str, Any], field: str
) -> None:
    with pytest.raises(CheckError) as caught:
        nbchat.history.search(**filters)
    assert caught.value.field == field


def test_frame_functions_take_the_frame_of_a_search(history: Path) -> None:
    found = [run_of(str(k)) for k in range(3)]
    recorded(*found)
    frame = nbchat.history.search()
    newest_first = [nbchat.history.get(run_id) for run_id in frame["run_id"]]
    for function in (nbchat.tokens, nbchat.alternatives, nbchat.choices, nbchat.usage, nbchat.runs):
        pd.testing.assert_frame_equal(function(frame), function(newest_first))
    assert len(nbchat.tokens(frame[frame["text"] == "1"])) == 2
    assert len(nbchat.tokens(nbchat.tokens(frame))) == 6  # any frame with run_id


def test_a_frame_of_runs_that_are_nowhere_is_refused_by_id(history: Path) -> None:
    with pytest.raises(RunNotFoundError, match=r"1 of 1 runs of this frame .*: 0123"):
        nbchat.tokens(pd.DataFrame({"run_id": ["0123"]}))
    with pytest.raises(TypeError, match="no"):
        nbchat.tokens(pd.DataFrame({"id": ["0123"]}))


def test_a_run_is_had_by_the_beginning_of_its_id(history: Path) -> None:
    one, other = run_of("1", id="aa10"), run_of("2", id="aa20")
    recorded(one, other)
    assert nbchat.history.get("aa1").text == "1"
    assert nbchat.history.get("aa20").text == "2"
    for wrong, words in (("aa", "several runs: aa10, aa20"), ("b", "no run"), ("", "is none")):
        with pytest.raises(RunNotFoundError, match=words):
            nbchat.history.get(wrong)


def test_an_id_that_begins_another_is_that_run(history: Path) -> None:
    recorded(run_of("1", id="aa"), run_of("2", id="aab"))
    assert nbchat.history.get("aa").text == "1"


def test_what_repeats_is_stored_once(history: Path) -> None:
    schema = {"type": "object", "properties": {f"p{k}": {"type": "string"} for k in range(20)}}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    dot = picture()
    dot["image_url"]["url"] = f"data:image/png;base64,{'A' * 4_000}"
    for k in range(5):
        run = run_of(str(k), params={"response_format": wanted})
        run.messages = [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": str(k)}, dot]},
        ]
        recorded(run)
    kinds = dict(rows(history, "SELECT kind, count(*) FROM contents GROUP BY kind"))
    assert kinds == {"message": 6, "data": 1, "schema": 1}
    assert nbchat.history.get(run.id).to_dict() == run.to_dict()


@pytest.mark.parametrize("key", ["$content", "$$content", "$x$content"])
def test_a_users_own_data_is_never_taken_for_a_reference(history: Path, key: str) -> None:
    run = run_of(params={"extra": {"x": {key: "0" * 64}}, "metadata": {key: "a"}})
    run.messages = [{"role": "user", "content": "hi", "more": {key: "0" * 64}}]
    assert run.completion is not None
    run.completion.extra = {"y": {key: "0" * 64}}
    recorded(run)
    assert nbchat.history.get(run.id).to_dict() == run.to_dict()


@pytest.mark.long
def test_deleting_says_first_what_it_would_do(history: Path) -> None:
    recorded(*(run_of("long " * 2_000, model=f"m{k % 2}", asked=f"q{k:03}") for k in range(200)))
    before = nbchat.history.size
    dry = nbchat.history.delete(model="m1")
    assert (dry.n_runs, dry.is_done) == (100, False)
    assert "100 runs" in repr(dry)
    assert "really=True" in repr(dry)
    assert len(nbchat.history.search()) == 200
    done = nbchat.history.delete(model="m1", really=True)
    assert (done.n_runs, done.n_bytes, done.is_done) == (100, dry.n_bytes, True)
    assert set(nbchat.history.search()["model"]) == {"m0"}
    assert nbchat.history.size < 0.6 * before
    assert len(nbchat.history.search("q001")) == 0
    assert len(nbchat.history.search("q002")) == 1


def test_what_is_deleted_is_nowhere_in_the_file(history: Path) -> None:
    secret, kept = run_of("xyzzysecret one", asked="plughsecret"), run_of("kept", asked="fine")
    recorded(secret, kept)
    assert b"xyzzysecret" in history.read_bytes()
    nbchat.history.delete("xyzzysecret", really=True)
    data = history.read_bytes()
    assert b"xyzzysecret" not in data
    assert b"plughsecret" not in data
    assert nbchat.history.get(kept.id).text == "kept"
    assert rows(history, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".parquet"])
def test_an_export_is_loaded_into_another_history(
    history: Path, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [run_of(str(k), model=f"m{k % 2}") for k in range(4)]
    recorded(*found)
    path = tmp_path / f"export{suffix}"
    assert nbchat.history.export(path, model="m1") == 2
    assert [run.text for run in nbchat.load(path)] == ["3", "1"]
    monkeypatch.setenv("NBCHAT_HISTORY", str(tmp_path / "other.sqlite"))
    for _ in range(2):  # the second time they are there
        assert list(nbchat.history.load(path)["text"]) == ["3", "1"]
    assert len(nbchat.history.search()) == 2


def test_the_file_is_the_users_alone(history: Path) -> None:
    recorded(run_of())
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    assert stat.S_IMODE(history.parent.stat().st_mode) == 0o700


def test_a_new_file_is_announced_once(history: Path) -> None:
    assert store.news() is None
    recorded(run_of())
    line = store.news()
    assert line is not None
    assert str(history) in line
    assert "NBCHAT_HISTORY=off" in line
    recorded(run_of())
    assert store.news() is None


def test_switched_off_nothing_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NBCHAT_DATA_DIR", str(tmp_path))
    for off in ("off", "OFF", "0", "false"):
        monkeypatch.setenv("NBCHAT_HISTORY", off)
        recorded(run_of())
        assert nbchat.history.path is None
        assert nbchat.history.size == 0
        assert len(nbchat.history.search()) == 0
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(HistoryError, match="switched off"):
        nbchat.history.load(run_of())


def test_nothing_is_made_by_looking(history: Path) -> None:
    assert len(nbchat.history.search("x")) == 0
    assert nbchat.history.delete(really=True).n_runs == 0
    with pytest.raises(RunNotFoundError):
        nbchat.history.get("00")
    assert not history.exists()


def test_where_the_history_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NBCHAT_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("NBCHAT_HISTORY")
    assert location() == tmp_path / "history.sqlite"
    monkeypatch.setenv("NBCHAT_HISTORY", str(tmp_path / "mine.db"))
    assert location() == tmp_path / "mine.db"
    assert location(tmp_path) == tmp_path / "history.sqlite"
    assert location("on") == tmp_path / "history.sqlite"
    assert location("off") is location(False) is None
    monkeypatch.setenv("NBCHAT_HISTORY", "off")
    assert location() is None


def test_a_key_is_nowhere_in_the_file(history: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, shaped = "canary0123456789", "sk-canary0123456789ABCDEF"
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", plain)
    said = f"keys: {plain} and {shaped}"
    run = run_of(
        said,
        said,
        model=plain,
        params={"metadata": {"k": said}, "user": plain, "extra": {"x": {plain: said}}},
        base_url=f"https://user:{plain}@example.org/v1?key={shaped}",
        error=ValueError(said),
        status="error",
        notes=[said],
        thread=plain,
        cell=shaped,
    )
    recorded(run)
    assert b"keys: " in history.read_bytes()
    assert b"canary" not in history.read_bytes()
    assert "canary" not in str(nbchat.history.get(run.id).to_dict())


def test_threads_may_record_side_by_side(history: Path) -> None:
    def work(k: int) -> None:
        for j in range(25):
            store.record(run_of(f"{k} {j}"))

    threads = [threading.Thread(target=work, args=[k]) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.flush(30)
    assert len(set(nbchat.history.search()["text"])) == 100


def test_a_process_writes_what_it_recorded_before_it_ends(history: Path) -> None:
    program = (
        "from tests.history.made import run_of\nfrom nbchat.history import store\n"
        "for k in range(20): store.record(run_of(str(k)))"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)
    assert len(nbchat.history.search()) == 20


def test_a_forked_child_writes_its_own_and_leaves_the_parents(history: Path) -> None:
    program = (
        "import os\nfrom tests.history.made import run_of\nfrom nbchat.history import store\n"
        "store.record(run_of('parent'))\nstore.flush()\n"
        "child = os.fork()\n"
        "store.record(run_of('child' if child == 0 else 'parent again'))\n"
        "store.flush()\n"
        "if child == 0: os._exit(0)\n"
        "os.waitpid(child, 0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    texts = sorted(nbchat.history.search()["text"])
    assert texts == ["child", "parent", "parent again"]


def test_a_file_that_was_moved_away_is_begun_anew(history: Path) -> None:
    recorded(run_of("old"))
    history.rename(history.with_name("old.sqlite"))
    recorded(run_of("new"))
    assert list(nbchat.history.search()["text"]) == ["new"]


def test_recording_does_not_wait_for_the_disk(history: Path) -> None:
    recorded(run_of())
    with closing(sqlite3.connect(history, isolation_level=None)) as other, other:
        other.execute("BEGIN IMMEDIATE")
        begin = time.perf_counter()
        store.record(run_of("waits"))
        took_s = time.perf_counter() - begin
        assert not store.flush(0.05)
        other.execute("COMMIT")
    assert store.flush(30)
    assert took_s < 5  # the lock was held all the while, so it did not wait for it
    assert len(nbchat.history.search()) == 2


def test_the_tables_are_read_by_other_programs(history: Path) -> None:
    recorded(run_of("Paris"), run_of("Rome"))
    with closing(sqlite3.connect(history)) as connection, connection:
        frame = pd.read_sql("SELECT * FROM runs JOIN texts USING (number)", connection)
    assert set(frame["text"]) == {"Paris", "Rome"}
    assert set(frame["total_tokens"]) == {12}
    assert pd.to_datetime(frame["created_at"], utc=True).notna().all()


def test_figures_take_the_frame_of_a_search(history: Path) -> None:
    recorded(run_of("one", cost_usd=0.25), run_of("two", cost_usd=0.5))
    found = nbchat.history.search()
    assert "0.75 US dollars" in nbchat.plots.cost(found).get_title()
    assert nbchat.plots.latency(found) is not None


@pytest.mark.parametrize("wrong", [5, "", None, ["01"], pd.Series(["01"])])
def test_what_is_no_id_is_refused_with_where_ids_are(wrong: Any, history: Path) -> None:
    recorded(run_of())
    with pytest.raises(RunNotFoundError, match=r"search\(\) has them as run_id"):
        nbchat.history.get(wrong)


def test_what_is_no_text_is_refused(history: Path) -> None:
    with pytest.raises(CheckError, match="text is 5, but it must be words"):
        nbchat.history.search(5)  # type: ignore[arg-type]


def test_the_size_is_that_of_all_that_was_recorded(history: Path) -> None:
    store.record(run_of())
    assert nbchat.history.size > 10_000


def test_a_file_of_something_else_is_called_so(history: Path) -> None:
    history.parent.mkdir()
    history.write_bytes(b"hello" * 1_000)
    with pytest.raises(HistoryError, match=r"is no history of nbchat\. Name another file"):
        nbchat.history.search()


def test_a_folder_that_is_not_there_is_named(history: Path, tmp_path: Path) -> None:
    recorded(run_of())
    with pytest.raises(FileNotFoundError, match=r"no such folder to write in.*nowhere"):
        nbchat.history.export(tmp_path / "nowhere" / "runs.jsonl")
    with pytest.raises(CheckError, match=r"no folder .*nowhere for the cassette"):
        nbchat.configure(cassette=tmp_path / "nowhere" / "study.jsonl")


def test_the_page_of_the_history_names_every_table_and_column(history: Path) -> None:
    recorded(run_of())
    page = (Path(__file__).parents[2] / "docs" / "howto" / "history.md").read_text()
    section = page.partition("## The history's file")[2].partition("\n## ")[0]
    names = [
        name for (name,) in rows(history, "SELECT name FROM sqlite_master WHERE type = 'table'")
    ]
    for table in names:
        if not table.startswith(("texts_index_", "sqlite_")):
            columns = [row[1] for row in rows(history, f"PRAGMA table_info({table})")]
            assert not [name for name in (table, *columns) if f"`{name}`" not in section], table
