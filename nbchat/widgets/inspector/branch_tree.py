"""The branches of the runs that are inspected, and the threads that write them."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING, Any, Protocol

from nbchat.errors import NbchatError
from nbchat.frames.branches import branches
from nbchat.frames.token_texts import visible
from nbchat.session.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pandas as pd

    from nbchat.frames.packed import Table
    from nbchat.run import Run


@dataclass
class Node:
    """A run that parts from another one: from that of branch `parent_id`, None for a given run.

    `number` is the run's on the page. `token`, `display`, `prob`, `logprob` are those of the
    alternative that stands at `position`; NaN where unknown. `mass` is that of a way of a tree.
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
    mass: float = nan

    @property
    def plain(self) -> dict[str, Any]:
        """What the page is told: plain JSON."""
        shown = ("branch_id", "parent_id", "number", "position", "display", "method", "label")
        return {
            **{name: getattr(self, name) for name in shown},
            "depth": self.depth,
            "prob": None if self.prob != self.prob else self.prob,
            "mass": None if self.mass != self.mass else self.mass,
        }


class Tree:
    """All branches, in the order in which they were begun."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []

    def node_of(self, number: int) -> Node | None:
        """Give the branch whose run has this number on the page; None for a given run."""
        return next((node for node in self.nodes if node.number == number), None)

    def grow(self, branch: Parted, run: Run, number: int, parent: int, table: Table) -> Node:
        """Add a run of a branch that parts from the run with the number `parent`."""
        above = self.node_of(parent)
        node = Node(
            branch_id=len(self.nodes) + 1,
            parent_id=None if above is None else above.branch_id,
            run=run,
            number=number,
            depth=1 if above is None else above.depth + 1,
            position=branch.position,
            method=branch.method,
            label=branch.label,
            **_token(branch, table),
        )
        self.nodes.append(node)
        return node

    def frame(self) -> pd.DataFrame:
        """Give one row for each branch (see `nbchat.frames.branches`)."""
        return branches(self.nodes)

    @property
    def plain(self) -> list[dict[str, Any]]:
        return [node.plain for node in self.nodes]


def _token(branch: Parted, table: Table) -> dict[str, Any]:
    listed = table.alternatives_frame(branch.position)
    rows = listed[listed["token"] == branch.alternative]
    if branch.token_id is not None and rows["token_id"].notna().any():
        rows = rows[rows["token_id"] == branch.token_id]
    row = rows.iloc[0] if len(rows) else None
    return {
        "token": branch.alternative,
        "display": visible(branch.alternative) or "∅" if row is None else str(row["display"]),
        "prob": nan if row is None else float(row["prob"]),
        "logprob": nan if row is None else float(row["logprob"]),
    }


class Played(Protocol):
    """What is done in the background, and can be stopped."""

    def play(self) -> Any: ...

    def cancel(self) -> None: ...


class Parted(Protocol):
    """A branch: see `nbchat.analysis.branch.Branch`, and `Started` there of one that is begun."""

    @property
    def parent(self) -> Run: ...
    @property
    def choice(self) -> int: ...
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


class Writing:
    """What is written or asked for, in the threads of a pool: the kernel stays free.

    `tell` is called when that changes: with "busy", a bool, and "sentence", what went wrong with
    the last one, "" for nothing.
    """

    def __init__(self, tell: Callable[[dict[str, Any]], None]):
        self._tell = tell
        self._pool: Pool[_Task] = Pool(on_end=self._over, on_skip=self._over, name="nbchat-branch")
        self._lock = threading.Lock()
        self._n_open = 0

    @property
    def is_busy(self) -> bool:
        return self._n_open > 0

    def begin(self, start: Callable[[], Played], end: Callable[[Any], None]) -> None:
        """Start and play something; `end` is given what `play` gave."""
        with self._lock:
            self._n_open += 1
        self._tell({"busy": True, "sentence": ""})
        self._pool.add([_Task(start, end)])

    def stop(self) -> None:
        """Stop all of them. What has come is kept."""
        self._pool.stop()

    def _over(self, task: _Task, error: BaseException | None) -> None:
        sentence = ""
        if error is not None and not task.is_stopped:
            is_ours = isinstance(error, NbchatError)
            sentence = str(error) if is_ours else f"{type(error).__name__}: {error}"
        with self._lock:
            self._n_open -= 1
        self._tell({"busy": self.is_busy, "sentence": sentence})


class _Task:
    """A branch, or the like, from its beginning to its end: a job of the pool."""

    def __init__(self, start: Callable[[], Played], end: Callable[[Any], None]):
        self.is_stopped = False
        self._start = start
        self._end = end
        self._started: Played | None = None

    def __iter__(self) -> Iterator[None]:
        self._started = started = self._start()
        if self.is_stopped:
            started.cancel()
        self._end(started.play())
        yield

    def cancel(self) -> None:
        self.is_stopped = True
        if self._started is not None:
            self._started.cancel()
