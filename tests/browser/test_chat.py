"""``%%chat`` in a real JupyterLab, on the embedded model and on a scripted server."""

# mypy: allow-untyped-calls
# (nbformat has no types)

from __future__ import annotations

import shutil
from pathlib import Path
from typing import get_args

import nbformat
import pytest

from tests.browser.lab import Lab, Notebook, Theme
from tests.scripted import Pause, Reply, ScriptedServer, chunk, error, logprob_entry, sse

pytestmark = [pytest.mark.browser, pytest.mark.local]

QUICKSTART = Path(__file__).parents[2] / "notebooks" / "01_quickstart.ipynb"


def quickstart(lab: Lab, name: str) -> list[str]:
    """Put the quickstart, without its outputs, where the lab finds it; give its sources."""
    notebook = nbformat.read(QUICKSTART, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, lab.folder / name)
    return [cell.source for cell in notebook.cells]


def place(sources: list[str], text: str) -> int:
    return next(n for n, source in enumerate(sources) if text in source)


def test_the_quickstart_runs_from_top_to_bottom(lab: Lab, weights: Path) -> None:
    sources = quickstart(lab, "quickstart.ipynb")
    ask, heatmap = (
        place(sources, "%%chat --temperature 0 --max-completion-tokens 70"),
        place(sources, "sky.heatmap"),
    )
    with lab.open("quickstart.ipynb", size=(1180, 1500)) as notebook:
        notebook.run_all()
        notebook.wait_idle(timeout=90)
        assert "smollm2-135m · main 1" in notebook.cell_text(ask)
        assert notebook.outputs(ask).count() == 2  # one Markdown output, one grey line
        assert "main 2" in notebook.cell_text(place(sources, "Explain that"))
        heat = notebook.cell(heatmap)
        assert heat.locator("[title]").count() > 50
        assert notebook.cell(place(sources, "plots.surprisal")).locator("img").count() == 1
        assert notebook.script_errors == []
        for n in range(len(sources)):
            assert notebook.cell(n).locator(".jp-RenderedText[data-mime-type$=stderr]").count() == 0
        shown = ("%%chat", "sky.", "nbchat.plots", "tokens =", "import nbchat", "runs")
        for theme in get_args(Theme):
            notebook.show(theme=theme)
            for n, source in enumerate(sources):
                if source.startswith(shown):
                    notebook.screenshot(f"quickstart-{theme}-{n:02d}", cell=n)
            notebook.cell(0).scroll_into_view_if_needed()
            notebook.screenshot(f"quickstart-{theme}")


def test_the_text_grows_while_it_streams_and_an_interrupt_keeps_it(lab: Lab, weights: Path) -> None:
    lab.write(
        "interrupt.ipynb",
        [
            "%load_ext nbchat",
            "%%chat -o long --temperature 0\nWrite a long story about a lighthouse keeper.",
            "print(long.status, long.text == '', len(long.text))",
        ],
    )
    with lab.open("interrupt.ipynb") as notebook:
        notebook.run(0)
        notebook.wait_idle()
        notebook.run(1)
        lengths = grow(notebook, 1, 3)
        assert lengths == sorted(set(lengths))
        notebook.interrupt()
        notebook.wait_idle()
        text = notebook.cell_text(1)
        assert "interrupted" in text
        assert "Interrupted. What had come of the reply is kept." in text
        assert "Traceback" not in text
        assert "site-packages" not in text
        notebook.screenshot("interrupted", cell=1)
        notebook.run(2)
        notebook.wait_idle()
        status, is_empty, length = notebook.cell_text(2).split()
        assert (status, is_empty) == ("interrupted", "False")
        assert int(length) >= lengths[0] // 2


def grow(notebook: Notebook, cell: int, times: int) -> list[int]:
    """Give the lengths of a cell's text as it grows while the cell runs."""
    lengths: list[int] = []
    for _ in range(600):
        assert notebook.prompt(cell) == "[*]:", "the cell ended before its text was seen to grow"
        length = len(notebook.cell_text(cell))
        if length > 20 and (not lengths or length > lengths[-1]):
            lengths.append(length)
        if len(lengths) == times:
            return lengths
        notebook.page.wait_for_timeout(100)
    raise AssertionError(f"the text did not grow: {lengths}")


HOSTILE = [
    "<script>window.pwned = 1</script>",
    "<img src=x onerror='window.pwned = 2'>",
    "<b onclick='window.pwned = 3'>press</b>",
    "[press](javascript:window.pwned=4)",
    "[press][ref]\n\n[ref]: javascript:window.pwned=5",
    "[press](java&#115;cript:window.pwned=6)",
    "```\nopen fence\n<img src=x onerror='window.pwned=7'>",
    "- ```\n  a\n<img src=x onerror='window.pwned=8'>",
    "$\n```\n$\n<img src=x onerror='window.pwned=9'>",
    "<svg onload='window.pwned=10'></svg>",
    "<iframe srcdoc='<script>parent.window.pwned=11</script>'></iframe>",
    "$\\href{javascript:window.pwned=12}{press}$",
    "![press](javascript:window.pwned=13)",
]


def test_what_a_model_writes_is_not_run(lab: Lab) -> None:
    """While it streams, when it is whole, as a run, and as tokens."""
    replies = [
        Reply(
            [
                sse(chunk(f"**bold**\n\n{text[:9]}"), done=False),
                Pause(0.15),
                sse(chunk(text[9:], logprobs=[logprob_entry(text, -0.5)]), done=False),
                Pause(0.15),
                sse(chunk(finish_reason="stop")),
            ]
        )
        for text in HOSTILE
    ]
    with ScriptedServer(*replies) as server:
        asking = [
            f"%%chat --profile {server.url} --logprobs -o run{n}\nHi" for n in range(len(HOSTILE))
        ]
        runs = f"[run{', run'.join(map(str, range(len(HOSTILE))))}]"
        showing = [
            f"for run in {runs}: display(run, run.heatmap(), run.tokens())",
            "1 + 1",
        ]
        lab.write("hostile.ipynb", ["%load_ext nbchat", *asking, *showing])
        with lab.open("hostile.ipynb") as notebook:
            notebook.run_all()
            notebook.wait_text(len(asking) + 2, "2", timeout=60)
            notebook.wait_idle()
            for n in range(1, len(asking) + 1):
                assert notebook.cell(n).locator("strong", has_text="bold").count() == 1
            for link in notebook.panel.locator("a", has_text="press").all():
                link.click(modifiers=["Shift"], no_wait_after=True, timeout=3000)
            assert notebook.page.evaluate("window.pwned") is None
            assert notebook.panel.locator('[href*="javascript" i]').count() == 0
            assert notebook.panel.locator("[onerror], [onclick], [onload], iframe").count() == 0
            assert "<img" in notebook.cell_text(2)  # shown as the text that it is
            # a token with dollars in it is no formula
            heat = notebook.cell(len(asking) + 1).locator("span.mathjax_ignore", has_text="href{")
            assert "$\\href{javascript" in heat.inner_text()
            notebook.screenshot("hostile")


def test_a_saved_reply_is_there_without_a_kernel(lab: Lab) -> None:
    reply = Reply(sse(chunk("# Title\n\n- one\n- two\n\n"), chunk("`code`", finish_reason="stop")))
    with ScriptedServer(default=reply) as server:
        lab.write("saved.ipynb", ["%load_ext nbchat", f"%%chat --profile {server.url}\nHi"])
        with lab.open("saved.ipynb") as notebook:
            notebook.run_all()
            notebook.wait_idle()
            saved = notebook.save()
    markdown, grey = saved.cells[1].outputs
    assert markdown.data["text/markdown"] == "# Title\n\n- one\n- two\n\n`code`"
    assert set(grey.data) == {"text/html", "text/plain"}
    shutil.copy(lab.folder / "saved.ipynb", lab.folder / "again.ipynb")
    with lab.open("again.ipynb") as notebook:
        assert notebook.cell(1).locator("h1", has_text="Title").count() == 1
        assert notebook.cell(1).locator("li").count() == 2
        assert notebook.prompt(1) == "[2]:"


def test_an_error_of_the_server_shows_in_a_few_lines_and_stops_run_all(lab: Lab) -> None:
    with ScriptedServer(default=error(400, "It will not do.", param="n")) as server:
        lab.write(
            "failing.ipynb",
            ["%load_ext nbchat", f"%%chat --profile {server.url}\nHi", "print('went on')"],
        )
        with lab.open("failing.ipynb") as notebook:
            notebook.run_all()
            notebook.wait_idle()
            text = notebook.cell_text(1)
            assert "BadRequestError: It will not do. (400, param n)" in text
            assert len(text.splitlines()) <= 4
            assert "went on" not in notebook.cell_text(2)
            notebook.screenshot("failing", cell=1)
