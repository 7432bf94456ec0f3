from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from IPython.core.events import EventManager, available_events

from nbchat.magics.cells import Cells


@pytest.fixture
def shell() -> Any:
    shell = SimpleNamespace()
    shell.events = EventManager(shell, available_events)
    return shell


def begin(shell: Any, source: str, cell_id: str | None = None) -> None:
    info = SimpleNamespace(raw_cell=source, cell_id=cell_id)
    shell.events.trigger("pre_run_cell", info)


def end(shell: Any) -> None:
    shell.events.trigger("post_run_cell", None)


def test_the_magics_of_one_cell_have_keys_of_their_own_that_stay(shell: Any) -> None:
    cells = Cells(shell)
    cells.start()
    seen = []
    for _ in range(2):
        begin(shell, "x", "a")
        seen.append([cells.next_key(), cells.next_key()])
        end(shell)
    assert seen[0] == seen[1]
    assert len(set(seen[0])) == 2


def test_a_cell_without_an_id_has_no_key(shell: Any) -> None:
    cells = Cells(shell)
    cells.start()
    begin(shell, "x")
    assert cells.next_key() is None


def test_the_cell_that_loads_the_extension_is_known(shell: Any) -> None:
    shell.get_parent = lambda: {"metadata": {"cellId": "a"}}
    assert Cells(shell).next_key() == ("a", 0)


def test_code_that_a_cell_runs_in_turn_belongs_to_the_cell(shell: Any) -> None:
    cells = Cells(shell)
    cells.start()
    begin(shell, "get_ipython().run_cell('%%chat')", "a")
    begin(shell, "%%chat\nx")
    assert cells.next_key() == ("a", 0)
    assert not cells.is_alone({"chat"})
    end(shell)
    assert cells.next_key() == ("a", 1)


@pytest.mark.parametrize(
    ("source", "is_alone"),
    [
        ("%%chat\nx", True),
        ("\n%%chat --n 1\nx\ny", True),
        ("%chat x", True),
        ("  %chat x\n", True),
        ("%chat x\n%chat y", False),
        ("print(1)\n%chat x", False),
        ("%%time\n%chat x", False),
        ("%%capture\n%%chat\nx", False),
        ("x = %chat x", False),
        ("%chatter", False),
        ("", False),
    ],
)
def test_a_magic_is_alone_where_the_cell_holds_nothing_else(
    shell: Any, source: str, is_alone: bool
) -> None:
    cells = Cells(shell)
    cells.start()
    begin(shell, source)
    assert cells.is_alone({"chat", "nbchat"}) is is_alone


def test_a_cell_whose_end_went_unheard_does_not_name_the_next_one(shell: Any) -> None:
    cells = Cells(shell)
    cells.start()
    for number, cell_id in enumerate(("a", "b")):
        shell.get_parent = lambda number=number: {"header": {"msg_id": str(number)}}
        begin(shell, "%%chat\nx", cell_id)
        assert cells.next_key() == (cell_id, 0)
        assert cells.is_alone({"chat"})


def test_after_stop_no_events_are_heard(shell: Any) -> None:
    cells = Cells(shell)
    cells.start()
    cells.stop()
    begin(shell, "%%chat\nx", "a")
    assert cells.next_key() is None
