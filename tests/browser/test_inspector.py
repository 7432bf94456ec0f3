"""The token inspector in a real JupyterLab."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.lab import SCREENSHOTS, Lab, Notebook, Theme

pytestmark = [pytest.mark.browser, pytest.mark.local]

ROOT = Path(__file__).parents[2]
# its status bar, when the theme changes while it is still being drawn
JUPYTERLABS_OWN = "The node to be removed is not a child of this node"
MADE = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import nbchat
from tests.frames.made import choice, entry, run_of, token
"""
SKY = """
import nbchat
sky = nbchat.chat("Why is the sky blue?", temperature=0, max_completion_tokens=60,
                  logprobs=True, top_logprobs=6)
inspector = nbchat.inspect(sky)
seen = []
inspector.observe(lambda change: seen.append(change["new"]["position"]), "selected")
inspector
"""


@contextmanager
def inspected(
    lab: Lab, name: str, *cells: str, theme: Theme = "light", width: int = 1280
) -> Iterator[tuple[Notebook, Locator]]:
    """A notebook whose first cell, which is run, shows an inspector; and the inspector."""
    lab.write(name, list(cells))
    with lab.open(name, theme=theme, size=(width, 1000)) as notebook:
        notebook.run(0)
        panel = notebook.cell(0).locator(".nbchat-inspector")
        expect(panel.locator(".run").first).to_be_visible()
        notebook.wait_idle()
        yield notebook, panel
        assert [e for e in notebook.script_errors if JUPYTERLABS_OWN not in e] == []


def token(panel: Locator, position: int) -> Locator:
    return panel.locator(f'.text .token[data-position="{position}"]')


def selected(panel: Locator) -> int:
    return int(panel.locator('.text [aria-selected="true"]').get_attribute("data-position") or -1)


def says(notebook: Notebook, cell: int, text: str) -> None:
    notebook.run(cell)
    notebook.wait_text(cell, text)


def test_a_token_is_chosen_by_mouse_and_by_keyboard_and_python_sees_it(
    lab: Lab, weights: Path
) -> None:
    seen = "print(inspector.selected['position'], seen, len(inspector.selected_alternatives))"
    link = "inspector.selected = 12\nprint(inspector.selected['display'])"
    with inspected(lab, "sky.ipynb", SKY, seen, link) as (notebook, panel):
        token(panel, 3).hover()
        expect(panel.locator(".detail")).to_contain_text("token 3")
        token(panel, 5).click()
        # its figures stand once: beside the text, with what else could have stood there
        expect(panel.locator(".detail")).to_have_text("Point at another token to see its figures.")
        expect(
            panel.get_by_text("surprisal, bits", exact=True).locator("visible=true")
        ).to_have_count(1)
        rows = panel.locator(".alternatives .rows .row")
        expect(rows).to_have_count(6)
        expect(panel.locator(".rows .sampled")).to_have_count(1)
        expect(panel.locator(".rest .unseen")).to_have_count(1)
        says(notebook, 1, "5 [5] 6")
        panel.locator(".text").focus()
        keys = notebook.page.keyboard
        places = [5]
        for key in ["ArrowRight", "ArrowDown", "ArrowUp", "ArrowLeft", "End", "Home", "PageDown"]:
            keys.press(key)
            places.append(selected(panel))
        right, down, up, left, end, home, page_down = places[1:]
        assert (right, up, left) == (6, 6, 5)
        assert down > right
        assert home == 0
        assert home < end < page_down
        # the keys are no commands of the notebook: no cell came, went or is edited
        for key in ["b", "d", "d", "x", "Enter"]:
            keys.press(key)
        assert notebook.cells.count() == 3
        expect(panel.locator(".rows")).to_be_focused()
        # what could have stood there is chosen already: the likeliest of the others
        chosen = [row.get_attribute("aria-selected") for row in rows.all()].index("true")
        expect(rows.nth(chosen)).not_to_have_class(re.compile("sampled"))
        keys.press("ArrowDown")
        expect(rows.nth(chosen + 1)).to_have_attribute("aria-selected", "true")
        keys.press("Escape")
        expect(panel.locator(".text")).to_be_focused()
        shown = rows.nth(0).get_attribute("aria-label")
        says(notebook, 2, "")
        notebook.wait_idle()
        expect(token(panel, 12)).to_have_attribute("aria-selected", "true")
        expect(panel.locator(".title")).to_contain_text("position 12 (0 to 59)")
        assert rows.nth(0).get_attribute("aria-label") != shown


COUNT = """name => {
    const panel = [...jupyterapp.shell.widgets('main')].find(w => w.context?.path === name);
    window.said = {};
    panel.sessionContext.session.kernel.anyMessage.connect((_, { msg }) => {
        const { header, parent_header, metadata, content, buffers } = msg;
        const text = JSON.stringify({ header, parent_header, metadata, content });
        const bytes = (buffers ?? []).reduce((sum, one) => sum + one.byteLength, 0);
        const kind = header.msg_type;
        window.said[kind] = (window.said[kind] ?? 0) + text.length + bytes;
    });
}"""


def test_an_arrow_key_that_is_held_costs_less_than_ten_thousand_bytes_a_second(
    lab: Lab, weights: Path
) -> None:
    now = "print(inspector.selected['position'])"
    with inspected(lab, "held.ipynb", SKY, now) as (notebook, panel):
        page = notebook.page
        panel.locator(".text").focus()
        page.keyboard.press("Home")
        page.evaluate(COUNT, notebook.name)
        began = time.monotonic()
        # thirty times a second where the machine can, there and back
        for n in range(100):
            page.keyboard.down("ArrowRight" if n % 100 < 52 else "ArrowLeft")
            page.wait_for_timeout(33)
        took_s = time.monotonic() - began
        page.keyboard.up("ArrowRight")
        page.keyboard.up("ArrowLeft")
        sent = page.evaluate("said")
        # the picture comes when the panel is at rest, or else at most so often: tests/widgets
        sent.pop("update_display_data", None)
        assert 0 < sum(sent.values()) < 10_000 * took_s, (sent, took_s)
        place = selected(panel)
        assert place == 4
        # who leaves the panel to run a cell sees there what is chosen
        notebook.cell(1).locator(".jp-InputArea-editor").click()
        notebook.wait_idle()
        notebook.run(1)
        notebook.wait_text(1, f"{place}\n")


def test_it_looks_right_in_both_themes_and_when_narrow(lab: Lab, weights: Path) -> None:
    with inspected(lab, "look.ipynb", SKY) as (notebook, panel):
        token(panel, 8).click()
        expect(panel.locator(".rows .row")).to_have_count(6)
        for theme in get_args(Theme):
            notebook.show(theme=theme, width=1280)
            panel.get_by_label("Colour by").select_option("prob")
            panel.get_by_label("numbers").uncheck()
            height = panel.bounding_box()["height"]  # type: ignore[index]
            notebook.screenshot(f"inspector-{theme}", cell=0)
            token(panel, 9).hover()
            assert panel.bounding_box()["height"] == height  # type: ignore[index]
            panel.get_by_label("Colour by").select_option("rank")
            panel.get_by_label("numbers").check()
            expect(token(panel, 8).locator("small")).to_have_text("1")
            notebook.screenshot(f"inspector-{theme}-rank", cell=0)
            notebook.show(theme=theme, width=760)
            assert fits(panel)
            notebook.screenshot(f"inspector-{theme}-narrow", cell=0)
        # a reader's larger fonts, as JupyterLab's settings write them, at once
        notebook.page.evaluate(LARGER, "20px")
        expect(panel.locator(".text")).to_have_css("font-size", "20px")
        # the lines of 13 pixels are 42 high, numbers included
        expect(panel.locator(".text .line").first).to_have_css("height", "65px")
        expect(panel.locator(".facts")).to_have_css("font-size", "20px")
        assert fits(panel)
        notebook.screenshot("inspector-larger", cell=0)
        notebook.page.evaluate(LARGER, "")


def fits(panel: Locator) -> bool:
    """Whether nothing is wider than what it stands in."""
    return panel.evaluate(
        "el => [el, ...el.querySelectorAll('.bar-top, .runs, .text, .detail, .head, .rows')]"
        ".every(e => e.scrollWidth <= e.clientWidth + 1)"
    )


LARGER = """size => ["--jp-ui-font-size1", "--jp-code-font-size"].forEach(
    name => document.documentElement.style.setProperty(name, size))"""
HOSTILE = (
    MADE
    + """
smile = "😄".encode()
listed = lambda *top: {"top_logprobs": list(top)}
run = run_of(
    choice(
        entry("<script>window.pwned = 1</script>", -1.0,
              ("<img src=x onerror='window.pwned=2'>", -0.7)),
        entry("=cmd()", -0.5, ("=cmd()", -0.5), ('"&quot;', -2.0), ("a\\tb\\nc", -3.0)),
        token("x", -0.3, smile[:2]) | listed(),
        token("y", -0.2, smile[2:]) | listed(),
        entry("$x$", -9999.0), entry("\\x07\\u202e", float("nan")), entry("\\n", -0.1),
        entry("שלום", -0.9), entry(" עולם", -1.9), entry("\\n", -0.1),
        entry("long " * 2_000_000, -4.0), entry("<|im_end|>", -0.01),
        text="x",
    ),
    choice(entry("two", -0.1, ("two", -0.1)), entry("!", -0.2), index=1),
    choice(index=2, refusal=[entry("I", -0.1), entry(" cannot", -1.1)]),
)
inspector = nbchat.inspect([run, run_of(choice(text="Hello"))])
inspector
"""
)


def test_what_a_model_writes_is_text(lab: Lab) -> None:
    with inspected(lab, "hostile.ipynb", HOSTILE) as (notebook, panel):
        page = notebook.page
        assert token(panel, 0).inner_text() == "<script>window.pwned␣=␣1</script>"
        token(panel, 0).click()
        expect(panel.locator(".rows")).to_contain_text("<img␣src=x")
        assert panel.locator("script, img").count() == 0
        assert page.evaluate("window.pwned") is None
        # a character that is split over tokens, control characters, and what is not known
        assert token(panel, 2).inner_text() == "\\xf0\\x9f"
        assert token(panel, 3).inner_text() == "\\x98\\x84=😄"
        assert token(panel, 5).inner_text() == "\\x07\\u202e"
        for position in (4, 5):
            assert "unknown" in (token(panel, position).get_attribute("class") or "")
            label = token(panel, position).get_attribute("aria-label") or ""
            assert label.endswith("probability not known")
        # right to left: the second token stands to the left of the first, and Left leads to it
        first, second = (token(panel, n).bounding_box() for n in (7, 8))
        assert first is not None
        assert second is not None
        assert second["x"] < first["x"]
        token(panel, 7).click()
        panel.locator(".text").first.focus()
        page.keyboard.press("ArrowLeft")
        assert selected(panel) == 8
        assert "10,000,000 characters" in token(panel, 10).inner_text()
        assert len(token(panel, 10).inner_text()) < 200
        assert fits(panel)
        notebook.screenshot("inspector-hostile", cell=0)
        # the second run has no probabilities, and a sentence
        expect(panel.locator(".sentence")).to_contain_text("logprobs=True")


def test_choices_and_the_refusal_are_tabs(lab: Lab) -> None:
    say = "print(*(inspector.selected[n] for n in ('choice', 'channel', 'token')), sep='|')"
    with inspected(lab, "tabs.ipynb", HOSTILE, say) as (notebook, panel):
        tabs = panel.get_by_role("tab")
        assert tabs.all_inner_texts() == ["choice 0", "choice 1", "choice 2 · refusal"]
        tabs.nth(1).click()
        token(panel, 0).click()
        says(notebook, 1, "1|content|two")
        tabs.nth(1).focus()
        notebook.page.keyboard.press("ArrowRight")
        expect(tabs.nth(2)).to_be_focused()
        assert token(panel, 1).inner_text() == "␣cannot"
        token(panel, 1).click()
        says(notebook, 1, "2|refusal| cannot")


def test_the_table_is_copied(lab: Lab) -> None:
    with inspected(lab, "copy.ipynb", HOSTILE) as (notebook, panel):
        notebook.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        token(panel, 1).click()
        panel.get_by_role("button", name="Copy table").click()
        expect(panel.get_by_role("button", name="Copied")).to_be_visible()
        text = notebook.page.evaluate("navigator.clipboard.readText()")
        head, *rows = [line.split("\t") for line in text.splitlines()]
        assert head[:3] == ["alternative", "display", "token_id"]
        assert {len(row) for row in rows} == {len(head)}
        # what a spreadsheet would take for a formula is not one
        assert [row[1] for row in rows] == ["'=cmd()", '"&quot;', "a⇥b⏎c"]
        assert [row[4] for row in rows] == ["-0.5", "-2", "-3"]
        assert rows[0][7] == "true"


LONG = (
    MADE
    + """
import random
random.seed(1)
words = [" the", " of", " token", ",", " probability", "\\n", " xylophone"]
tops = [(f" w{k}", -1.0 - k) for k in range(20)]
run = run_of(choice(*(entry(random.choice(words), -random.random(), *tops) for _ in range(10_000))))
inspector = nbchat.inspect(run)
inspector
"""
)
SCROLL = """async (text, step) => {
  const times = [];
  let last = performance.now();
  for (let i = 0; i < 100; i++) {
    text.scrollTop += step;
    await new Promise(requestAnimationFrame);
    times.push(performance.now() - last);
    last = performance.now();
  }
  return times.sort((a, b) => a - b)[90];
}"""


def test_ten_thousand_tokens_scroll_with_few_nodes_in_the_page(lab: Lab) -> None:
    with inspected(lab, "long.ipynb", LONG) as (notebook, panel):
        expect(panel.locator(".status")).to_have_text("10,000 tokens")
        text = panel.locator(".text")
        at_rest_ms = text.evaluate(SCROLL, 0)
        slow_frame_ms = text.evaluate(SCROLL, 400)
        # beside the same page at rest: the machine may be busy with other things
        assert slow_frame_ms < max(100, 5 * at_rest_ms), (slow_frame_ms, at_rest_ms)
        assert panel.locator("*").count() < 2_000
        token_in_view = text.locator(".token").last
        token_in_view.click()
        text.focus()
        notebook.page.keyboard.press("Control+End")
        expect(token(panel, 9_999)).to_be_in_viewport()
        assert selected(panel) == 9_999
        # its alternatives are asked for: they did not come with the 10,000 tokens
        expect(panel.locator(".rows .row")).to_have_count(21)
        assert panel.locator("*").count() < 2_000
        notebook.screenshot("inspector-long", cell=0)


def test_a_saved_notebook_shows_the_picture_without_a_kernel(lab: Lab, weights: Path) -> None:
    with inspected(lab, "alive.ipynb", SKY) as (notebook, panel):
        token(panel, 8).click()
        expect(panel.locator(".rows .row")).to_have_count(6)
        chosen = notebook.cell(0).locator("[data-nbchat-stand-in-more]")
        expect(chosen).to_contain_text("Position 8 (0 to 59)")
        expect(chosen).to_be_hidden()
        expect(notebook.cell(0).locator("[data-nbchat-stand-in]")).to_be_hidden()
        panel.locator(".text").focus()
        notebook.save()  # the one key that goes to the notebook from here
    shutil.copy(lab.folder / "alive.ipynb", lab.folder / "saved-inspector.ipynb")
    with lab.open("saved-inspector.ipynb", fresh=True, size=(1280, 1000)) as notebook:
        picture = notebook.panel.locator("[data-nbchat-stand-in]")
        expect(picture).to_be_visible()
        expect(notebook.panel.locator("[data-nbchat-stand-in-more]")).to_contain_text(
            "Position 8 (0 to 59)"
        )
        assert picture.locator("[title]").count() == 60
        notebook.screenshot("inspector-saved", cell=0)


def test_the_text_goes_on_from_another_token(lab: Lab, weights: Path) -> None:
    show = "print(inspector.branches[['branch_id', 'parent_id', 'position', 'method']].to_csv())"
    stopped = "print([run.status for run in inspector.runs])"
    long = "inspector.branch(2, max_completion_tokens=3000, stop=['never ever'])"
    with inspected(lab, "branch.ipynb", SKY, show, long, stopped) as (notebook, panel):
        token(panel, 4).click()
        rows = panel.locator(".rows .row")
        rows.nth(1).click()
        other = rows.nth(1).locator(".name").inner_text()
        panel.get_by_role("button", name="Branch with").click()
        # the branch is opened, its token selected, and the tree says how it was made
        items = panel.locator(".tree .item")
        expect(items).to_have_count(2)
        expect(token(panel, 4)).to_have_text(other, timeout=20_000)
        expect(token(panel, 4)).to_have_attribute("aria-selected", "true")
        expect(panel.locator(".rows .sampled .mark")).to_have_text("put here ▸")
        expect(items.nth(1)).to_contain_text("at 4")
        expect(items.nth(1)).to_contain_text("exact")
        expect(panel.locator(".status")).to_have_text("60 tokens", timeout=20_000)
        # by keyboard: from the text to the likeliest other token, and Enter; a branch of the branch
        panel.locator(".text").focus()
        keys = notebook.page.keyboard
        for key in ["ArrowRight", "ArrowRight", "Enter", "Enter"]:
            keys.press(key)
        expect(items).to_have_count(3)
        expect(items.nth(2)).to_have_attribute("aria-level", "3")
        expect(panel.locator(".run .label")).to_contain_text("branch 2")
        expect(panel.get_by_role("button", name="Stop")).to_be_hidden(timeout=20_000)
        says(notebook, 1, "1,2,1,6,exact")
        notebook.screenshot("inspector-branches", cell=0)
        panel.screenshot(path=SCREENSHOTS / "inspector.png")
        # each can be opened: the first one by mouse, the reply as it came by keyboard
        items.nth(1).click()
        expect(panel.locator(".run .label")).to_contain_text("branch 1")
        items.nth(1).focus()
        keys.press("ArrowUp")
        keys.press("Enter")
        expect(panel.locator(".run .label")).to_contain_text("Why is the sky blue?")
        # a long one is stopped while the kernel is free, and stays as far as it came
        notebook.run(2)
        expect(items).to_have_count(4)
        expect(items.nth(3)).to_contain_text("running")
        panel.get_by_role("button", name="Stop").click()
        expect(items.nth(3)).to_contain_text("interrupted")
        says(notebook, 3, "'interrupted']")


def test_a_tree_is_grown_from_a_token(lab: Lab, weights: Path) -> None:
    say = "print(inspector.branches['mass'].notna().all())"
    with inspected(lab, "grown.ipynb", SKY, say) as (notebook, panel):
        token(panel, 2).click()
        panel.get_by_role("button", name="Tree").click()
        expect(panel.locator(".off")).to_contain_text(
            "could stand at positions 2 to 3", timeout=60_000
        )
        items = panel.locator(".tree .item")
        assert items.count() > 1
        expect(items.nth(1)).to_contain_text("% of all")
        says(notebook, 1, "True")
        notebook.screenshot("inspector-grown", cell=0)


FOXES = """
import nbchat
foxes = nbchat.chat("Say: 🦊🦊", profile="local", temperature=0, max_completion_tokens=12,
                    logprobs=True, top_logprobs=3)
inspector = nbchat.inspect(foxes)
inspector
"""


def test_the_rows_of_merged_characters_are_offered_and_come(lab: Lab, weights: Path) -> None:
    say = "print(len(inspector.runs[0].tokens()), inspector.selected['position'])"
    with inspected(lab, "foxes.ipynb", FOXES, say) as (notebook, panel):
        offer = panel.locator(".offer")
        expect(offer).to_have_text("4 characters have no probability of their own: get them")
        expect(panel.locator(".status")).to_have_text("4 tokens")
        token(panel, 1).click()
        notebook.screenshot("inspector-merged", cell=0)
        offer.get_by_role("button").click()
        expect(panel.locator(".status")).to_have_text("12 tokens", timeout=60_000)
        expect(offer).to_be_hidden()
        expect(panel.locator(".text .unknown")).to_have_count(0)
        expect(token(panel, 5)).to_have_attribute("aria-selected", "true")
        expect(panel.locator(".note")).to_contain_text("ends the character 🦊")
        expect(panel.locator(".rows .row")).to_have_count(3)
        notebook.screenshot("inspector-rescored", cell=0)
        says(notebook, 1, "12 5")


def test_the_tree_of_branches_in_dark(lab: Lab, weights: Path) -> None:
    with inspected(lab, "branch-dark.ipynb", SKY, theme="dark") as (notebook, panel):
        token(panel, 6).click()
        panel.get_by_label("how many branches").select_option("2")
        panel.locator(".rows .row").nth(2).dblclick()
        items = panel.locator(".tree .item")
        expect(items).to_have_count(3)
        expect(panel.get_by_role("button", name="Stop")).to_be_hidden(timeout=20_000)
        assert fits(panel)
        notebook.screenshot("inspector-branches-dark", cell=0)


STREAMING = """
import nbchat
inspector = None
for piece in nbchat.stream("Tell a long story.", max_completion_tokens=600, seed=1, logprobs=True,
                           top_logprobs=3, extra={"ignore_eos": True}):
    if inspector is None:
        inspector = nbchat.inspect(piece.run)
        display(inspector)
"""


def test_a_reply_is_seen_to_grow_and_views_are_there_again_after_a_reload(
    lab: Lab, weights: Path
) -> None:
    lab.write("streaming.ipynb", [STREAMING])
    with lab.open("streaming.ipynb") as notebook:
        notebook.run(0)
        panel = notebook.cell(0).locator(".nbchat-inspector")
        status = panel.locator(".status")
        expect(status).to_contain_text("running")
        seen = set()
        while "running" in (words := status.inner_text()):
            seen.add(words)
            notebook.page.wait_for_timeout(50)
        assert len(seen) > 2, seen
        notebook.wait_idle()
        expect(status).to_have_text("600 tokens")
        notebook.save()
        notebook.reload()
        expect(status).to_have_text("600 tokens")
        expect(notebook.cell(0).locator("[data-nbchat-stand-in]")).to_be_hidden()
