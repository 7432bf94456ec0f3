"""``%%chat --background``: the cell is given back at once, and the reply goes on below it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from nbchat import display
from nbchat.display.at_end import ReplyAtEnd
from nbchat.errors import MagicUsageError, NbchatError
from nbchat.session.background import Background
from nbchat.session.execution import Execution
from nbchat.session.state import STATE

if TYPE_CHECKING:
    from nbchat.request.prepare import Prepared
    from nbchat.run import Run


_ENDS_WITHIN_S = 2.0


def begin_in_background(prepared: Prepared, name: str | None) -> Run:
    """Begin a request that shows its reply in the cell that runs now, and give its run.

    `name`: the variable that it will have. What the same cell began before and still goes on is
    stopped. Raise MagicUsageError where somebody would have to answer questions meanwhile.
    """
    if prepared.options.confirm:
        raise MagicUsageError("--background cannot be asked, so --confirm does not go with it.")
    stop_earlier(prepared.cell)
    # other cells run meanwhile: what they print must not be cleared away
    watcher = display.watch(owns_cell=False, sent=prepared.new_messages)

    def ended(error: BaseException | None) -> None:
        watcher.__exit__()
        if error is not None:
            watcher.say(f"{type(error).__name__}: {error}")

    background = Background(Execution(prepared, watcher=watcher), on_end=ended)
    watcher.__enter__()
    try:
        run = background.begin()
    except BaseException:
        watcher.__exit__()
        raise
    if isinstance(watcher, ReplyAtEnd):
        # what runs cells in the server shows nothing of a cell that is over
        has_it = (
            f"nbchat.runs({run.id[:16]!r}) has it" if name is None else f"{name}.wait() shows it"
        )
        watcher.say_at_once(
            "the reply goes on; where the front end shows what comes after a cell has ended, it is "
            f"shown here when it is whole, and {has_it} in any case"
        )
    if prepared.cell is not None:
        STATE.background[prepared.cell] = run
    return run


def stop_earlier(cell: Any) -> None:
    """Stop what this cell began in the background, where it still goes on."""
    earlier: Run | None = STATE.background.pop(cell, None)
    if earlier is not None and earlier.status == "running":
        earlier.stop()
        # its turn is put down before the new one, which takes its place
        with contextlib.suppress(NbchatError):
            earlier.wait(_ENDS_WITHIN_S)
