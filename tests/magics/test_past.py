"""``%chat history`` and ``%chat show`` look back; anything else is a prompt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import nbchat
from nbchat.history import store
from nbchat.magics.past import past_of


def test_a_line_gives_the_frame_of_what_was_asked(history: Path, shell: Any) -> None:
    shell.ask("%chat Where is Paris?")
    shell.ask("%chat Where is Rome?")
    shell.ask("found = %chat history Paris")
    found = shell["found"]
    (run_id,) = found["run_id"]
    shell.ask(f"run = %chat show {run_id[:14]}")
    assert shell["run"].id == run_id
    shell.ask("everything = %chat history")
    assert len(shell["everything"]) == 2


@pytest.mark.parametrize(
    "line",
    ["historyof Rome", "show me the way", "show", "show xyz0", "-- history", "show 0123 now", ""],
)
def test_other_lines_are_prompts(line: str) -> None:
    assert past_of(line) is None


def test_config_moves_the_history_and_chooses_replays(
    history: Path, shell: Any, tmp_path: Path
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
