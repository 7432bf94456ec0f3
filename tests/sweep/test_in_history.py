"""The history knows a sweep by reference: its rows are found, and stay in its folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import nbchat
from nbchat.history import store
from nbchat.session.state import STATE
from tests.scripted import Reply, Request, ScriptedServer, completion

FRUITS = [{"thing": "apple"}, {"thing": "brick"}]


def echo(request: Request) -> Reply:
    word = request.body["messages"][-1]["content"].split()[-1]
    return Reply.json(completion(f"{word}!", model=request.body["model"]))


@pytest.fixture
def answering() -> object:
    return echo


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    store.choose(None)  # what a test chose holds for no other


def ask(folder: Path | None, model: str) -> nbchat.sweep.Sweep:
    sweep = nbchat.sweep("Say {{ thing }}", data=FRUITS, folder=folder, model=model)
    assert isinstance(sweep, nbchat.sweep.Sweep)
    return sweep.run()


def test_a_search_finds_the_rows_of_sweeps_by_their_names(
    server: ScriptedServer, tmp_path: Path
) -> None:
    nbchat.configure(history=tmp_path / "history.sqlite")
    for _ in range(2):  # the same folder again is one reference
        ask(tmp_path / "fruit", "m")
    ask(tmp_path / "fruit-2", "other")
    ask(None, "m")  # goes with the sweep, and is no reference
    nbchat.chat("Say nothing", model="m")
    assert len((tmp_path / "sweeps.jsonl").read_text().splitlines()) == 2

    search = nbchat.history.search
    assert sorted(search(sweep="fruit")["text"]) == ["apple!", "brick!"]
    assert len(search(sweep="fruit*")) == 4
    assert len(search(sweep=["fruit", "none"], limit=1)) == 1
    assert search(sweep="fruit*", model="other", text="BRICK")["text"].tolist() == ["brick!"]
    assert search(sweep="frui").empty
    assert search(sweep="fruit", until="2020-01-01").empty
    assert search(sweep="fruit*", status="error").empty
    # rows are no runs of the history, and chats none of a sweep
    assert search()["text"].tolist() == ["nothing!"]
    # in another kernel, frames find the runs of what was found
    STATE.runs.clear()
    frame = search(sweep="fruit")
    assert len(nbchat.choices(frame)) == 2
    assert [run.text for run in nbchat.inspect(frame).runs] == frame["text"].tolist()
    shutil.rmtree(tmp_path / "fruit")
    assert search(sweep="fruit").empty


def test_nothing_is_noted_where_the_history_is_off(server: ScriptedServer, tmp_path: Path) -> None:
    nbchat.configure(history="off")
    ask(tmp_path / "fruit", "m")
    assert not list(tmp_path.rglob("sweeps.jsonl"))
    assert nbchat.history.search(sweep="fruit").empty
