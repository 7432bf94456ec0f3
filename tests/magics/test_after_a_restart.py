"""Conversations of cells in a kernel that begins anew: they go on, in the same notebook."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import nbchat
from nbchat.history import store
from nbchat.session import Thread
from nbchat.session.state import STATE
from tests.kernel import Kernel
from tests.scripted import ScriptedServer, error, speaking


class Notebook:
    """The cells of a notebook, whose kernel can begin anew."""

    def __init__(self, shell: Any, server: ScriptedServer, patch: pytest.MonkeyPatch):
        self._shell = shell
        self._server = server
        self._patch = patch
        patch.setattr(shell.ip, "kernel", object(), raising=False)
        self.begin("study.ipynb")

    def begin(self, name: str | None = "study.ipynb") -> None:
        """Forget all that a kernel remembers."""
        assert store.flush(30)
        STATE.reset()
        STATE.settings.max_retries = 0
        if name is None:
            self._patch.delenv("JPY_SESSION_NAME", raising=False)
        else:
            self._patch.setenv("JPY_SESSION_NAME", name)

    def run(self, cell: str, code: str, *answers: str) -> list[str]:
        """Run a cell; give the messages of its last request."""
        self._server.reply(*(speaking(text) for text in answers))
        self._shell.ask(code, cell_id=cell)
        return [message["content"] for message in self._server.requests[-1].body["messages"]]

    def fail(self, cell: str, code: str) -> None:
        self._server.reply(error(400, "no"))
        self._shell.error(code, cell_id=cell)


@pytest.fixture
def notebook(
    shell: Any, server: ScriptedServer, history: Path, monkeypatch: pytest.MonkeyPatch
) -> Notebook:
    return Notebook(shell, server, monkeypatch)


def test_a_conversation_goes_on_and_says_so_once(
    notebook: Notebook, capsys: pytest.CaptureFixture[str]
) -> None:
    notebook.run("a", "%%chat\nMy name is Ada.", "Ada!")
    notebook.run("b", "%%chat --system Be-brief.\nThink.", "Hm.")
    assert "restart" not in capsys.readouterr().out
    notebook.begin()
    assert notebook.run("c", "%%chat\nWhat is my name?", "Ada.") == [
        "Be-brief.", "My name is Ada.", "Ada!", "Think.", "Hm.", "What is my name?",
    ]  # fmt: skip
    assert "'main' goes on from 2 turns before the kernel's restart" in capsys.readouterr().out
    notebook.run("d", "%%chat\nReally?", "Yes.")
    assert "restart" not in capsys.readouterr().out
    # a cell that runs again replaces its turn, also that of the kernel before
    assert notebook.run("b", "%%chat\nThink again.", "Hm!") == [
        "My name is Ada.", "Ada!", "Think again.",
    ]  # fmt: skip
    assert [turn.run.turn for turn in Thread().turns] == [1, 2, 3, 4]


def test_what_was_cleared_deleted_moved_away_or_failed_does_not_come_back(
    notebook: Notebook,
) -> None:
    for cell, text in [("a", "one"), ("b", "two"), ("c", "three"), ("d", "four")]:
        notebook.run(cell, f"%%chat\n{text}", text.upper())
    notebook.run("c", "%%chat --stateless\nthree", "THREE")
    notebook.run("d", "%%chat --thread other\nfour", "FOUR")
    notebook.fail("f", "%%chat\nfailed")
    Thread.forget_cells({"a"})
    notebook.begin()
    assert [message["content"] for message in Thread().messages] == ["two", "TWO"]
    assert [message["content"] for message in Thread("other").messages] == ["four", "FOUR"]
    Thread("other").clear()
    notebook.run("d", "%%chat --thread other\nfive", "FIVE")
    notebook.begin()
    assert [message["content"] for message in Thread("other").messages] == ["five", "FIVE"]


def test_what_failed_last_leaves_the_turn_that_its_cell_had(notebook: Notebook) -> None:
    notebook.run("a", "%%chat\none", "ONE")
    notebook.fail("a", "%%chat\nfailed")
    notebook.begin()
    assert [message["content"] for message in Thread().messages] == ["one", "ONE"]


def test_a_fork_of_a_cell_is_the_same_fork_afterwards(notebook: Notebook) -> None:
    notebook.run("a", "%%chat\none", "1")
    notebook.run("b", "%%chat --fork\nwhat if", "2")
    notebook.run("c", "%%chat --thread main.2\nand then", "3")
    notebook.begin()
    asked = notebook.run("d", "%%chat --thread main.2\nat last", "4")
    assert asked == ["one", "1", "what if", "2", "and then", "3", "at last"]
    notebook.begin()
    assert notebook.run("b", "%%chat --fork\nwhat if", "5") == ["one", "1", "what if"]
    notebook.run("e", "%%chat --fork\nanother", "6")
    assert Thread.names() == ["main", "main.2", "main.3"]
    assert [turn.cell[0] for turn in Thread("main.2").turns] == ["a", "b", "c", "d"]  # type: ignore[index]


@pytest.mark.parametrize("name", ["other.ipynb", None])
def test_in_another_notebook_or_in_none_it_begins_anew(
    name: str | None, notebook: Notebook, capsys: pytest.CaptureFixture[str]
) -> None:
    notebook.run("a", "%%chat\none", "1")
    notebook.begin(name)
    assert notebook.run("b", "%%chat\ntwo", "2") == ["two"]
    assert "restart" not in capsys.readouterr().out


def test_without_a_history_it_begins_anew(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook.run("a", "%%chat\none", "1")
    notebook.begin()
    monkeypatch.setenv("NBCHAT_HISTORY", "off")
    assert notebook.run("b", "%%chat\ntwo", "2") == ["two"]


def test_all_cells_run_again_ask_what_they_asked(notebook: Notebook) -> None:
    cells = {"a": "%%chat\none", "b": "%chat two\n%chat three"}
    asked = [notebook.run(cell, code, "x", "x") for cell, code in cells.items()]
    notebook.begin()
    assert [notebook.run(cell, code, "x", "x") for cell, code in cells.items()] == asked


def test_a_dry_run_shows_the_conversation_and_takes_nothing_up(
    notebook: Notebook, shell: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    notebook.run("a", "%%chat\none", "1")
    notebook.begin()
    shell.ask("%%chat --dry-run\ntwo", cell_id="b")
    assert "one" in str(vars(shell.cell))
    assert Thread.names() == []
    assert "restart" not in capsys.readouterr().out


def test_rounds_of_calls_come_back_with_their_results(notebook: Notebook, shell: Any) -> None:
    from tests.session.test_rounds import calling

    shell.ask("def add(a: int, b: int) -> int:\n    return a + b")
    notebook._server.reply(calling(("add", {"a": 1, "b": 2})), speaking("3"))
    shell.ask("%%chat --tools add\nAdd.", cell_id="a")
    notebook.begin()
    notebook.run("b", "%%chat\nAgain.", "3")
    roles = [message["role"] for message in notebook._server.requests[-1].body["messages"]]
    assert roles == ["user", "assistant", "tool", "assistant", "user"]


def test_what_a_python_call_asked_of_a_thread_is_not_taken_up(notebook: Notebook) -> None:
    notebook.run("a", "import nbchat\nnbchat.Thread('main').ask('one')", "1")
    notebook.begin()
    assert nbchat.Thread("main").messages == []


@pytest.mark.kernel
def test_a_real_kernel_goes_on_after_its_restart(tmp_path: Path, server: ScriptedServer) -> None:
    server.reply(speaking("Ada!"), speaking("Ada."))
    env = {
        "NBCHAT_HISTORY": str(tmp_path / "history.sqlite"),
        "JPY_SESSION_NAME": str(tmp_path / "study.ipynb"),
        "OPENAI_BASE_URL": server.url,
        "OPENAI_API_KEY": "a-key",
    }
    with Kernel(env=env) as kernel:
        kernel.run("%load_ext nbchat")
        first = kernel.execute("%%chat\nMy name is Ada.", "a")
        kernel.restart()
        kernel.run("%load_ext nbchat")
        then = kernel.execute("%%chat\nWhat is my name?", "b")
    asked = [message["content"] for message in server.requests[-1].body["messages"]]
    assert asked == ["My name is Ada.", "Ada!", "What is my name?"]
    assert "main 2" in then.text
    # below the reply, which clears what stood in the cell while it came
    news = [output for output in then.final_outputs() if output["output_type"] == "stream"]
    assert [output["text"].startswith("The conversation 'main' goes on") for output in news] == [
        True
    ]
    assert "Runs are kept in" in first.text
