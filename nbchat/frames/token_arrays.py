"""The token tables of many runs as one set of arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nbchat.frames.merged import merged
from nbchat.measures.sentinels import without_sentinels

if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterator, Sequence
    from typing import Any

    from numpy.typing import DTypeLike, NDArray

    from nbchat.api.logprobs import TokenTable
    from nbchat.api.response import Choice
    from nbchat.frames.source import RunLike

CHANNELS = ("content", "refusal")


class Owner(NamedTuple):
    """Whose tokens a stretch of the arrays holds."""

    run: int
    choice: Choice
    channel: int


@dataclass(frozen=True)
class Positions:
    """All positions of some runs, in the order of runs, choices and channels.

    - `owners`: one for each table; `borders`: int64, table i holds the positions
      borders[i] to borders[i + 1]
    - `codes` (int32, of the vocabulary), `logprobs` (nats, NaN for sentinels and where merged),
      `arrivals` (seconds), `is_merged` (bool, see `nbchat.frames.merged`): one for each position
    - `offsets` (int64): position i has the alternatives offsets[i] to offsets[i + 1] of
      `alternative_codes` and `alternative_logprobs`, still as sent in order and number
    """

    runs: Sequence[RunLike]
    owners: list[Owner]
    borders: NDArray[np.int64]
    codes: NDArray[np.int32]
    logprobs: NDArray[np.float64]
    arrivals: NDArray[np.float64]
    offsets: NDArray[np.int64]
    alternative_codes: NDArray[np.int32]
    alternative_logprobs: NDArray[np.float64]
    is_merged: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def lengths(self) -> NDArray[np.int64]:
        return np.diff(self.borders)

    def stretch(self, start: int, stop: int) -> Positions:
        """Give the positions from start to stop, which are of one table, as a table of their own.

        What a token contributes to the text depends on those before it, so that texts are
        right only where the stretch begins with its table.
        """
        table = int(np.searchsorted(self.borders, start, side="right")) - 1
        first, last = int(self.offsets[start]), int(self.offsets[stop])
        return replace(
            self,
            owners=self.owners[table : table + 1],
            borders=np.array([0, stop - start], dtype=np.int64),
            codes=self.codes[start:stop],
            logprobs=self.logprobs[start:stop],
            arrivals=self.arrivals[start:stop],
            is_merged=self.is_merged[start:stop],
            offsets=self.offsets[start : stop + 1] - first,
            alternative_codes=self.alternative_codes[first:last],
            alternative_logprobs=self.alternative_logprobs[first:last],
        )

    def places(self) -> NDArray[np.int32]:
        """Give the place of each position in its table."""
        starts = np.repeat(self.borders[:-1], self.lengths)
        return (np.arange(len(self)) - starts).astype(np.int32)


def positions_of(runs: Sequence[RunLike]) -> Positions:
    """Collect the tables of all choices of all runs. Tables that still grow are copied."""
    owners: list[Owner] = []
    tables: list[_Snapshot] = []
    for number, run in enumerate(runs):
        for choice, channel, table in _tables(run):
            owners.append(Owner(number, choice, channel))
            tables.append(_snapshot(table))
    counts = [0, *(len(t.codes) for t in tables)]
    listed = np.cumsum([0, *(len(t.alternative_codes) for t in tables)])
    offsets = [t.offsets[1:] + start for t, start in zip(tables, listed, strict=False)]
    positions = Positions(
        runs=runs,
        owners=owners,
        borders=np.cumsum(counts, dtype=np.int64),
        codes=_joined([t.codes for t in tables], np.int32),
        logprobs=without_sentinels(_joined([t.logprobs for t in tables], np.float64)),
        arrivals=_joined([t.arrivals for t in tables], np.float64),
        offsets=_joined([np.zeros(1, dtype=np.int64), *offsets], np.int64),
        alternative_codes=_joined([t.alternative_codes for t in tables], np.int32),
        alternative_logprobs=without_sentinels(
            _joined([t.alternative_logprobs for t in tables], np.float64)
        ),
        is_merged=np.zeros(sum(counts), dtype=bool),
    )
    is_merged = merged(positions)
    if not is_merged.any():
        return positions
    logprobs = np.where(is_merged, np.nan, positions.logprobs)
    return replace(positions, is_merged=is_merged, logprobs=logprobs)


def _tables(run: RunLike) -> Iterator[tuple[Choice, int, TokenTable]]:
    completion = run.completion
    if completion is None:
        return
    for choice in sorted(completion.choices, key=lambda c: c.index):
        if choice.logprobs is not None:
            for channel, name in enumerate(CHANNELS):
                table: TokenTable | None = getattr(choice.logprobs, name)
                if table is not None:
                    yield choice, channel, table


class _Snapshot(NamedTuple):
    codes: NDArray[np.int32]
    logprobs: NDArray[np.float64]
    arrivals: NDArray[np.float64]
    offsets: NDArray[np.int64]
    alternative_codes: NDArray[np.int32]
    alternative_logprobs: NDArray[np.float64]


def _snapshot(table: TokenTable) -> _Snapshot:
    # A table can be growing in another thread. Slices are copies that are taken at once, and
    # an array that lends its buffer out cannot grow. The offsets are written last, so that
    # what they point to is there.
    offsets = _view(table.offsets[:], np.int64)
    n, n_listed = len(offsets) - 1, int(offsets[-1])
    return _Snapshot(
        _view(table.codes[:n], np.int32),
        _view(table.logprobs[:n], np.float64),
        _view(table.arrivals[:n], np.float64),
        offsets,
        _view(table.alternative_codes[:n_listed], np.int32),
        _view(table.alternative_logprobs[:n_listed], np.float64),
    )


def _view(values: array[Any], dtype: DTypeLike) -> NDArray[Any]:
    return np.frombuffer(values, dtype=dtype) if len(values) else np.empty(0, dtype=dtype)


def _joined(parts: Sequence[NDArray[Any]], dtype: DTypeLike) -> NDArray[Any]:
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else np.empty(0, dtype=dtype)
