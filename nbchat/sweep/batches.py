"""Frames of a sweep that do not fit into memory, in pieces."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from nbchat.errors import CheckError

if TYPE_CHECKING:
    import pandas as pd

    from nbchat.run import Run

#: runs of a piece, where nothing else is said
RUNS = 1_000


class Batches:
    """A frame of many runs: iterate for its pieces, each of the tokens of so many runs."""

    def __init__(
        self,
        runs: Callable[[], Iterator[Run]],
        columns: Sequence[str] | None,
        n_runs: int = RUNS,
    ):
        self._runs, self._columns, self._n_runs = runs, columns, n_runs

    def __iter__(self) -> Iterator[pd.DataFrame]:
        from nbchat import frames

        for runs in _pieces(self._runs(), self._n_runs):
            yield with_columns(frames.tokens(runs), self._columns)


def _pieces(runs: Iterator[Run], n: int) -> Iterator[list[Run]]:
    while piece := list(itertools.islice(runs, n)):
        yield piece


def with_columns(frame: pd.DataFrame, columns: Sequence[str] | None) -> pd.DataFrame:
    """Give these columns of a frame, None for all. Raise CheckError for one that is not there."""
    if columns is None:
        return frame
    unknown = [name for name in columns if name not in frame]
    if unknown:
        raise CheckError(
            f"columns: there is no {unknown[0]} in this frame, which has "
            f"{', '.join(map(str, frame))}.",
            field="columns",
            value=unknown[0],
        )
    return frame[list(columns)]
