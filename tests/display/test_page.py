"""What stands on the page, as a state machine: runs go in, display messages come out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat.display.growing import Show
from nbchat.display.last_frame import last_frame
from nbchat.display.page import Page
from nbchat.run import Run
from nbchat.tools import Call, Round
from tests.display.fakes import grow, run_of
from tests.fuzzing import examples

TEXTS = ["one ", "two\n\n", "- a\n", "```\nx\n", "```\n", "<b>", "$5 and $6 ", "\n\n", ""]
#: what happens to a run, to which of its choices, and whether a frame is painted then
events = st.lists(
    st.tuples(
        st.sampled_from(["text", "reasoning", "status", "calls", "answered"]),
        st.integers(0, 2),
        st.sampled_from(TEXTS),
        st.booleans(),
    ),
    max_size=10,
)


class Outputs:
    """Folds display messages as a front end does, and refuses what none could follow."""

    def __init__(self) -> None:
        self.shown: dict[str, dict[str, str]] = {}

    def take(self, shows: Any) -> None:
        for data, display_id, is_update in shows:
            if is_update:
                assert display_id in self.shown, "an update of a display that is not there"
            else:
                assert display_id not in self.shown, "a display is shown twice"
            self.shown[display_id or f"anonymous {len(self.shown)}"] = data

    @property
    def plain(self) -> list[str]:
        return [
            data.get("text/plain", data.get("text/markdown", "")) for data in self.shown.values()
        ]


def happen(page: Page, run: Run, kind: str, choice: int, text: str, is_painted: bool) -> list[Show]:
    assert run.completion is not None
    choices = run.completion.choices
    message = choices[choice % len(choices)].message
    if kind in {"text", "reasoning"} and run.ends_in_calls:
        return []  # the reply that asked for calls is whole
    if kind == "text":
        grow(run, (message.content or "") + text, choice % len(choices))
    elif kind == "reasoning":
        message.reasoning = (message.reasoning or "") + text
    elif kind == "status":
        page.status = f"waiting {text.strip()}"
    elif kind == "calls" and len(choices) == 1 and not run.ends_in_calls:
        said = {"role": "assistant", "content": choices[0].message.content}
        call = Call("1", "f", f'{{"a": {len(run.rounds)}}}')
        run.rounds.append(Round(said, [call], run.completion))
    elif kind == "answered" and run.ends_in_calls:
        run.rounds[-1].is_answered = True
        run.completion = run_of(*[""] * len(choices)).completion
    return [*page.frame(run)] if is_painted else []


def words_of(outputs: Outputs) -> list[str]:
    """What is legible, without captions of choices that stayed empty."""
    captions = {f"choice {n}" for n in range(3)}
    lines = [line for text in outputs.plain for line in text.splitlines()]
    return [line for line in lines if line.strip() and line not in captions]


@pytest.mark.long
@examples(400)
@given(events, st.integers(1, 3), st.booleans())
def test_whatever_happened_the_end_shows_the_same(
    happened: list[tuple[str, int, str, bool]], n_choices: int, owns_cell: bool
) -> None:
    page, run, outputs = Page(owns_cell=owns_cell), run_of(*[""] * n_choices), Outputs()
    for event in happened:
        outputs.take(happen(page, run, *event))
    run.status = "complete"
    if page.has_to_be_cleared:
        outputs = Outputs()
    outputs.take(last_frame(page, run))
    anew = Outputs()
    anew.take(last_frame(Page(owns_cell=owns_cell), run))
    if owns_cell:
        assert outputs.plain == anew.plain
    # elsewhere a thought that came late may stand below its reply
    assert sorted(words_of(outputs)) == sorted(words_of(anew))


@examples(60)
@given(events, st.booleans())
def test_the_last_frame_leaves_the_page_as_it_was(
    happened: list[tuple[str, int, str, bool]], owns_cell: bool
) -> None:
    page, run = Page(owns_cell=owns_cell), run_of("", "")
    for event in happened:
        happen(page, run, *event)
    once, again = ([(show.data, show.is_update) for show in last_frame(page, run)] for _ in "12")
    assert once == again


@pytest.mark.parametrize("owns_cell", [True, False])
def test_nothing_new_is_no_message(owns_cell: bool) -> None:
    page, run = Page(owns_cell=owns_cell), run_of("text")
    assert len([*page.frame(run)]) == 1
    assert [*page.frame(run)] == []


@pytest.mark.parametrize("size", [100, 100_000, 400_000])
@pytest.mark.parametrize("owns_cell", [True, False])
def test_a_burst_is_caught_up_with_in_frames_of_their_own(owns_cell: bool, size: int) -> None:
    text = "a <b> paragraph\n\n" * (size // 17)
    page, run, outputs = Page(owns_cell=owns_cell), run_of(text), Outputs()
    outputs.take(page.frame(run))
    n_frames = 1
    while page.is_behind:
        outputs.take(page.frame(run))
        n_frames += 1
    assert n_frames == max(1, -(-len(text) // 30_000))
    shown = "".join(data["text/html"] for data in outputs.shown.values())
    assert shown.count("a &lt;b&gt; paragraph") == size // 17


def test_a_text_sent_whole_is_markdown_for_as_long_as_it_is_harmless() -> None:
    page, run = Page(owns_cell=False), run_of("# one\n\n")
    kinds = []
    for piece in ["two\n\n", "costs $5\n\n", "<b>\n\n", "more"]:
        grow(run, run.text + piece)
        (show,) = page.frame(run)
        kinds.append(next(iter(show.data)))
    assert kinds == ["text/markdown", "text/markdown", "text/html", "text/html"]
    assert show.data["text/html"].startswith("<div><h1>one</h1>")


@pytest.mark.parametrize("owns_cell", [True, False])
def test_a_line_while_one_waits_is_replaced_by_what_comes(owns_cell: bool) -> None:
    page, outputs = Page(owns_cell=owns_cell), Outputs()
    page.status = "waiting"
    outputs.take(page.frame(None))
    outputs.take(page.frame(run_of("Hi")))
    assert outputs.plain == ["Hi"]
