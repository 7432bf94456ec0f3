from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat.api.inline_reasoning import parted
from nbchat.api.response import Choice, ResponseMessage
from nbchat.display.inline_reasoning import without_inline_reasoning
from nbchat.display.pace import Painter
from nbchat.display.run_bundle import mimebundle
from tests.display.fakes import Cell, play, reply_in, run_of

THINKING = "<think>\nlet me\n\nsee\n</think>\n\nIt is **42**."


@pytest.mark.parametrize(
    ("text", "thought", "rest"),
    [
        (THINKING, "let me\n\nsee", "It is **42**."),
        ("\n\n<thinking>a</thinking>b", "a", "b"),
        ("<think></think>b", "", "b"),
        ("<think>cut of", "cut of", ""),
        ("<think>a</thinking>b</think>c", "a</thinking>b", "c"),
        ("Say <think>a</think>", "", "Say <think>a</think>"),
        ("`<think>` is a tag", "", "`<think>` is a tag"),
        ("<thin", "", "<thin"),
        ("  text", "", "  text"),
        ("", "", ""),
    ],
)
def test_what_is_thought_at_the_beginning_is_told_from_the_reply(
    text: str, thought: str, rest: str
) -> None:
    assert parted(text) == (thought, rest)


@given(st.text(st.sampled_from("<think>/ \nab")))
def test_a_beginning_that_may_become_a_tag_is_held_back_while_it_grows(text: str) -> None:
    for end in range(len(text)):
        assert len(parted(text[:end], is_growing=True)[1]) <= len(text)
        if not parted(text)[0] and parted(text)[1] == text:
            assert text.startswith(parted(text[:end], is_growing=True)[1])


@pytest.mark.parametrize("owns_cell", [True, False])
def test_it_is_folded_above_the_reply_and_the_run_keeps_what_came(owns_cell: bool) -> None:
    cell, run = Cell(), run_of("")
    painter = Painter(cell.clock, has_thread=False)
    reply = reply_in(cell, painter, owns_cell=owns_cell)
    play([(reply, run, [*THINKING])], painter, cell.clock, tokens_per_s=8)
    thought, text, grey = cell.outputs
    assert "<summary>reasoning · 11 characters</summary>" in thought["text/html"]
    assert text["text/markdown"] == text["text/plain"] == "It is **42**."
    assert "smollm2" in grey["text/plain"]
    assert run.text == THINKING
    frames = [str(data) for _, _, data in cell.messages]
    assert not any("<thi" in frame for frame in frames)
    assert any("reasoning… " in frame for frame in frames)
    bundle = mimebundle(run)
    assert bundle["text/plain"].startswith("reasoning · 11 characters\n\nIt is **42**.\n\n")


def test_reasoning_that_the_server_gave_comes_first() -> None:
    message = ResponseMessage(content="<think>b</think>c", reasoning="a")
    (choice,) = without_inline_reasoning([Choice(0, message, "stop")])
    assert (choice.message.reasoning, choice.message.content) == ("a\n\nb", "c")
    assert message.content == "<think>b</think>c"


def test_a_reply_that_only_thought_is_an_empty_one() -> None:
    bundle = mimebundle(run_of("<think>a</think>", status="complete"))
    assert bundle["text/plain"].endswith("empty reply")
