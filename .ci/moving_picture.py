"""Records docs/images/nbchat.webp: a real notebook in a real JupyterLab, on the embedded model.

And takes the pictures of the panels for the pages, in both themes.

    .venv/bin/python .ci/moving_picture.py

Chromium is that of the browser tests. The picture is of what happens: nothing in it is drawn.
"""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, get_args

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import nbformat  # noqa: E402
from PIL import Image, ImageChops  # noqa: E402
from playwright.sync_api import Locator, Page, sync_playwright  # noqa: E402

from tests.browser.lab import Lab, Notebook, Theme, launch_browser  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

FILE = ROOT / "docs" / "images" / "nbchat.webp"
SIZE = (1080, 720)
MOST_BYTES = 3_000_000
LOAD = "import nbchat\n%load_ext nbchat"
START = "import nbchat\nnbchat.local.ensure();"
ASK = (
    "%%chat --temperature 0 --max-completion-tokens 80 --logprobs --top-logprobs 8 -o sky\n"
    "Why is the sky blue?"
)
EXPLORE = "nbchat.explore(sky, temperature=0.7, max_completion_tokens=40)"
INSPECT = "nbchat.inspect(sky)"
INSPECT_SWEEP = 'nbchat.inspect(sweep, by=["temperature", "prompt"], score="right")'


class Film:
    """Pictures of a page with the time that each stands; equal ones are one that stands longer."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.pictures: list[Image.Image] = []
        self.stands_ms: list[int] = []
        self._last_at = time.perf_counter()

    def take(self, stands_ms: int | None = None) -> None:
        """Take a picture; it stands as long as it took to come to the next, or `stands_ms`."""
        shot = self.page.screenshot(type="png", scale="css")
        picture = Image.open(io.BytesIO(shot)).convert("RGB")
        now = time.perf_counter()
        passed, self._last_at = int((now - self._last_at) * 1000), now
        if self.stands_ms and self.stands_ms[-1] == 0:
            self.stands_ms[-1] = max(40, min(passed, 120))  # a busy machine is not shown
        if self.pictures and not ImageChops.difference(self.pictures[-1], picture).getbbox():
            self.stands_ms[-1] += stands_ms or 0
            return
        self.pictures.append(picture)
        self.stands_ms.append(stands_ms or 0)

    def type(self, text: str) -> None:
        """Type as a user does, and take a picture of every few letters."""
        for start in range(0, len(text), 4):
            self.page.keyboard.insert_text(text[start : start + 4])
            self.take(70)

    def save(self, path: Path) -> None:
        self.stands_ms = [stands or 100 for stands in self.stands_ms]
        path.parent.mkdir(parents=True, exist_ok=True)
        first, *others = self.pictures
        for quality in (80, 65, 50, 35):
            first.save(
                path, save_all=True, append_images=others, duration=self.stands_ms, loop=0,
                quality=quality, method=5, minimize_size=True,
            )  # fmt: skip
            if path.stat().st_size < MOST_BYTES:
                return
        sys.exit(f"The picture is larger than {MOST_BYTES / 1e6:g} MB.")


def main() -> None:
    with sync_playwright() as playwright:
        browser = launch_browser(playwright)
        with Lab(browser) as lab:
            lab.write("picture.ipynb", ["", "", "", ""])
            with lab.open("picture.ipynb", size=SIZE) as notebook:
                film = Film(notebook.page)
                try:
                    record(notebook, film)
                finally:
                    film.save(FILE)
                stills(notebook)
            sweep_still(lab)
        browser.close()
    seconds, size = sum(film.stands_ms) / 1000, FILE.stat().st_size / 1e6
    print(
        f"{FILE.relative_to(ROOT)}: {len(film.pictures)} pictures, {seconds:.0f} s, {size:.1f} MB"
    )


def record(notebook: Notebook, film: Film) -> None:
    """Ask, explore and inspect in a notebook, and take the pictures of it."""
    page = notebook.page
    for cell in (START, LOAD):  # the model is loaded before the picture begins
        notebook.write_cell(0, cell)
        notebook.run(0)
        notebook.wait_idle()
    page.wait_for_timeout(1000)

    typed(notebook, film, 1, ASK)
    while notebook.prompt(1) == "[*]:":
        film.take()
    film.take(2000)

    typed(notebook, film, 2, EXPLORE)
    panel = notebook.cell(2).locator(".nbx")
    panel.wait_for()
    notebook.wait_idle()
    panel.evaluate("panel => panel.scrollIntoView({block: 'start'})")
    page.wait_for_timeout(500)
    film.take(1500)
    panel.get_by_role("button", name="Vary…", exact=True).click()
    film.take(700)
    panel.get_by_label("values, with commas between them", exact=True).fill("0, 0.7, 1.4")
    film.take(900)
    page.keyboard.press("Enter")
    watch_until(film, lambda: panel.locator(".nbx-lane").count() > 1)
    watch_until(film, lambda: not panel.locator(".nbx-lane[aria-busy=true]").count())
    film.take(2200)

    typed(notebook, film, 3, INSPECT)
    inspector = notebook.cell(3).locator(".nbchat-inspector")
    inspector.locator(".run").first.wait_for()
    notebook.wait_idle()
    inspector.evaluate("panel => panel.scrollIntoView({block: 'start'})")
    page.wait_for_timeout(500)
    film.take(1200)
    inspector.locator('.text .token[data-position="4"]').click()
    film.take(900)
    for _ in range(4):
        page.keyboard.press("ArrowRight")
        film.take(450)
    inspector.locator(".rows .row").nth(1).click()
    film.take(900)
    inspector.get_by_role("button", name="Branch with").click()
    watch_until(film, lambda: inspector.locator(".tree .item").count() > 1)
    watch_until(film, lambda: not inspector.get_by_role("button", name="Stop").is_visible())
    film.take(3000)


def stills(notebook: Notebook) -> None:
    """Take a picture of each panel as it stands, in both themes."""
    notebook.page.set_viewport_size({"width": 1240, "height": 1000})
    notebook.cell(2).locator(".nbx").get_by_role("tab", name="Tokens").click()
    for theme in get_args(Theme):
        notebook.show(theme=theme)
        take_still(notebook.cell(2).locator(".nbx"), f"explorer-{theme}")
        take_still(notebook.cell(3).locator(".nbchat-inspector"), f"inspector-{theme}")


def sweep_still(lab: Lab) -> None:
    """Take a picture of the sweep inspector, with the study of the gallery, in both themes."""
    gallery = nbformat.read(ROOT / "notebooks" / "04_sweeps.ipynb", as_version=4)
    cells = [cell.source for cell in gallery.cells if cell.cell_type == "code"]
    lab.write("sweep.ipynb", [*cells[:3], INSPECT_SWEEP])
    with lab.open("sweep.ipynb", size=(1240, 1000)) as notebook:
        notebook.run_all()
        notebook.wait_idle(timeout=300)
        panel = notebook.cell(3).locator(".nbchat-sweep-inspector")
        panel.locator("[data-cell]").last.click()
        panel.get_by_label("Which rows").select_option("wrong")
        panel.locator(".sw-wrong").nth(9).wait_for()
        notebook.wait_idle()
        for theme in get_args(Theme):
            notebook.show(theme=theme)
            take_still(panel, f"sweep-inspector-{theme}")


def take_still(panel: Locator, name: str) -> None:
    panel.scroll_into_view_if_needed()
    panel.page.wait_for_timeout(500)
    path = FILE.with_name(f"{name}.png")
    path.parent.mkdir(parents=True, exist_ok=True)
    panel.screenshot(path=path, animations="disabled")
    Image.open(path).convert("P", palette=Image.Palette.ADAPTIVE, colors=255).save(
        path, optimize=True
    )


def watch_until(film: Film, is_so: Callable[[], bool], most_s: float = 60) -> None:
    """Take pictures until something is so. Raise TimeoutError where it never is."""
    end = time.perf_counter() + most_s
    while not is_so():
        if time.perf_counter() > end:
            raise TimeoutError("what was to be recorded did not happen")
        film.take()


def typed(notebook: Notebook, film: Film, cell: int, text: str) -> None:
    editor = notebook.cell(cell).locator(".jp-InputArea-editor")
    editor.scroll_into_view_if_needed()
    editor.click()
    film.take(300)
    film.type(text)
    film.take(400)
    notebook.run(cell, "Shift+Enter")


if __name__ == "__main__":
    main()
