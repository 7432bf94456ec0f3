"""What a run leaves behind, in a real JupyterLab: its id, its conversation, its replay."""

# mypy: allow-untyped-calls
# (nbformat has no types)

from __future__ import annotations

from typing import get_args

import nbformat
import pytest
from playwright.sync_api import expect

from tests.browser.lab import Lab, Notebook, Theme
from tests.history import study
from tests.scripted import ScriptedServer, speaking

pytestmark = pytest.mark.browser
LOAD = "%load_ext nbchat\nimport nbchat"


def selected(notebook: Notebook) -> str:
    text: str = notebook.page.evaluate("getSelection().toString()")
    return text


def test_a_click_selects_the_id_of_a_run_by_which_it_is_shown(
    lab: Lab, server: ScriptedServer
) -> None:
    server.reply(speaking("The sky is blue."))
    lab.write(
        "id.ipynb", [f"{LOAD}\nnbchat.configure(profile={server.url!r})", "%%chat -o sky\nWhy?", ""]
    )
    with lab.open("id.ipynb") as notebook:
        notebook.run(0)
        notebook.run(1)
        notebook.wait_text(1, "main 1")
        run_id = notebook.cell(1).locator("code").last
        for theme in get_args(Theme):
            notebook.show(theme=theme)
            notebook.wait_idle()
            # a click on what is selected already would take the selection away
            notebook.page.evaluate("getSelection().removeAllRanges()")
            run_id.click()
            shown = selected(notebook).strip()
            assert len(shown) == 16
            notebook.screenshot(f"run-id-{theme}", cell=1)
        notebook.write_cell(2, f"print(nbchat.runs({shown!r}).run_id[0] == sky.id, sky.text)")
        notebook.run(2)
        notebook.wait_text(2, "True The sky is blue.")


def test_a_conversation_goes_on_after_the_kernel_was_restarted(
    lab: Lab, server: ScriptedServer
) -> None:
    server.reply(speaking("Hello Ada."), speaking("You are Ada."))
    begin = (
        f"{LOAD}\nnbchat.configure(profile={server.url!r}, history='mine.sqlite')\nprint('begun')"
    )
    lab.write("thread.ipynb", [begin, "%%chat\nI am Ada.", "%%chat\nWho am I?"])
    with lab.open("thread.ipynb") as notebook:
        notebook.run(0)
        notebook.run(1)
        notebook.wait_text(1, "Runs are kept in")
        notebook.menu("Kernel", "Restart Kernel…")
        notebook.page.get_by_role("button", name="Confirm Kernel Restart").click()
        notebook.wait_idle()
        notebook.run(0)
        notebook.wait_text(0, "begun")
        notebook.run(2)
        notebook.wait_text(2, "goes on from 1 turn before the kernel's restart")
        notebook.screenshot("after-a-restart", cell=2)
        expect(notebook.cell(2)).to_contain_text("main 2")
    assert [m["content"] for m in server.requests[-1].body["messages"]] == [
        "I am Ada.", "Hello Ada.", "Who am I?",
    ]  # fmt: skip


def run_study(lab: Lab, name: str, url: str, replay: str) -> nbformat.NotebookNode:
    made = study.notebook()
    made.cells[0].source = f"server = {url!r}\nreplay = {replay!r}"
    nbformat.write(made, lab.folder / name)
    with lab.open(name) as notebook:
        notebook.run_all()
        notebook.wait_idle()
        assert notebook.script_errors == []
        return notebook.save()


def test_a_study_is_replayed_without_a_server(lab: Lab) -> None:
    with study.server() as server:
        recorded = run_study(lab, "study.ipynb", server.url, "off")
        url = server.url
    cassette = (lab.folder / "study.jsonl").read_bytes()
    replayed = run_study(lab, "reader.ipynb", url, "only")
    for after, before in zip(study.shown(replayed), study.shown(recorded), strict=True):
        assert after == before
    assert (lab.folder / "study.jsonl").read_bytes() == cassette
