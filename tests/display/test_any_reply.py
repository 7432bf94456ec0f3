"""Whatever a model writes is shown: as text that cannot act, whole, and in bounded time."""

from __future__ import annotations

import html
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from nbchat.display.blocks import MarkdownBlocks
from nbchat.display.characters import encodable, visible
from nbchat.display.formulas import acts, pieces
from nbchat.display.last_frame import last_frame
from nbchat.display.pace import Painter
from nbchat.display.page import Page
from nbchat.display.reply import reply_bundle
from nbchat.display.run_bundle import mimebundle
from nbchat.display.sanitise import as_html, is_harmless, open_html
from nbchat.widgets.explorer.feed import _ChoiceFeed
from tests.cases.replies import ACTING, HEAVY, HOSTILE, Reply
from tests.display.fakes import Cell, grow, play, reply_in, run_of
from tests.display.inert import commands_with_effects, what_acts
from tests.fuzzing import examples

CASES = [pytest.param(case, id=case.name) for case in HOSTILE + ACTING]
FRAGMENTS = st.sampled_from([case.text for case in HOSTILE + ACTING] + [*HEAVY.values(), "\n\n"])
anything = st.one_of(
    st.lists(st.one_of(FRAGMENTS, st.text(st.characters(), max_size=8)), max_size=6).map("".join),
    st.text(st.sampled_from("$\\()[]{}`~<>&;!#*_|-\n a1def\ufdd0\ufdd1")),
)
few = examples(60)


class AsFrontEndsDo(MarkdownIt):
    """Markdown as notebooks render it: HTML as it stands, addresses of every kind."""

    def validateLink(self, url: str) -> bool:  # noqa: N802 - the library's name
        return True


FRONT_END = AsFrontEndsDo("commonmark", {"html": True}).enable(["table", "strikethrough"])


def what_acts_in(bundle: dict[str, Any]) -> list[str]:
    """What a front end would do with an output: HTML comes first, then Markdown."""
    if "text/html" in bundle:
        return what_acts(bundle["text/html"])
    return what_acts(FRONT_END.render(bundle.get("text/markdown", "")))


@pytest.mark.parametrize("case", CASES)
def test_a_hostile_reply_is_shown_whole_and_does_not_act(case: Reply) -> None:
    run = run_of(case.text, status="complete")
    assert run.completion is not None
    bundle = reply_bundle(run, run.completion.choices[0])
    assert bundle["text/markdown"] == case.text
    assert bundle["text/plain"] == visible(case.text)
    assert what_acts_in(bundle) == []


@pytest.mark.parametrize("case", CASES)
def test_so_it_is_in_the_view_of_a_run_with_calls_and_thoughts_around_it(case: Reply) -> None:
    run = run_of(case.text, case.text, status="complete")
    assert run.completion is not None
    run.completion.model = case.text
    run.completion.choices[0].message.reasoning = case.text
    run.notes = [case.text]
    bundle = mimebundle(run)
    assert what_acts_in(bundle) == []
    assert visible(case.text) in bundle["text/plain"]


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in ACTING])
def test_a_formula_that_acts_is_legible_all_the_same(case: Reply) -> None:
    if "&" not in case.text:
        assert "\\" in html.unescape(as_html(case.text))
    assert not is_harmless(case.text)


def test_every_command_of_jupyterlabs_mathjax_that_has_effects_is_known() -> None:
    assert [name for name in sorted(commands_with_effects()) if not acts(f"\\{name}")] == []


@pytest.mark.parametrize(
    "formula",
    [r"\alpha", r"\frac{a}{b} \\ c", r"\left( x \right)", r"\text{let x}", r"\delta \Letter",
     r"\newline", r"\classy", r"\operatorname{def}"],
)  # fmt: skip
def test_formulas_that_only_typeset_stay_formulas(formula: str) -> None:
    assert f"<span>\\({formula}\\)</span>" in html.unescape(as_html(f"\\({formula}\\) <b>"))


@few
@given(anything)
def test_any_text_is_shown_as_html_that_does_not_act(text: str) -> None:
    assert what_acts(as_html(text)) == []
    assert what_acts(open_html(text)) == []


@few
@given(anything)
def test_what_is_left_to_the_front_end_does_not_act_there(text: str) -> None:
    if is_harmless(text):
        assert what_acts(FRONT_END.render(text)) == []


@few
@given(anything)
def test_the_view_of_a_run_holds_any_text(text: str) -> None:
    run = run_of(text, status="complete")
    bundle = mimebundle(run)
    assert what_acts_in(bundle) == []
    assert bundle["text/plain"].startswith(visible(text))


@few
@given(anything, st.lists(st.integers(1, 12), max_size=40), st.booleans())
def test_any_text_in_any_deltas_ends_as_the_reply(
    text: str, sizes: list[int], owns_cell: bool
) -> None:
    deltas, place = [], 0
    for size in [*sizes, len(text)]:
        deltas.append(text[place : place + size])
        place += size
    check_the_stream(deltas, owns_cell=owns_cell)


@pytest.mark.long
@pytest.mark.parametrize("owns_cell", [True, False])
@pytest.mark.parametrize("case", CASES)
def test_a_hostile_reply_in_deltas_acts_in_no_frame(case: Reply, owns_cell: bool) -> None:
    check_the_stream([*case.text], owns_cell=owns_cell)


def check_the_stream(deltas: list[str], *, owns_cell: bool) -> None:
    text, cell = "".join(deltas), Cell()
    painter = Painter(cell.clock, has_thread=False)
    reply = reply_in(cell, painter, owns_cell=owns_cell)
    play([(reply, run_of(""), deltas)], painter, cell.clock, tokens_per_s=8)
    assert cell.markdown == ([encodable(text)] if text else [])
    for _, _, data in cell.messages:
        assert what_acts_in(data) == []
        assert all(value.encode() is not None for value in data.values())


@few
@given(anything, st.lists(st.integers(1, 12), max_size=40))
def test_the_panel_ends_with_the_same_html_however_it_came(text: str, sizes: list[int]) -> None:
    run = run_of("")
    assert run.completion is not None
    feed, shown, place = _ChoiceFeed(0), [], 0
    for size in [*sizes, len(text), len(text)]:
        place += size
        grow(run, text[:place])
        news = feed.take(run.completion.choices[0], is_whole=place > len(text))
        shown += news.get("html", [])
    assert what_acts("".join(feed.whole()["html"])) == []


@few
@given(anything)
def test_pieces_joined_are_the_text(text: str) -> None:
    assert "".join(piece.text for piece in pieces(text)) == text


def test_a_fault_in_the_rendering_still_shows_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RecursionError

    monkeypatch.setattr("nbchat.display.sanitise.pieces", broken)
    shown = as_html("a <b> c")
    assert "a &lt;b&gt; c" in shown
    assert "could not be rendered" in shown


@pytest.mark.parametrize("owns_cell", [True, False])
def test_a_fault_anywhere_else_still_shows_the_text_and_says_why(owns_cell: bool) -> None:
    run = run_of("the <b> reply", status="complete")
    run.notes = None  # type: ignore[assignment]
    cell = Cell()
    reply_in(cell, Painter(cell.clock, has_thread=False), owns_cell=owns_cell).finish(run)
    for bundle in (cell.outputs[-1], mimebundle(run)):
        assert "the &lt;b&gt; reply" in bundle["text/html"]
        assert "shown as plain text" in bundle["text/html"]
        assert bundle["text/plain"].startswith("the <b> reply")


@pytest.mark.long
# a quadratic way through so much takes minutes, a linear one half a second
@pytest.mark.timeout(30)
@pytest.mark.parametrize("owns_cell", [True, False])
@pytest.mark.parametrize("name", HEAVY)
def test_a_long_reply_of_anything_is_shown_in_linear_time(name: str, owns_cell: bool) -> None:
    text = "<b>" + HEAVY[name] * (300_000 // len(HEAVY[name]))
    page, run = Page(owns_cell=owns_cell), run_of("")
    for end in (len(text) // 2, len(text) // 2 + 4, len(text)):
        grow(run, text[:end])
        while [*page.frame(run)] and page.is_behind:
            pass
    assert last_frame(page, run)[-2].data["text/markdown"] == text
    is_harmless(text)
    pieces(text)


@pytest.mark.parametrize("owns_cell", [True, False])
@pytest.mark.parametrize("name", HEAVY)
def test_a_frame_looks_at_a_bounded_part_of_what_came(
    name: str, owns_cell: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def counted(text: str, *rest: object) -> Any:
        sizes.append(len(text))
        return render(text, *rest)

    def fed(blocks: MarkdownBlocks, piece: str) -> list[str]:
        sizes.append(len(piece))
        return feed(blocks, piece)

    from nbchat.display import sanitise

    render, feed = sanitise._rendered, MarkdownBlocks.feed
    monkeypatch.setattr(sanitise, "_rendered", counted)
    monkeypatch.setattr(MarkdownBlocks, "feed", fed)
    text = "<b>" + HEAVY[name] * (300_000 // len(HEAVY[name]))
    page, run = Page(owns_cell=owns_cell), run_of(text)
    for _ in range(2):
        sizes.clear()
        list(page.frame(run))
        assert sum(sizes) < 60_000
