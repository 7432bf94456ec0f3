"""Those who are told of a run while it goes on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol

from nbchat.display.characters import write

if TYPE_CHECKING:
    from nbchat.run import Run


class Watcher(Protocol):
    """Something that shows a run while it goes on."""

    def status(self, line: str) -> None:
        """Show a line about what is waited for."""

    def update(self, run: Run) -> None:
        """Take note of a chunk. Called for each, so it must be cheap."""

    def finish(self, run: Run) -> None:
        """Show the end. Called once, after an error or interrupt too."""


class PrintingWatcher:
    """The watcher of calls that show nothing of their own: it prints what is waited for."""

    def status(self, line: str) -> None:
        if line.strip():
            write(sys.stderr, f"{line}\n")

    def update(self, run: Run) -> None: ...

    def finish(self, run: Run) -> None: ...
