"""Attachments in cells: as the files, addresses and variables that they came from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import nbchat
from nbchat.code import Draft, as_cell, draft_of, read_cell
from nbchat.media import attach
from tests.magics.conftest import Shell
from tests.media.made import PDF, picture, wav
from tests.scripted import ScriptedServer

ODD = "it's $HOME `x` \\n --n.png"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "photo.png").write_bytes(picture())
    (tmp_path / ODD).write_bytes(picture("JPEG"))
    (tmp_path / "question.wav").write_bytes(wav())
    (tmp_path / "report.pdf").write_bytes(PDF)
    monkeypatch.chdir(tmp_path)


def asked(prompt: str, **media: Any) -> dict[str, Any]:
    message: dict[str, Any] = attach(prompt, **media)
    return message


WAYS: list[tuple[dict[str, Any], str]] = [
    ({"images": "photo.png"}, "--image photo.png"),
    ({"images": ["photo.png", ODD], "detail": "low"},
     f'--image photo.png --image "{ODD.replace(chr(92), chr(92) * 2)}" --detail low'),
    ({"images": "https://example.org/a.png"}, "--image https://example.org/a.png"),
    ({"audio_in": "question.wav"}, "--audio-in question.wav"),
    ({"images": "photo.png", "audio_in": "question.wav", "files": ["report.pdf", "file-1"]},
     "--image photo.png --audio-in question.wav --file report.pdf --file file-1"),
]  # fmt: skip


@pytest.mark.parametrize(("media", "flags"), WAYS)
@pytest.mark.parametrize("prompt", ["What is it?", "", "a\n\n"])
def test_what_came_from_files_and_addresses_is_named_again(
    shell: Shell, server: ScriptedServer, media: dict[str, Any], flags: str, prompt: str
) -> None:
    draft = Draft(messages=[asked(prompt, **media)], fields={"temperature": 0})
    cell = as_cell(draft)
    assert cell.partition("\n")[0] == f"%%chat --stateless --temperature 0 {flags}"
    assert read_cell(cell) == draft
    shell.ask(cell)
    assert server.requests[0].body["messages"] == draft.messages


def test_what_came_from_a_variable_is_named_again(shell: Shell, server: ScriptedServer) -> None:
    shell.ip.push({"photo": picture()})
    shell.ask("%%chat --image photo -o run\nWhat is it?")
    cell = as_cell(draft_of(shell["run"]))
    assert cell == "%%chat --stateless --profile openai --image photo\nWhat is it?"
    shell.ask(cell)
    assert server.requests[0].body == server.requests[1].body


def _turned(message: dict[str, Any]) -> dict[str, Any]:
    return {**message, "content": message["content"][::-1]}


def _named(message: dict[str, Any]) -> dict[str, Any]:
    return {**message, "name": "ada"}


def _whole(message: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "text", "text": "x"}, *message["content"]]}


@pytest.mark.parametrize("change", [_turned, _named, _whole])
def test_what_no_flag_would_make_again_stands_in_the_messages(
    shell: Shell, server: ScriptedServer, change: Any
) -> None:
    draft = Draft(messages=[change(asked("Hi", images="photo.png"))])
    cell = as_cell(draft)
    assert "--messages" in cell
    assert "--image" not in cell
    shell.ask(cell)
    assert server.requests[0].body["messages"] == draft.messages


def test_a_file_that_has_changed_or_gone_is_sent_as_it_was() -> None:
    draft = Draft(messages=[asked("Hi", images="photo.png")])
    for change in (lambda p: p.write_bytes(picture(size=(2, 2))), lambda p: p.unlink()):
        change(Path("photo.png"))
        assert "--image" not in as_cell(draft)
        assert read_cell(as_cell(draft)) == draft


def test_attachments_without_a_text_are_not_put_on_the_turn_before() -> None:
    before = {"role": "user", "content": "Hi"}
    draft = Draft(messages=[before, asked("", images="photo.png")])
    assert read_cell(as_cell(draft)) == draft
    spoken = Draft(messages=[before, asked("And?", images="photo.png")])
    assert "--image photo.png --messages" in as_cell(spoken)
    assert read_cell(as_cell(spoken)) == spoken


def test_a_run_with_a_picture_goes_back_to_the_picture(server: ScriptedServer) -> None:
    run = nbchat.chat("What is it?", images="photo.png", system="Be brief.")
    cell = as_cell(draft_of(run))
    assert cell == (
        "%%chat --stateless --profile openai --system 'Be brief.' --image photo.png\nWhat is it?"
    )
