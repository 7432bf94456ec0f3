"""Lines of ``%chat`` that are commands, lines that are near to one, and lines that are prompts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import nbchat
from nbchat.errors import MagicUsageError
from nbchat.history import store
from nbchat.magics.commands import command_of
from tests.magics.conftest import Shell
from tests.scripted import ScriptedServer


def test_a_line_gives_the_frame_of_what_was_asked(
    history: Path, shell: Any, server: ScriptedServer
) -> None:
    shell.ask("%chat Where is Paris?")
    shell.ask("%chat Where is Rome?")
    shell.ask("found = %chat history Paris")
    found = shell["found"]
    (run_id,) = found["run_id"]
    shell.ask(f"run = %chat show {run_id[:16]}")
    assert shell["run"].id == run_id
    shell.ask("everything = %chat history")
    assert len(shell["everything"]) == 2


@pytest.mark.parametrize(
    "line",
    [
        "historyof Rome", "show me the way", "-- history", "show 0123 now", "", "hello", "sky?",
        "models of cars", "explore Mars", "Why?", "models please", "help me", "explain",
        "thread by thread", "weather",
    ],
)  # fmt: skip
def test_other_lines_are_prompts(line: str) -> None:
    assert command_of(line, "main", list) is None


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("model", "%chat models"),
        ("Models", "%chat models"),
        ("thread", "%chat threads"),
        ("histroy", "%chat history"),
        ("hist", "%chat history"),
        ("explorer", "%chat explore"),
        ("rest", "%chat reset"),
        ("show", "%chat show"),
        ("Help", "%chat --help"),
    ],
)
def test_a_word_that_is_near_to_a_command_is_refused_with_it(
    shell: Shell, server: ScriptedServer, word: str, meant: str
) -> None:
    raised = shell.error(f"%chat {word}")
    assert isinstance(raised, MagicUsageError)
    assert meant in str(raised)
    assert f"%chat -- {word}" in str(raised)
    assert server.requests == []
    shell.ask(f"%chat -- {word}")
    assert server.requests[0].body["messages"][-1]["content"] == word


@pytest.mark.parametrize("word", ["models", "reset", "history", "explore", "threads"])
def test_a_command_behind_flags_is_no_prompt_either(
    shell: Shell, server: ScriptedServer, word: str
) -> None:
    raised = shell.error(f"%chat --temperature 0 {word}")
    assert isinstance(raised, MagicUsageError)
    assert server.requests == []
    shell.ask(f"%chat --temperature 0 -- {word}")
    assert len(server.requests) == 1


def test_models_are_those_of_the_server(shell: Shell, server: ScriptedServer) -> None:
    server.models_reply = {"data": [{"id": "large"}, {"id": "small"}]}
    shell.ask("names = %chat models")
    assert shell["names"] == ["large", "small"]
    shell.ask("names = %chat models local")
    assert shell["names"] == ["smollm2-135m"]


def test_threads_are_listed_and_reset_forgets_the_turns(
    shell: Shell, server: ScriptedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.ask("%chat Hi")
    shell.ask("%chat --thread other Hi")
    shell.ask("%chat --thread other Hi again")
    shell.ask("listed = %chat threads")
    listed = shell["listed"]
    assert listed[["thread", "turns"]].to_numpy().tolist() == [["main", 1], ["other", 2]]
    assert listed["last_at"].notna().all()
    capsys.readouterr()
    shell.ask("%chat reset other")
    assert "'other' begins anew: 2 turns are forgotten" in capsys.readouterr().out
    shell.ask("%chat reset")
    assert "'main' begins anew: 1 turn is forgotten" in capsys.readouterr().out
    shell.ask("%chat reset")
    assert "has no turns" in capsys.readouterr().out
    assert [len(nbchat.Thread(name)) for name in ("main", "other")] == [0, 0]
    raised = shell.error("%chat reset othr")
    assert "Did you mean %chat reset other?" in str(raised)


@pytest.mark.parametrize("code", ["%chat --help", "%%chat --help", "%%chat -h\nHi", "%chat help"])
def test_help_is_shown_where_it_is_asked_for(
    shell: Shell, server: ScriptedServer, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.ask(code)
    out = capsys.readouterr().out
    assert "--temperature" in out
    assert "%chat models" in out
    assert server.requests == []


@pytest.mark.parametrize("code", ["run = %chat Why, {x}?", "if True:\n    run = %nbchat Why, {x}?"])
def test_the_value_of_a_line_is_its_run_and_it_is_shown_once(
    shell: Shell, server: ScriptedServer, code: str
) -> None:
    shell.ask(code)
    assert shell["run"] is nbchat.session.runs[-1]
    assert server.requests[0].body["messages"][-1]["content"] == "Why, {x}?"
    assert shell.cell.markdown == [shell["run"].text]
    shell.ask("shown = %chat Hi")
    result = shell.run("%chat Hi")
    assert result.result is None
    shell.ask("print(run, str(run) == run.text)")


def test_config_moves_the_history_and_chooses_replays(
    history: Path, shell: Any, server: ScriptedServer, tmp_path: Path
) -> None:
    try:
        shell.ask(f"%config NbChat.history = {str(tmp_path / 'mine.sqlite')!r}")
        shell.ask("%chat Hi")
        assert nbchat.history.path == tmp_path / "mine.sqlite"
        shell.ask(f"%config NbChat.cassette = {str(tmp_path / 'c.jsonl')!r}")
        shell.ask("%config NbChat.replay = 'only'")
        with pytest.raises(nbchat.errors.NotRecordedError):
            shell.ask("%chat Hello")
        shell.ask("%config NbChat.history = 'off'")
        assert nbchat.history.path is None
    finally:
        store.choose(None)
