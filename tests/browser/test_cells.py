"""Replies in a real JupyterLab: their colours, in the background, and in a widget."""

# mypy: allow-untyped-calls
# (nbformat has no types)

from __future__ import annotations

from typing import get_args

import pytest

from tests.browser.lab import Lab, Theme
from tests.scripted import Gate, Reply, ScriptedServer, chunk, speaking, sse

pytestmark = pytest.mark.browser

CODE = (
    "It costs $5 to $6, for `<int>`:\n\n"
    "```python\ndef f(x: int) -> str:\n    return 'a  b'  # $5\n```\n"
)
JSON = '{"name": "lemon", "colours": ["yellow", "green"], "price": 1.5, "ripe": true}'
LOADED = "%load_ext nbchat\nimport nbchat, ipywidgets\nnbchat.configure(profile={!r}, model='m')"


def gated(first: str, rest: str) -> tuple[Gate, Reply]:
    gate = Gate()
    end = sse(chunk(rest), chunk(finish_reason="stop"))
    return gate, Reply([sse(chunk(first), done=False), gate, end])


def test_code_beside_a_price_and_objects_have_the_colours_of_the_theme(
    lab: Lab, server: ScriptedServer
) -> None:
    server.reply(speaking(CODE), speaking(JSON))
    as_json = "nbchat.chat('Hi', response_format={'type': 'json_object'})"
    lab.write("colours.ipynb", [LOADED.format(server.url), "%%chat\nShow code.", as_json])
    with lab.open("colours.ipynb") as notebook:
        notebook.run_all()
        notebook.wait_idle()
        for theme in get_args(Theme):
            notebook.show(theme=theme)
            keyword = notebook.cell(1).locator("pre.highlight .k", has_text="return")
            wanted = keyword.evaluate(
                "e => { const probe = document.createElement('i');"
                "probe.style.color = 'var(--jp-mirror-editor-keyword-color)'; e.append(probe);"
                "const colour = getComputedStyle(probe).color; probe.remove(); return colour; }"
            )
            assert keyword.evaluate("e => getComputedStyle(e).color") == wanted
            assert "'a  b'  # $5" in notebook.cell(1).locator("pre.highlight").inner_text()
            assert notebook.cell(2).locator(".nt").count() == 4
            for cell in (1, 2):
                notebook.screenshot(f"colours-{theme}-{cell}", cell=cell)
        assert notebook.script_errors == []


def test_a_reply_in_the_background_goes_on_below_its_cell(lab: Lab, server: ScriptedServer) -> None:
    gate, reply = gated("Half", " and whole.")
    server.reply(reply)
    cells = [
        LOADED.format(server.url),
        "%%chat --background -o run\nHi",
        "run.status",
        "run.wait()",
    ]
    lab.write("background.ipynb", cells)
    with lab.open("background.ipynb") as notebook:
        for cell in range(3):
            notebook.run(cell)
        notebook.wait_text(2, "'running'")
        notebook.wait_text(1, "still streaming")
        notebook.screenshot("background-running", cell=1)
        gate.open()
        notebook.wait_text(1, "Half and whole.")
        notebook.wait_text(1, "main 1")
        notebook.wait_idle()
        assert "still streaming" not in notebook.cell_text(1)
        saved = notebook.save()
        assert saved.cells[1].outputs[0].data["text/markdown"] == "Half and whole."


def test_a_reply_in_an_output_widget_ends_whole(lab: Lab, server: ScriptedServer) -> None:
    server.default = speaking("One.\n\nTwo, and the end.")
    in_output = (
        "out = ipywidgets.Output()\ndisplay(out)\nwith out:\n    nbchat.chat('Hi', live=True)"
    )
    asking = "ipywidgets.interact(lambda n: nbchat.chat(f'{n}', live=True) and None, n=(0, 3));"
    lab.write("outputs.ipynb", [LOADED.format(server.url), in_output, asking])
    with lab.open("outputs.ipynb") as notebook:
        notebook.run_all()
        for cell in (1, 2):
            notebook.wait_text(cell, "Two, and the end.")
            notebook.wait_text(cell, "m · ")
        notebook.screenshot("output-widget", cell=1)
