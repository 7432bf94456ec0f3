from __future__ import annotations

import io
import sys

import pytest

from nbchat import display
from nbchat.display.pace import Painter
from nbchat.display.terminal import PlainReply
from tests.display.fakes import Clock, grow, run_of


def test_outside_a_notebook_the_text_streams_plainly(capsys: pytest.CaptureFixture[str]) -> None:
    reply, run = PlainReply(painter=Painter(Clock(), has_thread=False)), run_of("")
    shown = []
    for text in ("Hel", "Hello", "Hello there"):
        grow(run, text)
        reply.update(run)
        reply.paint()
        shown.append(capsys.readouterr().out)
    assert shown == ["Hel", "lo", " there"]
    run.status = "complete"
    reply.finish(run)
    assert capsys.readouterr().out == "\nsmollm2-135m · 36 → 87 tokens\n"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_stream_that_lacks_a_character_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    reply = PlainReply()
    reply.status("waiting…")
    reply.finish(run_of("so → 日本 go", status="complete"))
    assert written.getvalue().startswith(b"so ? ?? go\nsmollm2-135m ")


def test_what_is_waited_for_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    PlainReply().status("waiting 3 s")
    assert capsys.readouterr() == ("", "waiting 3 s\n")


def test_the_other_choices_follow_with_captions(capsys: pytest.CaptureFixture[str]) -> None:
    PlainReply().finish(run_of("one", "two", status="complete"))
    assert capsys.readouterr().out.startswith("one\n\nchoice 1\ntwo\n")


def test_a_terminal_is_not_told_what_to_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    PlainReply().finish(run_of("\x1b]0;title\x07", status="complete"))
    assert capsys.readouterr().out.startswith("␛]0;title␇\n")


def test_a_pipe_gets_the_reply_byte_for_byte(capsys: pytest.CaptureFixture[str]) -> None:
    PlainReply().finish(run_of("a\x1b[1m", status="complete"))
    assert capsys.readouterr().out.startswith("a\x1b[1m\n")


def test_plain_python_gets_the_plain_reply() -> None:
    assert isinstance(display.watch(), PlainReply)
