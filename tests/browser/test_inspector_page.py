"""The inspector as a page of its own, in a real Chromium without a network."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

import nbchat
from nbchat.analysis import Branch, Tree
from nbchat.widgets.inspector import Inspector
from nbchat.widgets.inspector.scales import MEASURES
from tests.browser.lab import SCREENSHOTS, Lab
from tests.frames.made import choice, entry, run_of, token

pytestmark = pytest.mark.browser

HOSTILE = "</script><script>window.pwned = 1</script><!--<img src=x onerror='window.pwned = 2'>"


@contextmanager
def opened(lab: Lab, inspector: Inspector, path: Path) -> Iterator[Page]:
    """The page as any browser opens it, from a file: whatever it asks for is refused and noted."""
    assert inspector.to_html(path) == path
    asked: list[str] = []
    faults: list[str] = []
    page = lab.new_page(offline=True)
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.goto(path.as_uri())
    expect(page.locator(".nbchat-inspector .run").first).to_be_visible()
    yield page
    assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
    assert faults == []
    page.close()


def a_tree() -> Any:
    """A reply, and a branch of it, in the inspector."""
    words = ["The", " sky", " is", " blue", "."]
    others = [(" was", -2.0), (" sea", -2.5), (" red", -3.0)]
    run = run_of(
        choice(*(entry(w, -0.1 * i, (w, -0.1 * i), *others) for i, w in enumerate(words, 1))),
        choice(entry("No", -0.5, ("No", -0.5)), index=1),
        messages=[{"role": "user", "content": f"Why? {HOSTILE}"}],
    )
    parted = run_of(choice(*(entry(w, -0.2, (w, -0.2), *others) for w in ["The", " sea", "!"])))
    branch = Branch(
        run, 0, 1, " sea", None, "exact", [parted], "Exact, by token ids."
    )  # fmt: skip
    tree = Tree(run, 0, 1, 1, [branch], [0.9, 0.08])
    return nbchat.inspect(tree)


def test_it_works_without_kernel_and_network(lab: Lab, tmp_path: Path) -> None:
    inspector = a_tree()
    inspector.selected = 2
    with opened(lab, inspector, tmp_path / "page.html") as page:
        tokens = page.locator(".text .token")
        expect(tokens).to_have_count(5)
        expect(page.locator(".off")).to_contain_text("98.0% of what could stand at position 1")
        # what was chosen is chosen, by keyboard and mouse another one
        expect(page.locator(".text [aria-selected=true]")).to_have_text("␣is")
        page.locator(".text").focus()
        page.keyboard.press("ArrowRight")
        expect(page.locator(".title")).to_contain_text("position 3 (0 to 4)")
        rows = page.locator(".rows .row")
        expect(rows).to_have_count(4)
        expect(page.locator(".rest .unseen")).to_have_count(1)
        page.keyboard.press("Enter")
        expect(page.locator(".rows")).to_be_focused()
        page.keyboard.press("Enter")  # where a kernel would be asked for a branch nothing happens
        page.keyboard.press("Escape")
        tokens.nth(0).click()
        expect(page.locator(".title")).to_contain_text("position 0 (0 to 4)")
        # every scale
        colours = set()
        for measure in MEASURES:
            page.get_by_label("Colour by").select_option(measure.figure.name)
            colours.add(str([t.get_attribute("style") for t in tokens.all()]))
            expect(page.locator(".legend .token")).to_have_count(len(measure.colours) + 1)
        assert len(colours) >= 4
        page.get_by_label("numbers").check()
        expect(tokens.nth(0).locator("small")).to_be_visible()
        # the tree, and the other choice
        page.locator(".tree .item").nth(1).click()
        expect(page.locator(".run .label")).to_contain_text("branch 1")
        expect(tokens).to_have_count(3)
        page.keyboard.press("ArrowUp")
        page.locator(".tree .item").nth(0).click()
        page.get_by_role("tab").nth(1).click()
        expect(tokens).to_have_count(1)
        # only what needs a kernel is missing
        expect(page.get_by_role("button")).to_have_text(["Copy table"])
        page.screenshot(path=SCREENSHOTS / "inspector-page.png")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_a_model_writes_is_data(lab: Lab, tmp_path: Path, theme: Any) -> None:
    smile = "😄".encode()
    run = run_of(
        choice(
            entry(HOSTILE, -1.0, ("</script>", -0.5), ("]]>", -2.0)),
            token("x", -0.3, smile[:2]) | {"top_logprobs": []},
            token("y", -0.2, smile[2:]) | {"top_logprobs": []},
            entry("\u2028\u0000\ud800", -9999.0, data=False),
            text="x",
        ),
        messages=[{"role": "user", "content": HOSTILE}],
    )
    with opened(lab, nbchat.inspect([run, run_of(choice(text="a"))]), tmp_path / "p.html") as page:
        page.emulate_media(color_scheme=theme)
        tokens = page.locator(".text .token")
        expect(tokens.nth(0)).to_contain_text("</script><script>window.pwned␣=␣1")
        expect(tokens.nth(2)).to_have_text("\\x98\\x84=😄")
        tokens.nth(0).click()
        expect(page.locator(".rows .row").first).to_contain_text("</script>")
        assert page.evaluate("window.pwned") is None
        assert page.locator("img, .nbchat-inspector script").count() == 0
        assert "window.pwned" in page.title()
        expect(page.locator(".sentence")).to_contain_text("logprobs=True")
        page.screenshot(path=SCREENSHOTS / f"inspector-page-{theme}.png")
    text = (tmp_path / "p.html").read_text()
    assert text.lower().count("</script") == 2
    assert "http" not in text.replace("http-equiv", "")


def test_ten_thousand_tokens_are_a_small_file(lab: Lab, tmp_path: Path) -> None:
    rng = random.Random(3)
    words = [f" word{number}" for number in range(20_000)]

    def position() -> Any:
        listed = [(rng.choice(words), -rng.random() * 9) for _ in range(20)]
        return entry(listed[0][0], listed[0][1], *listed)

    run = run_of(choice(*(position() for _ in range(10_000))))
    with opened(lab, nbchat.inspect(run), tmp_path / "long.html") as page:
        assert (tmp_path / "long.html").stat().st_size < 5_000_000
        expect(page.locator(".status")).to_have_text("10,000 tokens")
        page.locator(".text").focus()
        page.keyboard.press("Control+End")
        page.keyboard.press("Control+End")
        expect(page.locator(".title")).to_contain_text("position 9,999 (0 to 9,999)")
        assert page.locator(".rows .row").count() >= 19


def test_what_was_in_view_stays_while_the_page_is_hidden(lab: Lab, tmp_path: Path) -> None:
    words = [entry(f" word{i}", -0.5) for i in range(110)]
    with opened(lab, nbchat.inspect(run_of(choice(*words))), tmp_path / "page.html") as page:
        lines = page.locator(".text .line")
        expect(page.locator(".text .token")).to_have_count(110)
        before = lines.count()
        assert before > 8
        # as JupyterLab does while it changes the theme
        page.evaluate("document.body.style.display = 'none'")
        # the size is told, and what follows it is drawn in the next frame
        page.evaluate(FRAMES)
        assert lines.count() == before


FRAMES = """async () => {
  for (let n = 0; n < 4; n++) await new Promise(requestAnimationFrame);
}"""
OUTLINE = "el => getComputedStyle(el).outlineStyle"
BORDER = "el => getComputedStyle(el).borderStyle"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_in_forced_colours_what_is_chosen_is_seen_by_lines(
    lab: Lab, tmp_path: Path, theme: Any
) -> None:
    inspector = a_tree()
    inspector.selected = 2
    with opened(lab, inspector, tmp_path / "page.html") as page:
        page.emulate_media(forced_colors="active", color_scheme=theme)
        for chosen in (".row", ".item"):
            is_it, is_not = page.locator(f"{chosen}[role]").all()[:2]
            if is_it.get_attribute("aria-selected") != "true":
                is_it, is_not = is_not, is_it
            assert is_it.evaluate(OUTLINE) == "solid"
            assert is_not.evaluate(OUTLINE) == "none"
        assert page.locator(".bar").first.evaluate(BORDER) == "solid"
        # the colours of the scale stay what they are
        colour = "el => getComputedStyle(el).backgroundColor"
        forced = [token.evaluate(colour) for token in page.locator(".text .token").all()]
        page.screenshot(path=SCREENSHOTS / f"inspector-page-forced-{theme}.png")
        page.emulate_media(forced_colors="none")
        assert forced == [token.evaluate(colour) for token in page.locator(".text .token").all()]


@pytest.mark.parametrize("width", [420, 1100])
def test_a_long_token_is_cut_once_in_the_head(lab: Lab, tmp_path: Path, width: int) -> None:
    long = " a_name_of_forty_characters_that_goes_on_and_on"
    run = run_of(choice(entry(long, -0.5, (long, -0.5)), entry("!", -0.1, ("!", -0.1))))
    inspector = nbchat.inspect(run)
    inspector.selected = 0
    with opened(lab, inspector, tmp_path / "page.html") as page:
        page.set_viewport_size({"width": width, "height": 700})
        chip = page.locator(".title .token")
        expect(chip).to_contain_text(f"… ({len(long)} characters)")
        assert chip.evaluate("el => el.scrollWidth <= el.clientWidth && el.scrollHeight <= 60")
        assert chip.evaluate("el => getComputedStyle(el).textOverflow") == "clip"
