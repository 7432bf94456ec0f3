"""Those who are told of a run while it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from nbchat.display.waiting_lines import WaitingLines
    from nbchat.run import Run


class Watcher(Protocol):
    """Something that shows a run while it goes on."""

    def status(self, line: str) -> None:
        """Show a line about what is waited for; empty to take the latest away."""

    def update(self, run: Run) -> None:
        """Take note of a chunk. Called for each, so it must be cheap."""

    def finish(self, run: Run) -> None:
        """Show the end. Called once, after an error or interrupt too."""


class PrintingWatcher:
    """The watcher of calls that show nothing of their own: it says what is waited for."""

    def __init__(self) -> None:
        self._lines: WaitingLines | None = None

    def status(self, line: str) -> None:
        if line.strip():
            from nbchat.display.waiting_lines import WaitingLines

            self._lines = self._lines or WaitingLines()
            self._lines.add(line)
        elif not line and self._lines is not None:
            self._lines.take_away()

    def update(self, run: Run) -> None: ...

    def finish(self, run: Run) -> None: ...
