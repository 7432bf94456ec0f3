"""The rows that a run lacks, asked for in the background."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbchat.analysis.rescore import Started
    from nbchat.run import Run


class Rereading:
    """Gives choices of a run a row for each of their tokens, one choice after the other."""

    def __init__(self, run: Run, choices: Sequence[int]):
        self._run = run
        self._choices = choices
        self._started: Started | None = None
        self._is_cancelled = False

    def play(self) -> Run:
        """Ask for them, and give the run that has them. Raise as `nbchat.rescore` does."""
        from nbchat.analysis.rescore import start

        for choice in self._choices:
            self._started = start(self._run, choice=choice)
            if self._is_cancelled:
                self._started.cancel()
            self._run = self._started.play().run
        return self._run

    def cancel(self) -> None:
        """Stop from another thread; the run stays as it was."""
        self._is_cancelled = True
        if self._started is not None:
            self._started.cancel()
