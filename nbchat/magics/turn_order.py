"""With which turns a cell was sent, by the numbers of their cells.

No front end says in which order the cells of a notebook stand: JupyterLab sends the id of the cell
that runs and of those that are deleted, VS Code an address. So turns are in the order in which
their cells ran first, and the line below a reply says which these were.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbchat.session import Turn

_MOST = 6


def after_cells(turns: Iterable[Turn], numbers: Mapping[str, int]) -> str:
    """Say after which cells one was sent; empty for the first. `numbers`: those of cells by id.

    Turns of no cell, and of cells that ran before the kernel was restarted, are counted.
    """
    known: list[int] = []
    n_others = 0
    for turn in turns:
        number = numbers.get(turn.cell[0]) if isinstance(turn.cell, tuple) else None
        if number is not None:
            known.append(number)
        else:
            n_others += 1
    cells = [number for number, _ in groupby(known)]  # a cell can have several turns
    parts = []
    if n_others:
        parts.append(f"{n_others} earlier turn{'s' if n_others > 1 else ''}")
    if cells:
        parts.append(f"cell{'s' if len(cells) > 1 else ''} {_listed(cells)}")
    return f"after {', '.join(parts)}" if parts else ""


def _listed(cells: list[int]) -> str:
    """Write numbers with those that follow one another as a range; of many the last ones."""
    ranges: list[list[int]] = []
    for number in cells:
        if ranges and number == ranges[-1][-1] + 1:
            ranges[-1].append(number)
        else:
            ranges.append([number])
    texts = [
        str(each[0]) if len(each) == 1 else f"{each[0]}{', ' if len(each) == 2 else '–'}{each[-1]}"
        for each in ranges
    ]
    return ", ".join(["…", *texts[-_MOST:]] if len(texts) > _MOST else texts)
