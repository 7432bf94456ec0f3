"""What of a sweep cannot be asked in other processes, found before anything is sent."""

from __future__ import annotations

from nbchat.errors import CheckError
from nbchat.session.budget import Budget
from nbchat.session.state import STATE
from nbchat.session.worst_case import worst_case
from nbchat.sweep.design import Cell
from nbchat.sweep.executors import Work
from nbchat.sweep.parcel import Wrapping
from nbchat.sweep.request_size import order_of

#: points of a grid that are tried
_MOST_TRIED = 200


def refuse_what_cannot_be_sent(work: Work, wrapping: Wrapping, *, is_here: bool) -> None:
    """Raise CheckError for what cannot be asked elsewhere. Nothing was sent."""
    design, rows = work.design, work.design.rows()
    left_usd = budget_left(work)
    for place in range(min(len(design.grid.points), _MOST_TRIED)):
        row = rows[place * design.repeats]
        prepared = design.cell_of(row)
        replay = getattr(prepared.options, "replay", None) or STATE.settings.replay
        if replay not in (None, "off"):
            raise CheckError(
                f'replay is "{replay}", and the record is in this process: leave the executor '
                "out, or the replay. Nothing was sent.",
                field="executor",
            )
        if left_usd is not None:
            case = worst_case(order_of(prepared))
            if case.usd is None:
                Budget(left_usd).reserve(None, case.what)  # which says what is not known
        toolbox = prepared.toolbox
        if toolbox is not None and toolbox.confirm and not is_here:
            raise CheckError(
                "confirm asks here before a function runs, and the functions of this sweep run "
                "on workers: leave confirm out, or the executor. Nothing was sent.",
                field="confirm",
            )
        if not is_here:
            wrapping.contents([Cell((row,), (prepared,))])


def budget_left(work: Work) -> float | None:
    """Give what rows may cost in all: what is left of the sweep's budget, and of the process's."""
    left = [STATE.budget.left_usd, None if work.budget is None else work.budget.left_usd]
    known = [usd for usd in left if usd is not None]
    return min(known) if known else None
