"""Formulas of a reply beside the user's own, typeset by the MathJax of a real JupyterLab."""

from __future__ import annotations

import pytest

from tests.browser.lab import Lab, Notebook
from tests.cases.replies import ACTING
from tests.scripted import Reply, ScriptedServer, chunk, sse

pytestmark = pytest.mark.browser

_OWN = "from IPython.display import Markdown\nMarkdown(r'own $\\alpha$')"
_ALPHA = "mjx-c.mjx-c1D6FC"
_COSTS = (
    "It costs $5 and then $6, `<int>`.\n\n$x_i^2$ and \\(y_1\\) and\n\n\\[\nz\n+ 1\n\\]\n\n"
    "\\begin{align}\na_1 &= b_1\\\\\nc &= d\n\\end{align}\n\n```python\nx = 1\n```\n"
)


def is_alpha(notebook: Notebook, n: int) -> bool:
    notebook.cell(n).locator("mjx-container").wait_for()
    return notebook.cell(n).locator(_ALPHA).count() == 1


def test_no_reply_changes_the_formulas_of_the_page(lab: Lab) -> None:
    texts = [case.text for case in ACTING]
    replies = [Reply(sse(chunk(text, finish_reason="stop"))) for text in texts + texts]
    with ScriptedServer(*replies) as server:
        asking = [f"%%chat --profile {server.url}\nHi" for _ in texts]
        showing = (
            f"import nbchat\nfor _ in range({len(texts)}):\n"
            f"    display(nbchat.chat('Hi', profile={server.url!r}))"
        )
        lab.write("acting.ipynb", ["%load_ext nbchat", _OWN, showing, *asking, _OWN])
        with lab.open("acting.ipynb") as notebook:
            notebook.run_all()
            notebook.wait_idle(timeout=120)
            assert is_alpha(notebook, 1)
            assert is_alpha(notebook, len(texts) + 3)
            assert notebook.panel.locator('[href*="javascript" i]').count() == 0
            assert notebook.panel.locator("#main.MathJax, .jp-mod-hidden").count() == 0
            assert "\\def\\alpha{A}" in notebook.cell_text(3)
            notebook.screenshot("acting-formulas", cell=2)
            # and what is no reply does change them, or nothing would have been seen here
            notebook.write_cell(0, "Markdown(r'$\\def\\alpha{A}$')")
            notebook.write_cell(1, _OWN)
            notebook.run(0)
            notebook.run(1)
            notebook.wait_idle()
            notebook.cell(1).locator("mjx-c.mjx-c1D434").wait_for()
            notebook.reload()  # the definition would stay for the tests that follow


def test_formulas_prices_and_code_of_one_reply_look_as_they_are_meant(lab: Lab) -> None:
    with ScriptedServer(default=Reply(sse(chunk(_COSTS, finish_reason="stop")))) as server:
        lab.write("formulas.ipynb", ["%load_ext nbchat", f"%%chat --profile {server.url}\nHi"])
        with lab.open("formulas.ipynb") as notebook:
            notebook.run_all()
            notebook.wait_idle()
            notebook.cell(1).locator("mjx-container").first.wait_for()
            assert notebook.cell(1).locator("mjx-container").count() == 4
            assert "costs $5 and then $6" in notebook.cell_text(1)
            for theme in ("light", "dark"):
                notebook.show(theme=theme)
                notebook.screenshot(f"formulas-{theme}", cell=1)
