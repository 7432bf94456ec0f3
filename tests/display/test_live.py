from __future__ import annotations

import threading
from typing import Any

import pytest

from nbchat.api.response import Choice, ResponseMessage
from nbchat.display.pace import Painter
from nbchat.display.still_streaming import LINE
from nbchat.run import Run
from tests.display.fakes import Cell, Clock, grow, play, reply_in, run_of

PROSE = (
    "## A heading\n\nThe sky is blue because air scatters *short* waves more than long ones, "
    "and `sunlight` holds both.\n\n- one reason, and then some\n- another — “quoted”\n\n"
    "| a | b |\n|---|---|\n| 1 | 2 |\n\n```python\nfor x in range(3):\n    print(x)\n```\n\n"
)


def tokens(count: int, *, is_fence: bool = False) -> list[str]:
    """About four characters each, as tokens of English are."""
    text = "```python\n" + "x = 1 + 2  # sum\n" * count if is_fence else PROSE * count
    return [text[place : place + 4] for place in range(0, 4 * count, 4)]


def streamed(pieces: list[str], *, owns_cell: bool = True, speed: float = 100) -> Cell:
    clock = Clock()
    cell, painter = Cell(clock), Painter(clock, has_thread=False)
    play(
        [(reply_in(cell, painter, owns_cell=owns_cell), run_of(""), pieces)],
        painter, clock, speed,
    )  # fmt: skip
    return cell


@pytest.mark.parametrize("owns_cell", [True, False])
@pytest.mark.parametrize("is_fence", [True, False])
@pytest.mark.parametrize(("count", "most"), [(4_000, 500_000), (10_000, 1_300_000)])
def test_the_traffic_of_a_reply_stays_within_its_bounds(
    count: int, most: int, is_fence: bool, owns_cell: bool
) -> None:
    pieces = tokens(count, is_fence=is_fence)
    cell = streamed(pieces, owns_cell=owns_cell)
    assert cell.bytes <= most
    assert len(cell.messages) <= 500 * count / 4_000
    assert cell.most_in_a_second() <= 12
    assert cell.markdown == ["".join(pieces)]


def test_a_slow_reply_is_shown_token_by_token() -> None:
    cell = streamed([f"word{n} " for n in range(40)], speed=5)
    assert len(cell.messages) >= 40


def test_a_reply_in_its_own_cell_sends_each_finished_block_once() -> None:
    cell = streamed(tokens(400))
    *blocks, line = cell.cleared
    assert line["text/plain"] == LINE
    assert "".join(tokens(400)).startswith("".join(block["text/markdown"] for block in blocks))
    assert len(blocks) > 5
    first = [data for _, _, data in cell.messages if data.get("text/markdown", "").startswith("##")]
    assert sum(data == blocks[0] for data in first) == 1


@pytest.mark.parametrize("owns_cell", [True, False])
def test_what_is_cut_off_says_that_it_went_on(owns_cell: bool) -> None:
    cell = Cell()
    painter = Painter(cell.clock, has_thread=False)
    reply, run = reply_in(cell, painter, owns_cell=owns_cell), run_of("")
    for text in ("One.", "One.\n\nTwo.", "One.\n\nTwo.\n\n```\nx = 1\n```\n\nThree <b>"):
        grow(run, text)
        reply.update(run)
        reply.paint()
        *shown, line = cell.outputs
        assert line["text/plain"] == LINE
        assert "nbchat.runs()" in line["text/html"]
        assert "".join(data["text/plain"] for data in shown) == text
        assert LINE not in str(shown)
    run.status = "complete"
    reply.finish(run)
    assert LINE not in str(cell.outputs)
    assert len(cell.outputs) == 2


def test_in_the_end_its_cell_holds_one_markdown_output_and_the_grey_line() -> None:
    cell = streamed(tokens(100))
    whole, grey = cell.outputs
    assert whole["text/markdown"] == whole["text/plain"] == "".join(tokens(100))
    assert "smollm2-135m" in grey["text/html"]
    assert "text/markdown" not in grey


def test_in_a_cell_with_other_outputs_nothing_is_ever_cleared() -> None:
    cell = streamed(tokens(400), owns_cell=False)
    assert {kind for _, kind, _ in cell.messages} == {"display", "update"}
    assert len(cell.outputs) == 2


def test_the_outputs_of_others_in_the_cell_stay() -> None:
    cell = Cell()
    cell.publish({"text/plain": "theirs"}, {})
    reply = reply_in(cell, Painter(cell.clock, has_thread=False), owns_cell=False)
    reply.status("waiting")
    reply.paint()
    reply.finish(run_of("Hi", status="complete"))
    assert [data["text/plain"] for data in cell.outputs][:2] == ["theirs", "Hi"]


def test_updates_are_coalesced() -> None:
    cell = streamed([f"{n} " for n in range(1_000)], speed=1_000)
    assert len(cell.messages) < 20


def test_the_final_text_is_the_reply_byte_for_byte() -> None:
    text = "  \r\n<script>alert(1)</script>\n\n```\nopen \x1b[31m\n\n\n"
    for owns_cell in (True, False):
        assert streamed(list(text), owns_cell=owns_cell).markdown == [text]


def test_thirty_two_replies_at_once_stay_below_sixty_messages_a_second() -> None:
    clock = Clock()
    cell, painter = Cell(clock), Painter(clock, has_thread=False)
    streams = [
        (reply_in(cell, painter, owns_cell=False), run_of(""), tokens(200)) for _ in range(32)
    ]
    play(streams, painter, clock)
    assert cell.most_in_a_second() <= 60
    assert cell.markdown == ["".join(tokens(200))] * 32


def test_the_painter_never_touches_a_reply_that_is_finished() -> None:
    cell = Cell()
    painter = Painter(cell.clock, has_thread=False)
    reply, run = reply_in(cell, painter), run_of("text", status="complete")
    reply.update(run)
    reply.finish(run)
    sent = len(cell.messages)
    grow(run, "text and more")
    reply.paint()
    cell.clock.now += 10
    painter.step()
    assert len(cell.messages) == sent


def test_a_reply_that_comes_at_once_is_shown_without_clearing() -> None:
    cell = Cell()
    reply_in(cell, Painter(cell.clock, has_thread=False)).finish(run_of("Hi", status="complete"))
    assert [kind for _, kind, _ in cell.messages] == ["display", "display"]


@pytest.mark.parametrize("owns_cell", [True, False])
def test_several_choices_stand_one_below_the_other_with_captions(owns_cell: bool) -> None:
    cell = Cell()
    painter = Painter(cell.clock, has_thread=False)
    reply, run = reply_in(cell, painter, owns_cell=owns_cell), run_of("", "", "")
    reply.update(run)
    for choice, text in ((2, "third"), (0, "first"), (1, "second")):
        grow(run, text, choice)
        reply.paint()
    while_it_comes = [next(iter(data.values())) for data in cell.outputs]
    assert while_it_comes[1::2] == ["first", "second", "third"]
    run.status = "complete"
    reply.finish(run)
    assert cell.markdown == ["first", "second", "third"]
    assert [d["text/plain"] for d in cell.outputs][0:6:2] == ["choice 0", "choice 1", "choice 2"]
    assert len(cell.outputs) == 7


def test_very_many_choices_do_not_make_a_burst() -> None:
    cell = Cell()
    painter = Painter(cell.clock, has_thread=False)
    reply, run = reply_in(cell, painter, owns_cell=False), run_of(*[f"t{n}" for n in range(100)])
    reply.update(run)
    for _ in range(200):
        cell.clock.now += painter.step() or 0.0
    run.status = "complete"
    reply.finish(run)
    assert cell.most_in_a_second() <= 60
    assert cell.markdown == [f"t{n}" for n in range(100)]


@pytest.mark.parametrize("owns_cell", [True, False])
def test_a_status_line_shows_while_nothing_has_come_and_is_gone_at_the_end(owns_cell: bool) -> None:
    cell = Cell()
    reply = reply_in(cell, Painter(cell.clock, has_thread=False), owns_cell=owns_cell)
    reply.status("starting <the> model")
    reply.paint()
    assert "starting &lt;the&gt; model" in cell.outputs[0]["text/html"]
    run = run_of("Hello")
    reply.update(run)
    reply.paint()
    assert [data["text/plain"] for data in cell.outputs] == ["Hello", LINE]
    run.status = "complete"
    reply.finish(run)
    assert "starting" not in str(cell.outputs)
    assert cell.markdown == ["Hello"]


@pytest.mark.parametrize("owns_cell", [True, False])
def test_an_error_before_any_text_leaves_no_status_line(owns_cell: bool) -> None:
    cell = Cell()
    reply = reply_in(cell, Painter(cell.clock, has_thread=False), owns_cell=owns_cell)
    reply.status("waiting 3 s")
    reply.paint()
    run = Run(messages=[], params=run_of().params)
    run.status = "error"
    reply.finish(run)
    cell.publish({"text/plain": "the error"}, {})
    assert "waiting" not in str(cell.outputs)


@pytest.mark.parametrize("status", ["interrupted", "error"])
def test_a_reply_that_was_cut_off_keeps_its_text_and_says_so(status: str) -> None:
    cell = Cell()
    painter = Painter(cell.clock, has_thread=False)
    reply, run = reply_in(cell, painter), run_of("Half of")
    reply.update(run)
    reply.paint()
    run.status = status  # type: ignore[assignment]
    reply.finish(run)
    assert cell.markdown == ["Half of"]
    assert cell.outputs[-1]["text/plain"].endswith(status)


def test_a_refusal_is_shown_where_there_is_no_content() -> None:
    cell = Cell()
    run = run_of("", status="complete")
    assert run.completion is not None
    run.completion.choices = [Choice(0, ResponseMessage(refusal="I will not."), "stop")]
    reply_in(cell, Painter(cell.clock, has_thread=False)).finish(run)
    assert cell.markdown == ["I will not."]
    assert cell.outputs[-1]["text/plain"].endswith("refusal")


def test_reasoning_is_not_mixed_into_the_reply() -> None:
    cell = Cell()
    run = run_of("42", status="complete")
    run.message.reasoning = "let me think"
    reply_in(cell, Painter(cell.clock, has_thread=False)).finish(run)
    assert cell.markdown == ["42"]
    assert run.text == "42"


@pytest.mark.parametrize("owns_cell", [True, False])
def test_reasoning_is_counted_while_it_comes_and_then_folded_above_the_reply(
    owns_cell: bool,
) -> None:
    cell = Cell()
    painter = Painter(cell.clock, has_thread=False)
    reply, run = reply_in(cell, painter, owns_cell=owns_cell), run_of("")
    run.message.reasoning = "<b>\n\n" * 246 + "12345"
    reply.update(run)
    reply.paint()
    assert [data["text/plain"] for data in cell.outputs] == ["reasoning… 1,235 characters"]
    grow(run, "42")
    reply.paint()
    run.message.reasoning += "!"
    run.status = "complete"
    reply.finish(run)
    thought, whole, _ = cell.outputs
    assert thought["text/html"].startswith("<details><summary>reasoning · 1,236 characters<")
    assert "<b>" not in thought["text/html"]
    assert whole["text/markdown"] == "42"


@pytest.mark.parametrize("owns_cell", [True, False])
def test_each_choice_has_its_own_reasoning_above_it(owns_cell: bool) -> None:
    cell = Cell()
    painter = Painter(cell.clock, has_thread=False)
    reply, run = reply_in(cell, painter, owns_cell=owns_cell), run_of("", "")
    assert run.completion is not None
    for choice in run.completion.choices:
        choice.message.reasoning = f"thought {choice.index}"
    grow(run, "second", 1)
    reply.update(run)
    reply.paint()
    grow(run, "first", 0)
    run.status = "complete"
    reply.finish(run)
    shown = str(cell.outputs)
    places = [shown.index(text) for text in ("thought 0", "first", "thought 1", "second")]
    assert places == sorted(places)
    assert cell.markdown == ["first", "second"]


def test_reasoning_without_a_reply_is_kept() -> None:
    cell = Cell()
    run = run_of("", status="interrupted")
    run.message.reasoning = "let me think"
    reply_in(cell, Painter(cell.clock, has_thread=False)).finish(run)
    assert "let me think" in cell.outputs[0]["text/html"]


@pytest.mark.parametrize("owns_cell", [True, False])
def test_an_interrupt_in_the_last_frame_still_shows_the_whole_reply_once(owns_cell: bool) -> None:
    cell = Cell()
    painter = Painter(cell.clock, has_thread=False)
    reply, run = reply_in(cell, painter, owns_cell=owns_cell), run_of("Hel")
    reply.update(run)
    reply.paint()
    grow(run, "Hello")
    pauses = iter(range(10))

    def interrupted(_: float) -> None:
        if next(pauses) == 1:
            raise KeyboardInterrupt

    reply._sleep = interrupted
    with pytest.raises(KeyboardInterrupt):
        reply.finish(run)
    assert cell.markdown == ["Hello"]
    assert len(cell.outputs) == 2


def test_a_chunk_costs_next_to_nothing_while_a_frame_is_due() -> None:
    class Unread:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError(f"the run's {name} was read for a chunk")

    cell = Cell()
    reply = reply_in(cell, Painter(cell.clock, has_thread=False))
    for _ in range(3):
        reply.update(Unread())  # type: ignore[arg-type]


def test_frames_are_sent_in_the_context_of_the_cell_that_asked() -> None:
    import contextvars

    cell_id = contextvars.ContextVar[str]("cell_id")
    seen: list[str] = []

    class Pub(Cell):
        def publish(self, *args: Any, **kwargs: Any) -> None:
            seen.append(cell_id.get("none"))
            super().publish(*args, **kwargs)

    cell = Pub()
    cell_id.set("A")
    reply = reply_in(cell, Painter(cell.clock, has_thread=False))
    cell_id.set("B")
    reply.update(run_of("text"))
    thread = threading.Thread(target=reply.paint)
    thread.start()
    thread.join()
    assert set(seen) == {"A"}


def test_that_a_token_is_waited_for_does_not_stand_above_a_question_for_a_key() -> None:
    cell = Cell()
    reply = reply_in(cell, Painter(cell.clock, has_thread=False))
    reply.status(" ")  # what says that something is asked
    reply._say_waiting()
    reply.paint()
    assert "waiting" not in str(cell.outputs)
    reply.status("")
    reply.finish(run_of("Hi", status="complete"))
    assert [data["text/plain"] for data in cell.outputs][:1] == ["Hi"]
