"""What was asked is recorded, and comes back from the record as it was."""

from __future__ import annotations

import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import pytest

import nbchat
from nbchat.errors import CheckError, NotRecordedError
from nbchat.history import store
from nbchat.history.places import Claims, Places
from nbchat.session import notebook
from nbchat.session.notebook import Cell
from nbchat.session.state import STATE
from tests.random_runs import said_of
from tests.scripted import CUT, Reply, ScriptedServer, chunk, error, speaking, sse


@pytest.fixture(autouse=True)
def kept(history: Path) -> Path:
    return history


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Say which cell runs, and in which execution of it."""

    def run(cell_id: str, execution: int = 1) -> None:
        monkeypatch.setattr(
            "nbchat.session.replay.current_cell", lambda: Cell(cell_id, str(execution))
        )
        monkeypatch.setattr(
            "nbchat.session.execution.current_cell", lambda: Cell(cell_id, str(execution))
        )

    return run


def only(**more: Any) -> None:
    nbchat.configure(replay="only", **more)


def begin_anew() -> None:
    """Number requests and forget whose records are whose, as a new process does."""
    STATE.places, STATE.claims = Places(), Claims()


def test_every_run_is_in_the_history(server: ScriptedServer) -> None:
    run = nbchat.chat("hi", model="m", logprobs=True)
    found = nbchat.history.get(run.id)
    assert found.to_dict() == run.to_dict()
    assert run.number_in_cell == 0
    assert run.request_sha256


def test_a_run_that_failed_or_was_left_early_is_there_too(server: ScriptedServer) -> None:
    server.reply(error(400, "no"), Reply([sse(chunk("Hel"), done=False), CUT]))
    with pytest.raises(nbchat.errors.BadRequestError):
        nbchat.chat("hi", model="m")
    with pytest.raises(nbchat.errors.TransportError):
        nbchat.chat("hi", model="m", max_retries=0)
    for piece in nbchat.stream("left", model="m"):
        assert piece
        break
    assert sorted(nbchat.history.search()["status"]) == ["error", "error", "interrupted"]


def test_a_new_history_is_said_once_and_where(
    server: ScriptedServer, kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nbchat.chat("hi", model="m")
    nbchat.chat("hi", model="m")
    assert capsys.readouterr().err.count(str(kept)) == 1


def test_switched_off_nothing_is_recorded(
    server: ScriptedServer, kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nbchat.configure(history="off")
    try:
        nbchat.chat("hi", model="m")
    finally:
        store.choose(None)
    assert not kept.exists()
    assert capsys.readouterr().err == ""


def test_a_key_of_the_profile_is_in_no_record(
    server: ScriptedServer, kept: Path, tmp_path: Path
) -> None:
    key = "canary0123456789"
    profile = nbchat.Profile(name="x", base_url=server.url, key=nbchat.client.Secret(key))
    nbchat.configure(cassette=tmp_path / "c.jsonl")
    nbchat.chat(f"my key is {key}", model="m", profile=profile)
    assert store.flush(10)
    for path in (kept, tmp_path / "c.jsonl"):
        assert b"my key is" in path.read_bytes()
        assert key.encode() not in path.read_bytes()


def test_a_replay_says_what_was_said_and_asks_nobody(server: ScriptedServer) -> None:
    run = nbchat.chat("hi", model="m", logprobs=True, top_logprobs=2)
    begin_anew()
    only()
    again = nbchat.chat("hi", model="m", logprobs=True, top_logprobs=2)
    assert len(server.requests) == 1
    assert again.id != run.id
    assert (again.is_replayed, again.tries, again.cost_usd) == (True, 0, 0.0)
    assert again.notes == ["replayed"]
    assert again.completion == run.completion
    before, after = said_of(run), said_of(again)
    for name in ("choices", "tokens", "alternatives"):
        left, right = (frame.drop(columns="run_id") for frame in (before[name], after[name]))
        assert left.equals(right), name
    assert list(nbchat.runs([run, again])["is_replayed"]) == [False, True]


def test_what_it_cost_before_is_said(server: ScriptedServer) -> None:
    row = {"input_usd_per_mtok": 1000.0, "output_usd_per_mtok": 1000.0}
    nbchat.configure(prices={"*": row})
    run = nbchat.chat("hi", model="m")
    assert run.cost_usd
    only()
    again = nbchat.chat("hi", model="m")
    assert (again.cost_usd, again.cost_before_usd) == (0.0, run.cost_usd)
    assert "it cost $" in again.notes[-1]


def test_only_never_asks_and_says_what_is_missing(server: ScriptedServer) -> None:
    only()
    with pytest.raises(NotRecordedError, match=r"no record of it \('who are you' to m at"):
        nbchat.chat("who are you", model="m")
    assert server.requests == []
    assert len(nbchat.history.search()) == 0


def test_auto_asks_for_what_is_not_there_and_refresh_asks_anew(server: ScriptedServer) -> None:
    server.reply(speaking("one"), speaking("two"), speaking("three"))
    nbchat.configure(replay="auto")
    assert nbchat.chat("a", model="m").text == "one"
    begin_anew()
    assert nbchat.chat("a", model="m").text == "one"
    assert nbchat.chat("b", model="m").text == "two"
    assert nbchat.chat("a", model="m", replay="refresh").text == "three"
    assert len(server.requests) == 3


def test_samples_are_replayed_as_the_same_samples_in_order(
    server: ScriptedServer, cell: Any
) -> None:
    server.reply(*(speaking(str(k)) for k in range(6)))
    cell("c1")
    first = [nbchat.chat("draw", model="m").text for _ in range(3)]
    cell("c2")
    second = [nbchat.chat("draw", model="m").text for _ in range(3)]
    only()
    for execution in (2, 3):  # and when the cell runs again
        cell("c2", execution)
        assert [nbchat.chat("draw", model="m").text for _ in range(3)] == second
        cell("c1", execution)
        assert [nbchat.chat("draw", model="m").text for _ in range(3)] == first


def test_a_new_place_takes_what_no_other_took_and_says_so(
    server: ScriptedServer, cell: Any
) -> None:
    cell("c1")
    nbchat.chat("draw", model="m")
    only()
    cell("new")
    run = nbchat.chat("draw", model="m")
    assert any("of another place" in note for note in run.notes)
    with pytest.raises(NotRecordedError):
        nbchat.chat("draw", model="m")


def test_side_by_side_requests_have_their_numbers_before_they_are_sent(
    server: ScriptedServer,
) -> None:
    server.reply(*(speaking(str(k)) for k in range(4)))
    nbchat.repeat("draw", times=4, model="m")
    found = list(STATE.runs)
    numbers = [run.number_in_cell for run in found]
    assert numbers == [0, 1, 2, 3]
    begin_anew()
    only()
    nbchat.repeat("draw", times=4, model="m")
    assert [run.text for run in STATE.runs[4:]] == [run.text for run in found]
    assert len(server.requests) == 4


def test_samples_that_are_drawn_now_are_no_record_for_each_other(server: ScriptedServer) -> None:
    server.reply(*(speaking(str(k)) for k in range(3)))
    nbchat.configure(replay="auto")
    assert [nbchat.chat("draw", model="m").text for _ in range(3)] == ["0", "1", "2"]
    begin_anew()
    assert [nbchat.chat("draw", model="m").text for _ in range(3)] == ["0", "1", "2"]
    assert len(server.requests) == 3


def test_what_failed_is_never_replayed(server: ScriptedServer) -> None:
    server.reply(Reply([sse(chunk("Hel"), done=False), CUT]))
    with pytest.raises(nbchat.errors.TransportError):
        nbchat.chat("hi", model="m", max_retries=0)
    only()
    with pytest.raises(NotRecordedError):
        nbchat.chat("hi", model="m")


def test_tools_do_not_run_again(server: ScriptedServer) -> None:
    called: list[str] = []

    def weather(city: str) -> str:
        """Say the weather.

        city: where
        """
        called.append(city)
        return "sunny"

    call = {
        "id": "c1",
        "type": "function",
        "function": {"name": "weather", "arguments": '{"city": "Rome"}'},
    }
    asks = Reply(
        [
            sse(
                chunk(delta={"tool_calls": [{"index": 0, **call}]}),
                chunk(finish_reason="tool_calls"),
            )
        ]
    )
    server.reply(asks, speaking("It is sunny."))
    run = nbchat.chat("weather?", model="m", tools=[weather])
    only()
    again = nbchat.chat("weather?", model="m", tools=[weather])
    assert called == ["Rome"]
    assert again.text == "It is sunny."
    assert [r.calls[0].result for r in again.rounds] == ["sunny"]
    assert again.messages == run.messages
    assert len(server.requests) == 2


@pytest.mark.long
@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
def test_a_cassette_is_replayed_in_a_process_without_a_server(
    server: ScriptedServer, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"study{suffix}"
    nbchat.configure(cassette=path)
    server.reply(speaking("one"), speaking("two"))
    texts = [nbchat.chat("draw", model="m").text for _ in range(2)]
    url = server.url
    server.close()
    program = (
        "import sys, socket, nbchat\n"
        "def no(*_a, **_k): raise AssertionError('the network was used')\n"
        "socket.socket.connect = socket.create_connection = no\n"
        "nbchat.configure(cassette=sys.argv[1], replay='only', profile=sys.argv[2])\n"
        "print([nbchat.chat('draw', model='m').text for _ in range(2)])"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(path), url],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.strip() == str(texts), done.stderr


def test_a_cassette_that_cannot_be_written_costs_no_reply(
    server: ScriptedServer, tmp_path: Path
) -> None:
    (tmp_path / "gone").mkdir()
    nbchat.configure(cassette=tmp_path / "gone" / "study.jsonl")
    (tmp_path / "gone").rmdir()
    with pytest.warns(UserWarning, match="lacks run"):
        run = nbchat.chat("hi", model="m")
    assert run.status == "complete"


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"replay": "onyl"}, "replay"),
        ({"replay_speed": -1}, "replay_speed"),
        ({"replay_speed": "fast"}, "replay_speed"),
        ({"cassette": "study.pickle"}, "cassette"),
    ],
)
def test_a_setting_that_is_none_is_refused_by_name(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(CheckError) as caught:
        nbchat.configure(**settings)
    assert caught.value.field == field


def test_a_call_may_choose_its_own_replay(server: ScriptedServer) -> None:
    nbchat.chat("hi", model="m")
    begin_anew()
    assert nbchat.chat("hi", model="m", replay="only").is_replayed
    with pytest.raises(CheckError, match="replay"):
        nbchat.chat("hi", model="m", replay="always")


def test_outside_of_a_notebook_there_is_no_cell_and_no_notebook() -> None:
    assert notebook.current_cell() == Cell()
    assert notebook.current_notebook() is None
    found: list[Cell] = []
    thread = threading.Thread(target=lambda: found.append(notebook.current_cell()))
    thread.start()
    thread.join()
    assert found == [Cell()]


def test_nothing_is_warned_of_where_all_is_well(server: ScriptedServer) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nbchat.chat("hi", model="m")
        assert store.flush(10)
