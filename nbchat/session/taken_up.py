"""Conversations of cells that a kernel before this one had in the same notebook."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Hashable
from typing import TYPE_CHECKING

from nbchat.errors import HistoryError, UnreadableRunError
from nbchat.session.keeping import tell
from nbchat.session.notebook import current_notebook

if TYPE_CHECKING:
    from nbchat.run import Run
    from nbchat.session.threads import Turn

_FORK = re.compile(r"(.+)\.\d+\Z")


def turns_before(name: str, *, says: bool = True) -> list[Turn]:
    """Give the turns of a conversation that this notebook's cells had before the kernel began.

    What is taken up is said below the cell, if it `says` so. Nothing where the notebook is not
    known, or the history is off or cannot be read: then the conversation begins anew.
    """
    notebook = current_notebook()
    if notebook is None:
        return []
    turns: list[Turn] = []
    with contextlib.suppress(HistoryError, UnreadableRunError):
        turns = _turns(notebook, name)
    if turns and says:
        count = f"{len(turns)} turn{'' if len(turns) == 1 else 's'}"
        tell(
            f"The conversation {name!r} goes on from {count} before the kernel's restart "
            f"(nbchat.Thread({name!r}).clear() forgets them)."
        )
    return turns


def names_before() -> Collection[str]:
    """Give the names of all conversations that the cells of this notebook had."""
    notebook = current_notebook()
    if notebook is None:
        return ()
    from nbchat.history import store

    with contextlib.suppress(HistoryError):
        return store.threads_of(notebook)
    return ()


def fork_before(name: str, cell: Hashable) -> str | None:
    """Give the name of the fork that a cell made of a conversation before the kernel began."""
    notebook = current_notebook()
    if notebook is None or not isinstance(cell, tuple):
        return None
    from nbchat.history import store

    made: str | None = None
    with contextlib.suppress(HistoryError):
        made = store.thread_of_cell(notebook, *cell)
    fork = None if made is None else _FORK.match(made)
    stem = name.split(".", maxsplit=1)[0]
    return None if fork is None or fork[1] != stem or made == name else made


def forget(name: str | None, cells: Collection[str] = ()) -> None:
    """Let what was cleared, or whose cells are gone, not come back in a later kernel."""
    notebook = current_notebook()
    if notebook is None:
        return
    from nbchat.history import store

    for cell in cells or (None,):
        store.forget(notebook, thread=name, cell=cell)


def _turns(notebook: str, name: str) -> list[Turn]:
    from nbchat.history import store

    stored = store.turns_of(notebook, name)
    turns = [_turn(run, name) for run, _ in stored]
    fork = _FORK.match(name)
    if not stored or fork is None:
        return turns
    # a fork begins with what the conversation had that it was made of
    first = stored[0][1]
    return [*_turns(notebook, fork[1])[: first - 1], *turns]


def _turn(run: Run, name: str) -> Turn:
    from nbchat.session.threads import Turn

    place = run.cell_turn
    assert place is not None  # noqa: S101 - it was chosen by it
    return Turn(
        (run.cell, place.magic),
        run.messages[place.begins : place.ends],
        run,
        place.system,
        home=run.thread or name,
    )
