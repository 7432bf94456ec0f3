"""The sweep inspector in a real JupyterLab: from a cell to its rows, from a row to its run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import get_args

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.lab import Lab, Theme

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
STUDY = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import tempfile
import nbchat
from tests.sweep.written import NOBODY, answer, failed, write_rows

HOSTILE = "<img src=x onerror='window.pwned=1'>"
things = ["apple", "pear", "plum", "שלום עולם", HOSTILE] + [f"thing {{i}}" for i in range(9)]

def reply(variables, row):
    if row.point == 5 and row.item > 3:
        return None if row.item % 2 else failed(f"{{HOSTILE}} is no fruit")
    if row.point == 4:
        return answer("yes" if row.item % 3 else "no, " + HOSTILE)
    return answer("no" if (row.item + row.sample) % (row.point + 2) == 0 else "yes")

sweep = nbchat.sweep(
    "Fruit? {{{{ thing }}}}",
    data=[{{"thing": thing, "answer": "yes"}} for thing in things],
    grid={{"temperature": [0, 0.5, 1], "system": [None, "a <b>tone</b>"]}},
    repeats=3,
    folder=tempfile.mkdtemp() + "/fruit",
    profile=NOBODY,
    model="m",
    evaluate={{"right": nbchat.evaluators.equals("{{{{ answer }}}}")}},
)
write_rows(sweep, reply)
panel = nbchat.inspect(sweep)
panel
"""
SEEN = "print(panel.selected, panel.run and panel.run.text, panel.inspector is None)"

#: whether the names of the axes stay where they are, before all else, when the figure is scrolled
CORNER_STAYS = """panel => {
    const figure = panel.querySelector(".sw-multiples");
    figure.style.width = "16em";
    const corner = figure.querySelector(".sw-corner");
    const name = corner.querySelector("bdi");
    const left = corner.getBoundingClientRect().left;
    figure.scrollLeft = 70;
    const { x, y, width, height } = name.getBoundingClientRect();
    const before = document.elementFromPoint(x + width / 2, y + height / 2);
    const is = [Math.abs(corner.getBoundingClientRect().left - left) < 20, corner.contains(before)];
    const hasScrolled = figure.scrollLeft > 40;
    figure.style.width = "";
    figure.scrollLeft = 0;
    return hasScrolled ? is : ["not scrolled"];
}"""


def fits(panel: Locator) -> bool:
    """Whether nothing is wider than what it stands in, but for what scrolls."""
    return panel.evaluate(
        "el => [el, ...el.querySelectorAll('.bar-top, .sw-figure, .sw-bar, .sw-run, .sw-text')]"
        ".every(e => e.scrollWidth <= e.clientWidth + 1)"
    )


def test_a_cell_leads_to_its_rows_a_row_to_its_run_and_back(lab: Lab) -> None:
    lab.write("clicks.ipynb", [STUDY, SEEN])
    with lab.open("clicks.ipynb", size=(1280, 1000)) as notebook:
        page = notebook.page
        notebook.run(0)
        panel = notebook.cell(0).locator(".nbchat-sweep-inspector")
        cells = panel.get_by_role("gridcell").and_(panel.locator("[data-cell]"))
        expect(cells).to_have_count(6)
        notebook.wait_idle()
        expect(cells.nth(5).locator(".sw-lack")).to_have_text(["15 failed", "15 not sent"])
        notebook.screenshot("sweep-inspector", cell=0)
        # by mouse to the rows of the cell, with the wrong ones alone, and to a run
        panel.locator('[data-cell="4"]').click()
        rows = panel.locator("tr[data-row]")
        expect(rows).to_have_count(25)
        expect(panel.locator(".sw-rows .sw-title")).to_contain_text("temperature 1")
        panel.get_by_label("Which rows").select_option("wrong")
        expect(panel.locator(".sw-range").first).to_contain_text("1 to 15 of 15")
        notebook.screenshot("sweep-inspector-rows", cell=0)
        rows.nth(12).click()
        expect(panel.locator(".sw-reply .sw-text")).to_contain_text("<img src=x")
        inner = panel.locator(".nbchat-inspector")
        expect(inner.locator(".text .token")).to_have_count(1)
        inner.locator(".text .token").click()
        expect(inner.locator(".alternatives .rows .row")).to_have_count(2)
        notebook.wait_idle()
        notebook.screenshot("sweep-inspector-run", cell=0)
        notebook.run(1)
        notebook.wait_text(1, "{'temperature': 1.0, 'system': None}")
        notebook.wait_text(1, "False")
        # the way back, by keyboard alone, from within the inspector of the run
        inner.locator(".text").focus()
        page.keyboard.press("Escape")
        expect(rows.nth(12)).to_be_focused()
        expect(inner).to_have_count(0)
        for key in ("Home", "Enter"):
            page.keyboard.press(key)
        expect(panel.locator(".sw-run .sw-range")).to_have_text("row 1 of 15")
        page.keyboard.press("Escape")
        expect(rows.first).to_be_focused()
        page.keyboard.press("Escape")
        expect(panel.locator('[data-cell="4"]')).to_be_focused()
        expect(panel.locator(".sw-rows")).to_be_hidden()
        for key in ("ArrowRight", "ArrowDown", "Enter"):
            page.keyboard.press(key)
        expect(panel.locator(".sw-rows .sw-title")).to_contain_text("a <b>tone</b>")
        expect(rows.first).to_be_focused()
        assert page.evaluate("window.pwned") is None
        assert panel.locator("img, b").count() == 0
        assert notebook.script_errors == []
        notebook.wait_idle()
        expect(notebook.cell(0).locator("[data-nbchat-stand-in]")).to_be_hidden()
        for theme in get_args(Theme):
            for width in (1280, 760):
                notebook.show(theme=theme, width=width)
                assert fits(panel)
                notebook.screenshot(f"sweep-inspector-{theme}-{width}", cell=0)
        assert panel.evaluate(CORNER_STAYS) == [True, True]
        notebook.save()
    shutil.copy(lab.folder / "clicks.ipynb", lab.folder / "saved-clicks.ipynb")
    with lab.open("saved-clicks.ipynb") as notebook:
        picture = notebook.panel.locator("[data-nbchat-stand-in]")
        expect(picture).to_be_visible()
        expect(picture).to_contain_text("15 failed, 15 not sent")
        rows_in_picture = notebook.panel.locator("[data-nbchat-stand-in-more]").first
        expect(rows_in_picture).to_contain_text("is no fruit")
        notebook.screenshot("sweep-inspector-saved", cell=0)
