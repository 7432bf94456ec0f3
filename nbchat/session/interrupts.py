"""Interrupts: one line in the place of a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_LINE = "Interrupted. What had come of the reply is kept."


def shorten(interrupt: KeyboardInterrupt) -> None:
    """Let IPython show one line for this interrupt, without a tour through libraries."""
    interrupt._render_traceback_ = lambda: [_LINE]  # type: ignore[attr-defined]


@contextmanager
def shortened() -> Iterator[None]:
    """Shorten an interrupt that comes in here, wherever it was noticed."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        shorten(interrupt)
        raise
