"""Which cell runs, and whether a magic is all there is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbchat.display.surroundings import names_no_cell, request_of
from nbchat.magics.turn_order import after_cells
from nbchat.session import Thread
from nbchat.session.keeping import begin_cell, end_cell

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from nbchat.session import Turn

Key = tuple[str, int]
_NO_CELLS = (
    "the front end does not say which cell runs: each run of a cell is a new turn "
    "(%chat reset begins anew)"
)


class Cells:
    """Follows IPython's events, to name the cell that runs.

    Front ends send an id with each execution: JupyterLab and VS Code do, a terminal does not.
    """

    def __init__(self, shell: Any):
        self._shell = shell
        # the cell with %load_ext has begun already
        self._cell_id: str | None = _parent_cell_id(shell)
        self._source: str | None = None
        self._request_id: str | None = None
        self._depth = 0
        self._n_requests = 0
        #: the number that each cell had when it ran last
        self._numbers: dict[str, int] = {}
        #: what has run where no cell is named
        self._unnamed: set[str] = set()

    def start(self) -> None:
        """Begin to listen."""
        self._shell.events.register("pre_run_cell", self._before)
        self._shell.events.register("post_run_cell", self._after)

    def stop(self) -> None:
        """Listen no more."""
        self._shell.events.unregister("pre_run_cell", self._before)
        self._shell.events.unregister("post_run_cell", self._after)

    def next_key(self) -> Hashable:
        """Name the turn of the magic that runs now, None where the cell has no id.

        The second magic of a cell has another key than the first.
        """
        number = self._n_requests
        self._n_requests += 1
        if self._cell_id is None:
            return None
        self._numbers[self._cell_id] = getattr(self._shell, "execution_count", 0)
        return self._cell_id, number

    def after(self, turns: Iterable[Turn]) -> str:
        """Say after which cells the one that runs is sent, where it is a cell that is named."""
        return "" if self._cell_id is None else after_cells(turns, self._numbers)

    def what_is_unknown(self) -> str:
        """Say that turns cannot be followed where no cell is named: once, and to what runs again.

        Not to what executes a notebook for others (nbconvert, papermill): it runs each cell once,
        in their order, and takes no answers.
        """
        request = request_of(self._shell)
        takes_answers = request.get("content", {}).get("allow_stdin", False)
        if not (takes_answers and names_no_cell(request)):
            return ""
        source = self._source or ""
        is_to_say = not self._unnamed or source in self._unnamed
        self._unnamed.add(source)
        return _NO_CELLS if is_to_say else ""

    def is_alone(self, names: set[str]) -> bool:
        """Tell whether the magic of one of these names is all that the running cell holds."""
        source = (self._source or "").strip()
        first = source.split(maxsplit=1)[0] if source else ""
        if first.startswith("%%"):
            return first[2:] in names
        return first.startswith("%") and first[1:] in names and "\n" not in source

    def _before(self, info: Any) -> None:
        self._depth += 1
        request_id = request_of(self._shell).get("header", {}).get("msg_id")
        if request_id != self._request_id:
            # a new request of the front end; the end of the last one may have gone unheard
            self._request_id, self._depth = request_id, 1
        if self._depth == 1:
            self._cell_id = getattr(info, "cell_id", None)
            self._source = info.raw_cell
            self._n_requests = 0
            begin_cell()
            deleted = request_of(self._shell).get("metadata", {}).get("deletedCells")
            if deleted:
                Thread.forget_cells({cell for cell in deleted if isinstance(cell, str)})

    def _after(self, _result: Any) -> None:
        self._depth = max(0, self._depth - 1)
        if not self._depth:
            end_cell()


def _parent_cell_id(shell: Any) -> str | None:
    cell_id = request_of(shell).get("metadata", {}).get("cellId")
    return cell_id if isinstance(cell_id, str) else None
