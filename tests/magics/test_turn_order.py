"""The line below a reply says with which turns its cell was sent."""

from __future__ import annotations

import pytest

import nbchat
from nbchat.magics.turn_order import after_cells
from nbchat.session import Turn
from tests.magics.conftest import Shell
from tests.scripted import ScriptedServer

NUMBERS = {f"c{n}": n for n in range(1, 40)}


def turns(*cells: object) -> list[Turn]:
    run = nbchat.Run(messages=[], params=nbchat.ChatParams())
    return [Turn((f"c{each}", 0) if isinstance(each, int) else each, [], run) for each in cells]


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ((), ""),
        ((2,), "after cell 2"),
        ((2, 5), "after cells 2, 5"),
        ((5, 2), "after cells 5, 2"),
        ((2, 2, 3), "after cells 2, 3"),
        ((2, 3, 4, 7), "after cells 2–4, 7"),
        ((None, 3), "after 1 earlier turn, cell 3"),
        ((None, ("gone", 0), 3), "after 2 earlier turns, cell 3"),
        ((None,), "after 1 earlier turn"),
        (tuple(range(1, 20, 2)), "after cells …, 9, 11, 13, 15, 17, 19"),
    ],
)
def test_turns_are_named_by_the_numbers_of_their_cells(
    cells: tuple[object, ...], said: str
) -> None:
    assert after_cells(turns(*cells), NUMBERS) == said


def test_cells_stand_in_the_order_in_which_they_ran_first(
    shell: Shell, server: ScriptedServer
) -> None:
    for number, cell in ((2, "a"), (3, "c"), (4, "b")):
        shell.ip.execution_count = number
        shell.ask(f"%%chat\n{cell}?", cell)
    assert "after cells 2, 3" in shell.cell.outputs[-1]["text/plain"]
    shell.ip.execution_count = 5
    shell.ask("%%chat\na again?", "a")
    assert "after" not in shell.cell.outputs[-1]["text/plain"]
    shell.ip.execution_count = 6
    shell.ask("%%chat\nc again?", "c")
    assert "after cell 5" in shell.cell.outputs[-1]["text/plain"]
    asked = [turn.asked[0]["content"] for turn in nbchat.Thread("main")]
    assert asked == ["a again?", "c again?", "b?"]
    shell.ask("%%chat --stateless\nalone", "d")
    assert "after" not in shell.cell.outputs[-1]["text/plain"]
