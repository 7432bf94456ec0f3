"""The branches of the runs that are inspected, and the threads that write them."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING, Any, Protocol

from nbchat.errors import NbchatError
from nbchat.frames.branches import branches
from nbchat.frames.token_texts import visible

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from nbchat.frames.packed import Table
    from nbchat.run import Run


@dataclass
class Node:
    """A run that parts from another one: from that of branch `parent_id`, None for a given run.

    `number` is the run's on the page. `token`, `display`, `prob`, `logprob` are those of the
    alternative that stands at `position`; NaN where unknown.
    """

    branch_id: int
    parent_id: int | None
    run: Run
    number: int
    position: int
    token: str
    display: str
    prob: float
    logprob: float
    method: str
    label: str
    depth: int

    @property
    def plain(self) -> dict[str, Any]:
        """What the page is told: plain JSON."""
        shown = ("branch_id", "parent_id", "number", "position", "display", "method", "label")
        return {
            **{name: getattr(self, name) for name in shown},
            "depth": self.depth,
            "prob": None if self.prob != self.prob else self.prob,
        }


class Tree:
    """All branches, in the order in which they were begun."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []

    def node_of(self, number: int) -> Node | None:
        """Give the branch whose run has this number on the page; None for a given run."""
        return next((node for node in self.nodes if node.number == number), None)

    def grow(self, started: Started, run: Run, number: int, parent: int, table: Table) -> Node:
        """Add a run of a branch that parts from the run with the number `parent`."""
        above = self.node_of(parent)
        node = Node(
            branch_id=len(self.nodes) + 1,
            parent_id=None if above is None else above.branch_id,
            run=run,
            number=number,
            depth=1 if above is None else above.depth + 1,
            position=started.position,
            method=started.method,
            label=started.label,
            **_token(started, table),
        )
        self.nodes.append(node)
        return node

    def frame(self) -> pd.DataFrame:
        """Give one row for each branch (see `nbchat.frames.branches`)."""
        return branches(self.nodes)

    @property
    def plain(self) -> list[dict[str, Any]]:
        return [node.plain for node in self.nodes]


def _token(started: Started, table: Table) -> dict[str, Any]:
    listed = table.alternatives_frame(started.position)
    found = listed[listed["token"] == started.alternative]
    if started.token_id is not None and found["token_id"].notna().any():
        found = found[found["token_id"] == started.token_id]
    row = found.iloc[0] if len(found) else None
    return {
        "token": started.alternative,
        "display": visible(started.alternative) or "∅" if row is None else str(row["display"]),
        "prob": nan if row is None else float(row["prob"]),
        "logprob": nan if row is None else float(row["logprob"]),
    }


class Started(Protocol):
    """A branch that was begun: see `nbchat.analysis.branch.Started`."""

    @property
    def runs(self) -> list[Run]: ...
    @property
    def position(self) -> int: ...
    @property
    def alternative(self) -> str: ...
    @property
    def token_id(self) -> int | None: ...
    @property
    def method(self) -> str: ...
    @property
    def label(self) -> str: ...

    def play(self) -> Any: ...

    def cancel(self) -> None: ...


class Writing:
    """The branches that are being written, each in a thread of its own: the kernel stays free.

    `tell` is called when that changes: with "busy", a bool, and "sentence", what went wrong with
    the last one, "" for nothing.
    """

    def __init__(self, tell: Callable[[dict[str, Any]], None]):
        self._tell = tell
        self._lock = threading.Lock()
        self._tasks: dict[threading.Thread, _Task] = {}

    @property
    def is_busy(self) -> bool:
        return bool(self._tasks)

    def begin(self, start: Callable[[], Started], end: Callable[[Any], None]) -> None:
        """Start and play a branch; `end` is given what `play` gave."""
        task = _Task(start, end)
        thread = threading.Thread(target=self._work, args=(task,), daemon=True, name="branch")
        with self._lock:
            self._tasks[thread] = task
        self._tell({"busy": True, "sentence": ""})
        thread.start()

    def stop(self) -> None:
        """Stop all of them. What has come is kept."""
        for task in list(self._tasks.values()):
            task.stop()

    def _work(self, task: _Task) -> None:
        sentence = ""
        try:
            task.run()
        except NbchatError as error:
            sentence = str(error)
        except Exception as error:  # noqa: BLE001 - there is no cell to show it in: the page does
            sentence = f"{type(error).__name__}: {error}"
        with self._lock:
            del self._tasks[threading.current_thread()]
            is_busy = bool(self._tasks)
        self._tell({"busy": is_busy, "sentence": "" if task.is_stopped else sentence})


class _Task:
    def __init__(self, start: Callable[[], Started], end: Callable[[Any], None]):
        self.is_stopped = False
        self._start = start
        self._end = end
        self._started: Started | None = None

    def run(self) -> None:
        self._started = started = self._start()
        if self.is_stopped:
            started.cancel()
        self._end(started.play())

    def stop(self) -> None:
        self.is_stopped = True
        if self._started is not None:
            self._started.cancel()
