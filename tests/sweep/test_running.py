"""A sweep from its call to its frame."""

from __future__ import annotations

import errno
import gc
import shutil
import weakref
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import nbchat
from nbchat.errors import CheckError, HistoryError
from nbchat.session.execution import Execution
from nbchat.sweep import design, journal, limits, parts, runner
from nbchat.sweep.folder import Folder
from tests.scripted import Gate, Reply, Request, ScriptedServer, completion

FRUITS = [{"thing": "apple", "answer": "yes"}, {"thing": "brick", "answer": "no"}]


def echo(request: Request) -> Reply:
    """The temperature and the last word: an answer that tells which request it belongs to."""
    word = request.body["messages"][-1]["content"].split()[-1]
    return Reply.json(completion(f"{word} at {request.body.get('temperature')}"))


@pytest.fixture
def answering() -> object:
    return echo


def test_each_item_is_asked_at_each_point_as_often_as_wanted(
    server: ScriptedServer, tmp_path: Path
) -> None:
    sweep = nbchat.sweep(
        "Is this a fruit: {{ thing }}",
        data=FRUITS,
        grid={"temperature": [0, 1]},
        repeats=3,
        folder=tmp_path,
        model="m",
        max_completion_tokens=4,
    )
    assert server.requests == []
    frame = sweep.run().runs()
    assert len(frame) == len(server.requests) == 12
    assert set(frame["status"]) == {"answered"}
    assert frame["text"].tolist() == [
        f"{thing} at {temperature}"
        for thing in ("apple", "brick")
        for temperature in (0.0, 1.0)
        for _ in range(3)
    ]
    assert frame["answer"].tolist() == ["yes"] * 6 + ["no"] * 6
    assert {request.body["max_completion_tokens"] for request in server.requests} == {4}


def test_the_same_call_again_sends_nothing_and_gives_the_same_frame(
    server: ScriptedServer, tmp_path: Path
) -> None:
    def sweep() -> nbchat.sweep.Sweep:
        return nbchat.sweep("Say {{ thing }}", data=FRUITS, repeats=2, folder=tmp_path, model="m")

    first = sweep().run().runs()
    again = sweep()
    pd.testing.assert_frame_equal(again.runs(), first)
    assert again.status.done == 4
    pd.testing.assert_frame_equal(again.run().runs(), first)
    assert len(server.requests) == 4


def test_a_folder_that_is_gone_is_said_and_its_rows_are_not_sent_again(
    server: ScriptedServer, tmp_path: Path
) -> None:
    sweep = nbchat.sweep(["a", "b"], folder=tmp_path / "gone", profile=server.url, model="m")
    sweep.run()
    shutil.rmtree(tmp_path / "gone")
    for use in (sweep.run, sweep.retry_errors, sweep.runs, lambda: sweep.plan):
        with pytest.raises(HistoryError, match=r"gone is no longer there.* a new nbchat\.sweep"):
            use()
    assert len(server.requests) == 2
    assert not (tmp_path / "gone").exists()
    assert "2 of 2 rows" in repr(sweep)


@pytest.mark.parametrize(
    ("more", "n_new"),
    [
        ({"data": [*FRUITS, {"thing": "pear"}]}, 2),
        ({"grid": {"model": ["m", "other"]}, "model": None}, 4),
        ({"repeats": 5}, 6),
    ],
    ids=["items", "models", "repeats"],
)
def test_what_is_added_later_is_all_that_is_sent(
    server: ScriptedServer, tmp_path: Path, more: dict[str, object], n_new: int
) -> None:
    call: dict[str, object] = {"data": FRUITS, "repeats": 2, "folder": tmp_path, "model": "m"}
    nbchat.sweep("Say {{ thing }}", **call).run()
    changed = {name: value for name, value in (call | more).items() if value is not None}
    sweep = nbchat.sweep("Say {{ thing }}", **changed).run()
    assert len(server.requests) == 4 + n_new
    assert sweep.status.not_sent == 0


def test_a_sweep_is_a_source_of_frames(server: ScriptedServer) -> None:
    sweep = nbchat.sweep("Say {{ thing }}", data=FRUITS, model="m").run()
    assert sorted(nbchat.runs(sweep)["text"]) == ["apple at None", "brick at None"]
    assert len(nbchat.choices(sweep.runs())) == 2
    assert nbchat.runs().empty


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ({"grid": {"temperatur": [0]}}, "temperature"),
        ({"grid": {"temperature": []}}, "grid"),
        ({"grid": {"temperature": [3]}}, "temperature"),
        ({"repeats": 0}, "repeats"),
        ({"data": []}, "data"),
        ({"data": {"thing": "a"}}, "data"),
        ({"data": "there.txt"}, "there.txt"),
        ({"at_once": 0}, "at_once"),
        ({"requests_per_minute": -1}, "requests_per_minute"),
        ({"budget_usd": -1}, "budget_usd"),
        ({"executor": 5}, "executor"),
        ({"n": 2}, "repeats"),
        ({"thread": "a"}, "thread"),
        ({"evaluate": {"right": 5}}, "evaluate"),
    ],
)
def test_bad_input_is_a_sentence_that_names_it_and_nothing_is_sent(
    server: ScriptedServer, arguments: dict[str, object], names: str
) -> None:
    with pytest.raises(CheckError, match=names):
        nbchat.sweep("Say this.", **{"model": "m", **arguments}).run()
    assert server.requests == []


def test_a_random_grid_is_the_same_for_the_same_seed() -> None:
    grid = nbchat.sweep.random(5, 3, temperature=(0, 2.0), top_logprobs=(1, 20), model=["a", "b"])
    assert grid == nbchat.sweep.random(
        5, 3, temperature=(0, 2.0), top_logprobs=(1, 20), model=["a", "b"]
    )
    assert len({point["temperature"] for point in grid}) == 5
    assert all(type(point["top_logprobs"]) is int for point in grid)


def test_as_many_go_on_at_once_as_there_are_slots(server: ScriptedServer) -> None:
    gate = Gate()
    held = Reply(b"{}", before=[gate], content_type="application/json")
    server.reply(*[held] * 20)
    data = [{"word": number} for number in range(30)]
    sweep = nbchat.sweep("{{ word }}", data=data, model="m", at_once=20).start()
    server.wait_for_requests(20)
    assert sweep.status.going == 20
    gate.open()
    sweep.stop(now=True)
    sweep.wait()


def test_profiles_are_an_axis(server: ScriptedServer) -> None:
    with ScriptedServer(default=echo) as other:
        profiles = [
            nbchat.Profile(name="one", base_url=server.url),
            nbchat.Profile(name="two", base_url=other.url),
        ]
        grid = {"profile": profiles, "system": ["Short.", "Long."]}
        sweep = nbchat.sweep("Say {{ thing }}", data=FRUITS, grid=grid, model="m").run()
        assert len(server.requests) == len(other.requests) == 4
        assert sweep.runs()["profile"].value_counts().to_dict() == {"one": 4, "two": 4}
        first = {request.body["messages"][0]["content"] for request in other.requests}
        assert first == {"Short.", "Long."}


def test_items_that_ask_the_same_have_rows_of_their_own_for_each_repeat(
    server: ScriptedServer, tmp_path: Path
) -> None:
    twins = [{"thing": "apple", "who": who} for who in ("Ann", "Bob")]
    sweep = nbchat.sweep("Say {{ thing }}", data=twins, repeats=3, folder=tmp_path, model="m")
    frame = sweep.run().runs()
    assert frame["row_id"].nunique() == len(frame) == len(server.requests) == 6
    assert frame["who"].tolist() == ["Ann"] * 3 + ["Bob"] * 3


def test_journals_become_parts_and_give_the_same_frame(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sweep(folder: str) -> nbchat.sweep.Sweep:
        return nbchat.sweep(
            "Say {{ thing }}", data=FRUITS, repeats=20, folder=tmp_path / folder, model="m"
        )

    kept = sweep("journals").run().runs()
    monkeypatch.setattr(parts, "PART_BYTES", 1)
    monkeypatch.setattr(journal, "MOST_BYTES", 2_000)
    packed = sweep("parts").run().runs()
    whole = list((tmp_path / "parts" / "parts").iterdir())
    assert whole
    assert {path.suffix for path in whole} == {".parquet"}
    read = pd.concat([pd.read_parquet(path) for path in whole])
    left = sum(
        len(path.read_text().splitlines()) for path in (tmp_path / "parts").rglob("rows-*.jsonl")
    )
    assert len(read) + left == 40
    same = ["row_id", "item", "sample", "status", "text"]
    pd.testing.assert_frame_equal(packed[same], kept[same])
    n_sent = len(server.requests)
    pd.testing.assert_frame_equal(sweep("parts").run().runs(), packed)
    assert len(server.requests) == n_sent


def test_small_journals_of_earlier_processes_become_parts(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sweep(repeats: int) -> nbchat.sweep.Sweep:
        data = [*FRUITS, {"thing": "pear", "answer": "yes"}]
        return nbchat.sweep(
            "Say {{ thing }}", data=data, repeats=repeats, folder=tmp_path, model="m"
        )

    for repeats in (1, 2, 3):
        before = sweep(repeats).run().runs()
    assert len(list((tmp_path / "journals").iterdir())) == 3
    # of a worker of a cluster, which may write it still
    (of_a_worker,) = [
        path.rename(path.with_name(path.name.replace("-0001.", "-7-0-0001.")))
        for path in sorted((tmp_path / "journals").iterdir())[:1]
    ]
    monkeypatch.setattr(parts, "PART_BYTES", 1)
    pd.testing.assert_frame_equal(sweep(3).run().runs(), before)
    assert len(list((tmp_path / "parts").iterdir())) == 1
    assert list((tmp_path / "journals").iterdir()) == [of_a_worker]
    assert len(server.requests) == 9


def test_a_part_that_is_made_while_journals_are_read_loses_no_row_and_doubles_none(
    server: ScriptedServer, tmp_path: Path
) -> None:
    for repeats in (1, 2):
        nbchat.sweep("{{ thing }}", data=FRUITS, repeats=repeats, folder=tmp_path, model="m").run()
    folder = Folder(tmp_path)
    whole = sorted(record.run_id for record in folder.all_records())
    first, second = folder.journals()
    seen = []
    for record in folder.all_records():
        if not seen:
            parts.pack(tmp_path, [second])
        if len(seen) == 1:
            parts.pack(tmp_path, [first])
        seen.append(record.run_id)
    assert sorted(seen) == whole


def test_requests_are_made_once_and_beyond_what_fits_into_memory_again(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def counted(original: Any) -> Any:
        return lambda *a, **k: (made.append(original), original(*a, **k))[1]

    for name in ("prepare", "with_messages"):
        monkeypatch.setattr(design, name, counted(getattr(design, name)))
    data = [{"thing": number} for number in range(20)]
    nbchat.sweep("Say {{ thing }}", data=data, model="m").run()
    assert len(made) == 20
    made.clear()
    monkeypatch.setattr(design, "_MOST_KEPT", 15)
    frame = nbchat.sweep("Say {{ thing }}", data=data, model="m").run().runs()
    assert len(made) == 25
    assert frame["text"].tolist() == [f"{number} at None" for number in range(20)]


def test_a_plan_looks_its_profile_up_once_and_not_for_each_row(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up = []
    original = design.resolved
    monkeypatch.setattr(design, "resolved", lambda *a: (looked_up.append(a[0]), original(*a))[1])
    sweep = nbchat.sweep("{{ thing }}", data=[{"thing": number} for number in range(20)], model="m")
    assert len(sweep.design.rows()) == 20
    assert len(looked_up) == 1


def test_a_row_that_has_ended_is_gone_without_the_collector(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What holds itself waits for the collector, which then costs more than a row does."""
    ended: list[weakref.ref[Execution]] = []

    def execution(*about: Any, **more: Any) -> Execution:
        made = Execution(*about, **more)
        ended.append(weakref.ref(made))
        return made

    monkeypatch.setattr(runner, "Execution", execution)
    sweep = nbchat.sweep("Is this a fruit: {{ thing }}", data=FRUITS, folder=tmp_path, model="m")
    gc.disable()
    try:
        sweep.run()
        assert [made() for made in ended] == [None, None]
    finally:
        gc.enable()


@pytest.mark.parametrize("full", ["rows", "attempts"])
def test_a_full_disk_ends_a_sweep_with_a_sentence_and_every_slot_comes_back(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full: str
) -> None:
    append, take, ended = journal.Lines.append, limits.SharedGrants.take, limits.SharedGrants.ended
    held: list[Any] = []

    def refuse(lines: journal.Lines, data: bytes) -> None:
        if lines.path.name.startswith(full):
            raise OSError(errno.ENOSPC, "No space left on device")
        append(lines, data)

    def taken(grants: limits.SharedGrants, now: float, tokens: int) -> Any:
        granted = take(grants, now, tokens)
        held.extend([] if isinstance(granted, float) else [granted])
        return granted

    def given_back(grants: limits.SharedGrants, permit: Any, *about: Any, **more: Any) -> None:
        held.remove(permit)
        ended(grants, permit, *about, **more)

    monkeypatch.setattr(journal.Lines, "append", refuse)
    monkeypatch.setattr(limits.SharedGrants, "take", taken)
    monkeypatch.setattr(limits.SharedGrants, "ended", given_back)
    sweep = nbchat.sweep("Is this a fruit: {{ thing }}", data=FRUITS, folder=tmp_path, model="m")
    with pytest.raises(HistoryError, match=r"cannot be written.*No space left"):
        sweep.run()
    assert held == []
