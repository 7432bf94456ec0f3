"""The branches frame: one row for each run that parts from another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from nbchat.frames.assembly import assemble
from nbchat.frames.columns import columns_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from nbchat.frames.source import RunLike


class BranchLike(Protocol):
    """What a branch has that the frame reads; the columns say what it means."""

    @property
    def branch_id(self) -> int: ...
    @property
    def parent_id(self) -> int | None: ...
    @property
    def run(self) -> RunLike: ...
    @property
    def position(self) -> int: ...
    @property
    def token(self) -> str: ...
    @property
    def display(self) -> str: ...
    @property
    def prob(self) -> float: ...
    @property
    def logprob(self) -> float: ...
    @property
    def method(self) -> str: ...
    @property
    def depth(self) -> int: ...


def branches(nodes: Iterable[BranchLike]) -> pd.DataFrame:
    """Give one row for each branch; `nbchat.frames.columns` declares the columns."""
    nodes = list(nodes)
    of_branches = {
        column.name: [getattr(node, column.name, None) for node in nodes]
        for column in columns_of("branches")
    }
    of_branches["run_id"] = [node.run.id for node in nodes]
    of_branches["text"] = [_text(node.run) for node in nodes]
    return assemble("branches", of_branches)


def _text(run: RunLike) -> str:
    choices = [] if run.completion is None else run.completion.choices
    return (choices[0].message.content or "") if choices else ""
