from __future__ import annotations

from typing import Any

import pytest

from nbchat.api.response import Choice, Completion, ResponseMessage
from nbchat.display.pace import Painter
from nbchat.display.run_bundle import mimebundle
from nbchat.display.terminal import PlainReply
from nbchat.display.tool_calls import round_bundle
from nbchat.run import Run
from nbchat.tools import Call
from nbchat.tools.calls import round_of
from tests.display.fakes import Cell, reply_in, run_of

NASTY = "<img src=x onerror=alert(1)>\n\n# no heading\n</pre></details><script>"


def asking(text: str | None, *calls: tuple[str, str]) -> Completion:
    asked = [
        {"id": f"c{n}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for n, (name, arguments) in enumerate(calls)
    ]
    message = ResponseMessage(content=text, tool_calls=asked)
    return Completion(choices=[Choice(0, message, "tool_calls")])


def play(run: Run, reply: Any, frame: Any) -> None:
    """One round with two calls, with a frame wherever something changes, and the final reply."""
    run.completion = asking("Let me *look*.", ("look", '{"at": '))
    frame()
    run.completion = asking("Let me *look*.", ("look", '{"at": "a"}'), ("fail", "{}"))
    frame()
    begun = round_of(run.completion)
    run.rounds.append(begun)
    frame()
    begun.calls[0].result, begun.calls[0].elapsed_s = "seen", 0.25
    frame()
    begun.calls[1].error = f"ValueError: {NASTY}"
    frame()
    run.completion = Completion(model="m")
    begun.is_answered = True
    frame()
    run.completion = Completion(
        model="m", choices=[Choice(0, ResponseMessage(content="It is **there**."), "stop")]
    )
    frame()
    run.status = "complete"
    reply.finish(run)


@pytest.mark.parametrize("owns_cell", [True, False])
def test_calls_are_shown_as_they_come_and_stand_above_the_reply(owns_cell: bool) -> None:
    cell = Cell()
    painter = Painter(cell.clock, has_thread=False)
    reply, run = reply_in(cell, painter, owns_cell=owns_cell), run_of()
    frames: list[str] = []

    def frame() -> None:
        reply.update(run)
        reply.paint()
        frames.append(" | ".join(data.get("text/plain", "") for data in cell.outputs))

    play(run, reply, frame)
    assert 'look({"at": ' in frames[0]
    assert "seen" not in frames[2]
    assert "seen · 0.25 s" in frames[3]
    assert cell.markdown == ["Let me *look*.", "It is **there**."]
    kinds = ["text/markdown" if "text/markdown" in data else "text/html" for data in cell.outputs]
    assert kinds == ["text/markdown", "text/html", "text/markdown", "text/html"]
    calls = cell.outputs[1]["text/html"]
    assert calls.count("<details>") == 2
    assert "<img" not in calls
    assert "<script" not in calls
    assert "2 calls" in cell.outputs[3]["text/plain"]


@pytest.mark.parametrize("owns_cell", [True, False])
def test_calls_take_the_place_of_a_status_line(owns_cell: bool) -> None:
    cell = Cell()
    reply = reply_in(cell, Painter(cell.clock, has_thread=False), owns_cell=owns_cell)
    run = run_of()
    reply.status("Starting…")
    reply.paint()
    run.completion = asking(None, ("look", "{}"))
    reply.update(run)
    reply.paint()
    assert len(cell.outputs) == 2  # with the line that it still goes on
    assert "Starting" not in str(cell.outputs)
    run.rounds.append(round_of(run.completion))
    run.rounds[0].calls[0].error = "It was interrupted."
    run.status = "interrupted"
    reply.finish(run)
    assert len(cell.outputs) == 2
    assert "It was interrupted." in cell.outputs[0]["text/html"]
    assert "interrupted" in cell.outputs[1]["text/plain"]


def test_long_arguments_cost_no_more_than_their_end_in_a_frame() -> None:
    cell = Cell()
    reply = reply_in(cell, Painter(cell.clock, has_thread=False))
    run = run_of()
    run.completion = asking(None, ("write", "x" * 50_000))
    reply.update(run)
    reply.paint()
    assert len(cell.outputs[0]["text/html"]) < 3_000


def test_a_run_as_a_value_shows_its_calls_and_nothing_in_them_acts() -> None:
    run = run_of("Done.", status="complete")
    run.rounds.append(round_of(asking(None, (f"f{NASTY}", NASTY))))
    run.rounds[0].calls[0].result = NASTY
    run.rounds[0].is_answered = True
    bundle = mimebundle(run)
    calls, reply = bundle["text/markdown"].split("\n\n")[:2]
    assert calls.startswith("<details>")
    assert reply == "Done."
    assert "<img" not in bundle["text/markdown"]
    assert "text/html" not in bundle
    assert "Done." in bundle["text/plain"]


def test_control_characters_and_lone_surrogates_are_made_visible() -> None:
    asked = round_of(asking(None, ("f", '{"a": "\\ud800"}')))
    asked.calls[0].result = "\x1b[2J"
    bundle = round_bundle(asked)
    assert "\x1b" not in bundle["text/html"] + bundle["text/plain"]
    bundle["text/html"].encode()


def test_a_terminal_gets_the_calls_as_lines(capsys: pytest.CaptureFixture[str]) -> None:
    painter = Painter(has_thread=False)
    reply, run = PlainReply(painter=painter), run_of()

    def frame() -> None:
        reply.update(run)
        reply.paint()

    play(run, reply, frame)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["Let me *look*.", 'look({"at": "a"}) → seen · 0.25 s']
    assert lines[-2] == "It is **there**."


def test_a_call_is_open_until_something_came_of_it() -> None:
    call = Call("c", "f", "{}")
    assert call.is_open
    call.result = ""
    assert not call.is_open
