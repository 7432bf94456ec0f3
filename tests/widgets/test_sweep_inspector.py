"""The sweep inspector without a browser: from a cell to its rows, from a row to its run."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pandas as pd
import pytest

import nbchat
from nbchat import evaluators
from nbchat.errors import CheckError
from nbchat.sweep.folder import Folder
from nbchat.sweep.parts import pack
from nbchat.widgets import stand_in
from nbchat.widgets import sweep_inspector_messages as messages
from nbchat.widgets.inspector import Inspector
from nbchat.widgets.protocol import SWEEP_INSPECTOR
from nbchat.widgets.sweep_inspector import SweepInspector, figure
from nbchat.widgets.sweep_inspector.figure import colour_at
from nbchat.widgets.sweep_inspector.rows import SIZE
from nbchat.widgets.sweep_inspector.shown_run import MOST_TEXT
from nbchat.widgets.sweep_inspector.words import compact
from tests.sweep.written import NOBODY, answer, failed, write_rows
from tests.widgets.messages import read

HOSTILE = "<img src=x onerror='alert(1)'>"
FRUITS = [{"thing": thing, "answer": "yes"} for thing in ("apple", "pear", "plum", "fig", "nut")]
Make = Callable[..., Any]


def reply(variables: dict[str, Any], _: Any) -> Any:
    """Say yes; at 1 no to the pear, fail for the plum, refuse the fig and leave out the nut."""
    thing = variables["thing"] if variables.get("temperature") == 1 else ""
    if thing == "plum":
        return failed(f"{HOSTILE} no plums")
    if thing == "nut":
        return None
    return answer({"pear": "no", "fig": ""}.get(thing, "yes"))


@pytest.fixture(autouse=True)
def loaded_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stand_in, "LOADED_WITHIN_S", 0)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def made(replies: Any = reply, **changes: Any) -> Any:
        arguments = {
            "data": FRUITS,
            "grid": {"temperature": [0, 1]},
            "repeats": 2,
            "folder": tmp_path / "study",
            "profile": NOBODY,
            "model": "m",
            "evaluate": {"right": evaluators.equals("{{ answer }}")},
        }
        sweep = nbchat.sweep("Fruit? {{ thing }}", **{**arguments, **changes})
        write_rows(sweep, replies)
        return sweep

    return made


class Page:
    """What a page of the panel asks and is told; each message is held against the declaration."""

    def __init__(self, panel: SweepInspector) -> None:
        self.panel = panel

    def ask(self, type: str, **content: Any) -> None:  # noqa: A002 - so the message calls it
        question = {"type": type, **content}
        read(question, SWEEP_INSPECTOR.page)
        self.panel._answer(self.panel, question, [])
        names = ("_figure", "_rows", "_run", "_work")
        self.figure, self.rows, self.run, self.work = map(self.told, names)

    def told(self, name: str) -> Any:
        """What the page is told, as JSON and as it is declared."""
        value = json.loads(json.dumps(getattr(self.panel, name), allow_nan=False))
        kinds = SWEEP_INSPECTOR.shared[name]
        return value if value is None else msgspec.convert(value, kinds[0])

    def list(self, cell: int, which: str = "all", other: int | None = None, start: int = 0) -> Any:
        self.ask("rows", cell=cell, which=which, other=other, start=start)
        assert self.work.sentence == ""
        return self.rows

    def cells(self) -> list[messages.Cell]:
        figure = self.told("_figure")
        lines = [line for multiple in figure.multiples for line in multiple.lines]
        return [cell for line in lines for cell in line.cells if cell is not None]


def opened(sweep: Any, **of: Any) -> Page:
    return Page(nbchat.inspect(sweep, **of))


def test_a_cell_says_what_the_table_says_and_what_is_missing(make: Make) -> None:
    sweep = make()
    page = opened(sweep)
    table = sweep.table(score="right")
    pd.testing.assert_frame_equal(page.panel._cells.table, table)
    sure, hot = page.cells()
    assert (sure.mean, sure.items, sure.lacking) == ("1", "5 items", "")
    assert sure.interval == f"{table['lo'][0]:.2g} to {table['hi'][0]:.2g}"
    assert (hot.mean, hot.items) == ("0.5", "2 items")
    assert hot.lacking == "2 failed, 2 refused, 2 not sent"
    assert hot.sentence.startswith("temperature 1: mean 0.5, interval")
    assert hot.sentence.endswith("2 items, 2 failed, 2 refused, 2 not sent of 10 rows")
    assert page.told("_figure").lacking.startswith("6 of 20 rows without a score (2 failed")
    assert page.told("_figure").status.startswith("18 of 20 rows at ")


def test_a_cell_leads_to_its_rows_and_a_row_to_its_run_and_back(make: Make) -> None:
    sweep = make()
    page = opened(sweep)
    seen: list[Any] = []
    page.panel.observe(lambda change: seen.append(change["new"]), "selected")
    rows = page.list(1)
    assert (rows.name, rows.total, rows.counts.wrong, rows.counts.missing) == (
        "temperature 1", 10, 2, 6,
    )  # fmt: skip
    assert [line.status for line in rows.lines[::2]] == [
        "answered", "answered", "error", "refused", "not sent",
    ]  # fmt: skip
    assert rows.lines[4].answer == f"BadRequestError: {HOSTILE} no plums"
    assert rows.lines[4].is_reason
    assert rows.lines[2].variables == "thing: pear · answer: yes"
    assert [line.kind for line in rows.lines[:5:2]] == ["right", "wrong", "missing"]
    assert {line.kind for line in page.list(1, "wrong").lines} == {"wrong"}
    rows = page.list(1)
    assert page.panel.selected == {"temperature": 1}
    assert len(sweep.rows(page.panel.selected)) == len(page.panel.rows)
    page.ask("run", row=rows.lines[3].row)
    assert page.panel.run is not None
    assert page.panel.run.id == sweep.run_of(rows.lines[3].row).id
    assert [one.text for one in (*page.run.messages, *page.run.answers)] == ["Fruit? pear", "no"]
    assert page.run.place == "row 4 of 10"
    assert (page.run.previous, page.run.next) == (rows.lines[2].row, rows.lines[4].row)
    inspector = page.panel.inspector
    assert isinstance(inspector, Inspector)
    assert page.run.inspector == inspector.model_id
    # the page goes back by setting what it shows to null
    page.panel.set_state({"_run": None})
    assert page.panel.run is page.panel.inspector is None
    assert inspector.comm is None
    assert page.told("_rows") is not None
    page.panel.set_state({"_rows": None})
    assert page.panel.selected is page.panel.rows is None
    assert seen == [{"temperature": 1}, None]


def test_an_inspector_that_a_page_may_be_loading_goes_a_little_later(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stand_in, "LOADED_WITHIN_S", 60)
    later: list[Callable[[], None]] = []

    def timer(_: float, leave: Callable[[], None]) -> Any:
        later.append(leave)
        return SimpleNamespace(start=lambda: None)

    monkeypatch.setattr(stand_in.threading, "Timer", timer)
    page = opened(make())
    page.ask("run", row=page.list(0).lines[0].row)
    inspector = page.panel.inspector
    assert inspector is not None
    page.panel.set_state({"_run": None})
    assert page.panel.inspector is None
    assert inspector.comm is not None
    (leave,) = later
    leave()
    assert inspector.comm is None


def test_a_row_that_was_not_sent_and_one_without_probabilities_say_so(make: Make) -> None:
    page = opened(make())
    rows = page.list(1, "missing")
    assert [line.row for line in rows.lines] == page.panel.rows["row_id"].to_list()
    page.ask("run", row=rows.lines[-1].row)
    assert (page.run.inspector, page.run.note) == (None, "There is no run: the row was not sent.")
    page.ask("run", row=rows.lines[0].row)
    assert page.run.answers[-1].text == f"BadRequestError: {HOSTILE} no plums"
    assert "logprobs" in page.run.note
    assert page.run.next == rows.lines[1].row
    page.ask("run", row="none of them")
    assert "none of the rows" in page.work.sentence


def test_flips_are_those_of_compare(make: Make) -> None:
    sweep = make()
    flips = sweep.compare("temperature", "right").flips()
    page = Page(nbchat.inspect(sweep.compare("temperature", "right")))
    rows = page.list(1, "flips", other=0)
    assert sorted({int(line.item) for line in rows.lines}) == sorted(flips["item"])
    assert {line.there for line in rows.lines} == {"0 → 1"}
    assert page.list(1, "flips").total == 0


def test_rows_are_sent_a_page_at_a_time(make: Make) -> None:
    many = [{"thing": f"thing {n}", "answer": "yes"} for n in range(60)]
    page = opened(make(data=many, repeats=1))
    size = len(json.dumps(page.panel._rows or (page.list(0) and page.panel._rows)))
    first = [line.item for line in page.list(0).lines]
    second = page.list(0, start=SIZE)
    assert (len(first), second.start, second.total) == (SIZE, SIZE, 60)
    assert second.lines[0].item == str(SIZE)
    assert len(page.list(0, start=10_000).lines) == 10
    assert size < 200 * SIZE + 2_000
    page.list(0)
    # the next row of the last on a page is on the next one, to which the way back then leads
    page.ask("run", row=page.panel.rows["row_id"].iloc[SIZE])
    assert page.rows.start == SIZE


@pytest.mark.parametrize("packs", [False, True])
def test_rows_are_read_where_they_stand_also_when_they_are_packed(make: Make, packs: bool) -> None:
    sweep = make()
    page = opened(sweep)
    before = page.list(1)
    if packs:
        pack(sweep.folder, Folder(sweep.folder).journals())
    after = page.list(1)
    assert after == before
    page.ask("run", row=after.lines[2].row)
    assert page.run.answers[0].text == "no"
    assert page.run.inspector is not None


def test_what_comes_while_it_runs_is_there_after_a_refresh(make: Make) -> None:
    later: list[bool] = []
    sweep = make(lambda variables, row: answer("yes") if later or row.item < 2 else None)
    page = opened(sweep)
    page.list(0)
    assert page.cells()[0].lacking == "6 not sent"
    later.append(True)
    write_rows(sweep, lambda _, row: answer("no") if row.item > 1 else None, stem="b")
    page.ask("look")
    assert page.cells()[0].lacking == ""
    assert page.cells()[0].mean == "0.4"
    assert page.rows.counts.wrong == 6


def test_a_folder_that_is_gone_is_said_and_what_was_read_stays(make: Make) -> None:
    sweep = make()
    page = opened(sweep)
    shutil.rmtree(sweep.folder)
    page.ask("look")
    assert "no longer there" in page.work.sentence
    assert page.cells()[0].mean == "1"
    for ask in (lambda: page.ask("rows", cell=0, which="all", other=None, start=0),
                lambda: page.ask("score", name="answered"),
                lambda: page.ask("score", name="completion_tokens")):  # fmt: skip
        page.ask("rows", cell=1, which="missing", other=None, start=0)
        page.panel._work = {"busy": False, "sentence": ""}
        ask()
        assert "no longer there" in page.work.sentence
    assert page.panel.score == "answered"
    page.ask("rows", cell=0, which="all", other=None, start=0)
    assert [line.answer for line in page.rows.lines] == [""] * 10
    with pytest.raises(CheckError, match="no longer there"):
        page.panel.selected = {"temperature": 1}
    assert page.told("_rows").total == 10
    page.ask("run", row=page.told("_rows").lines[0].row)
    assert "moved or deleted" in page.work.sentence


def test_without_a_score_it_shows_what_was_answered_and_how_long(make: Make) -> None:
    sweep = make(evaluate=None)
    page = opened(sweep)
    assert (page.panel.score, page.told("_figure").scores) == (
        "answered",
        ["answered", "completion_tokens"],
    )
    hot = page.cells()[1]
    assert (hot.mean, hot.lacking) == ("0.5", "2 not sent")
    page.ask("score", name="completion_tokens")
    assert page.cells()[0].mean == "3"
    assert page.told("_figure").unit == "mean"
    rows = page.list(1)
    assert rows.order.startswith("without a score first")
    assert not rows.has_wrong
    page.ask("score", name="nothing")
    assert "there is no score nothing" in page.work.sentence
    assert page.panel.score == "completion_tokens"


@pytest.mark.parametrize("grid", [None, {"temperature": [0]}, [{"temperature": 0}, {"top_p": 0.5}]])
def test_any_number_of_axes_is_a_figure(make: Make, grid: Any) -> None:
    page = opened(make(grid=grid))
    n = len(page.panel.sweep.design.grid.points)
    assert len(page.cells()) == n
    assert page.list(n - 1).total == 10
    drawn = page.panel.stand_in_html()
    assert "NaN" not in drawn
    assert "nan" not in drawn
    if n == 2:
        assert page.cells()[1].name == "temperature not set, top_p 0.5"
        assert page.panel.selected == {"temperature": None, "top_p": 0.5}


def test_further_axes_are_figures_below_and_axes_that_are_not_named_are_taken_together(
    make: Make,
) -> None:
    grid = {"temperature": [0, 1], "top_p": [0.5, 1], "seed": [1, 2, 3]}
    sweep = make(grid=grid, repeats=1)
    figure = opened(sweep).told("_figure")
    assert [one.title.text for one in figure.multiples] == ["seed 1", "seed 2", "seed 3"]
    assert [len(one.lines) for one in figure.multiples] == [2, 2, 2]
    page = opened(sweep, by="temperature", score="right")
    pd.testing.assert_frame_equal(page.panel._cells.table, sweep.table("temperature", "right"))
    rows = page.list(1)
    assert rows.total == 5 * 2 * 3
    assert rows.lines[0].variables.startswith("top_p: 0.5 · seed: 1 · thing: apple")
    assert len(opened(sweep, by=()).cells()) == 1
    by_thing = opened(sweep, by=["thing", "temperature"])
    assert len(by_thing.cells()) == 10
    assert by_thing.cells()[0].name == "thing apple, temperature 0"


def test_more_cells_than_are_shown_are_counted(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figure, "MOST_CELLS", 10)
    grid = {"seed": [1, 2, 3, 4], "top_p": [0.1, 0.2], "temperature": [0, 1]}
    page = opened(make(lambda *_: None, grid=grid, data=FRUITS[:1], repeats=1))
    assert len(page.cells()) == 8
    assert page.told("_figure").cut.startswith("8 of 16 cells are shown")
    assert "['seed']" in page.told("_figure").cut
    monkeypatch.setattr(figure, "MOST_ACROSS", 3)
    page.ask("look")
    assert page.figure.cut.startswith("9 of 16 cells are shown")


@pytest.mark.long
def test_large_numbers_are_short_in_a_cell_and_whole_beside_it(make: Make) -> None:
    values = iter([-9_409_584, 1_000_000, 0, 4_872_078, 250_000] * 2)
    sweep = make(evaluate={"cost": lambda row, run: next(values)}, grid=None, repeats=2)
    row = sweep.table(score="cost").iloc[0]
    (cell,) = opened(sweep).cells()
    assert cell.mean == f"{row['mean']:.3g}"
    assert cell.interval == f"{row['lo']:.3g} to {row['hi']:.3g}"
    assert "e+06 to " in cell.interval
    assert (
        f"mean {row['mean']:,.0f}, interval {row['lo']:,.0f} to {row['hi']:,.0f}" in cell.sentence
    )
    assert [compact(value) for value in (99_999, -1e5, 0.123456)] == ["99,999", "-1e+05", "0.123"]


def test_what_a_model_and_a_user_write_is_text_in_the_picture(make: Make) -> None:
    long = "x" * 300_000
    things = [HOSTILE, "שלום \u202e\x07", "", long, None, float("nan")]
    data = [{"thing": thing, "answer": HOSTILE} for thing in things]
    labels = [None, HOSTILE, long, "\x1b[31m"]
    sweep = make(
        lambda variables, _: answer(HOSTILE if variables["answer"] else long),
        data=data,
        grid={"temperature": [0], "tone": labels},
        repeats=1,
        system="{{ tone }}",
    )
    page = opened(sweep, by=["tone", "temperature"])
    rows = page.list(1)
    page.ask("run", row=rows.lines[3].row)
    drawn = page.panel.stand_in_html()
    assert "<img" not in drawn
    assert "&lt;img src=x" in drawn
    assert len(drawn) < 30_000
    assert "\x1b" not in drawn
    assert all(len(column.text) <= 40 for column in page.figure.columns)
    assert [line.answer for line in rows.lines] == [HOSTILE] * 6
    told = json.dumps([page.panel._figure, page.panel._rows, page.panel._run])
    assert len(told) < 60_000
    assert page.run.messages[0].note == "" or len(page.run.messages[0].text) <= MOST_TEXT


def test_a_cell_is_chosen_from_python(make: Make) -> None:
    panel = nbchat.inspect(make())
    panel.selected = {"temperature": 1}
    panel.show_run(panel.rows["row_id"].iloc[2])
    assert panel.run is not None
    assert panel.run.text == "no"
    panel.selected = None
    assert panel.rows is panel.run is None
    for wrong in ({"temperature": 7}, {"temperatur": 1}, {}, 3):
        with pytest.raises(CheckError, match="temperature"):
            panel.selected = wrong
    panel.selected = {"temperature": 0}
    panel.show_run(panel.rows["row_id"].iloc[0])
    other = panel.sweep.rows(temperature=1)["row_id"].iloc[3]
    panel.show_run(other)  # a row of another cell
    assert (panel.selected, panel._run["row"]) == ({"temperature": 1}, other)
    for none in ("none", ["none"]):
        with pytest.raises(CheckError, match="is no row of this sweep"):
            panel.show_run(none)
    inspector = panel.inspector
    panel.close()
    assert inspector.comm is panel.comm is None


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"temperature": 1}, "2 cells have that: add tone, which is 'kind' or None."),
        ({}, "4 cells have that: add temperature, which is 0 or 1; and tone, which is 'kind' or "),
        ({"tone": None}, "2 cells have that: add temperature, which is 0 or 1."),
        ({"temperature": 2, "tone": None}, "temperature must be 0 or 1."),
        ({"temperature": 1, "tome": None}, "tome is no axis; the axes are temperature, tone."),
        (1, "it must be the values of one cell, as {'temperature': 0, 'tone': 'kind'}."),
    ],
)
def test_values_of_no_cell_or_of_several_say_what_is_missing(
    make: Make, wanted: Any, words: str
) -> None:
    grid = {"temperature": [0, 1], "tone": ["kind", None]}
    panel = nbchat.inspect(make(grid=grid, system="{{ tone }}"))
    with pytest.raises(CheckError, match=re.escape(f"selected is {wanted!r}, but {words}")):
        panel.selected = wanted
    assert panel.selected is None


def test_what_has_no_rows_behind_it_is_refused_with_a_sentence(make: Make) -> None:
    sweep = make()
    for source, of in ((sweep.table(), {}), (sweep.run_of(sweep.design.rows()[0].id), {"by": "a"})):
        with pytest.raises(TypeError, match=r"nbchat.inspect\(sweep, by=…, score=…\)"):
            nbchat.inspect(source, **of)
    with pytest.raises(CheckError, match=r"no axis or column temperatur.*temperature"):
        nbchat.inspect(sweep, by="temperatur")
    with pytest.raises(CheckError, match=r"no score rigt.*right"):
        nbchat.inspect(sweep, score="rigt")
    assert isinstance(nbchat.inspect(sweep.scores()), Inspector)
    with pytest.raises(ValueError, match="the frame has no rows, so none matched"):
        nbchat.inspect(sweep.rows(temperature=0, right=0))


def test_an_evaluator_that_breaks_is_a_sentence_on_the_page(make: Make) -> None:
    def breaks(row: Any, run: Any) -> float:
        raise CheckError("this evaluator wants more")

    page = opened(make())
    page.panel.sweep.evaluate.__self__._scores.add({"other": breaks})
    page.ask("look")
    assert page.work == messages.Work(False, "CheckError: this evaluator wants more")


def test_colours_go_from_dark_to_light_evenly() -> None:
    assert [colour_at(share) for share in (-1, 0, 1, 2)] == ["#14235a"] * 2 + ["#fbf2c4"] * 2
    greens = [int(colour_at(n / 50)[3:5], 16) for n in range(51)]
    assert greens == sorted(greens)
