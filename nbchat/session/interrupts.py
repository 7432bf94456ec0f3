"""Interrupts: one line in the place of a traceback."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

_KEPT = "Interrupted. What had come of the reply is kept."
_NOTHING = "Interrupted before anything of a reply had come."


class InterruptedRun(Protocol):
    """What tells whether something of a run had come."""

    @property
    def has_come(self) -> bool: ...


def shorten(interrupt: KeyboardInterrupt, runs: Iterable[InterruptedRun] = ()) -> None:
    """Let IPython show one line for this interrupt, without a tour through libraries.

    `runs`: those that it cut off, beside the ones that are known; the line says whether
    something of them is kept.
    """
    known = [*vars(interrupt).get("runs", ()), *runs]
    interrupt.runs = known  # type: ignore[attr-defined]
    interrupt._render_traceback_ = lambda: [_line(known)]  # type: ignore[attr-defined]


def _line(runs: list[InterruptedRun]) -> str:
    return _KEPT if any(run.has_come for run in runs) else _NOTHING


@contextmanager
def shortened() -> Iterator[None]:
    """Shorten an interrupt that comes in here, wherever it was noticed."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        shorten(interrupt)
        raise
