"""A cell that begins with %%chat is coloured as text, by the extension that the wheel brings."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nbchat.version import DISTRIBUTION, __version__
from tests.browser.lab import EXTENSION, Lab, Theme

pytestmark = [pytest.mark.browser, pytest.mark.kernel]

CHAT = """%%chat --temperature 0 -o sky
If it's not for me and you, say "True" or {{ name }} in 3 words."""
PYTHON = "for number in range(3):\n    print('%%chat', number)"
COLOURS = """index => {
    const cell = document.querySelectorAll('.jp-Notebook .jp-CodeCell')[index];
    const line = [...cell.querySelectorAll('.cm-line')][1];
    const walker = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
    const colours = {};
    while (walker.nextNode()) {
        const text = walker.currentNode.textContent.trim();
        if (text) colours[text] = getComputedStyle(walker.currentNode.parentElement).color;
    }
    return colours;
}"""


def test_it_has_the_name_and_the_version_of_the_package() -> None:
    package: dict[str, Any] = json.loads((EXTENSION / "package.json").read_text())
    assert (package["name"], package["version"]) == (DISTRIBUTION, __version__)
    assert (EXTENSION / package["jupyterlab"]["_build"]["load"]).is_file()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_chat_cell_is_text_and_a_python_cell_is_python(lab: Lab, theme: Theme) -> None:
    name = f"colours-{theme}.ipynb"
    lab.write(name, [CHAT, PYTHON])
    with lab.open(name, theme=theme) as notebook:
        page = notebook.page
        page.wait_for_selector(".nbchat-chat-cell")
        colours = page.evaluate(COLOURS, 0)
        template = colours.pop("{{ name }}", None) or colours.pop("name")
        plain = {colour for text, colour in colours.items() if text.strip("{} ")}
        assert len(plain) == 1, colours  # neither keywords, nor texts, nor numbers
        assert template not in plain
        assert len(set(page.evaluate(COLOURS, 1).values())) > 1  # a Python cell keeps its colours
        assert page.locator(".jp-CodeCell").nth(1).locator(".nbchat-chat-cell").count() == 0
        notebook.screenshot(f"chat-cell-{theme}")
        # what is typed decides: the first line makes a cell one of %%chat, and no longer
        editor = page.locator(".jp-CodeCell").nth(1).locator(".cm-content")
        editor.click()
        page.keyboard.press("Control+Home")
        page.keyboard.type("%%chat\n")
        page.wait_for_function("() => document.querySelectorAll('.nbchat-chat-cell').length === 2")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("Home")
        page.keyboard.type("#")
        page.wait_for_function("() => document.querySelectorAll('.nbchat-chat-cell').length === 1")
