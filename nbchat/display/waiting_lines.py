"""Lines about what is waited for, where a call shows nothing else of its own."""

from __future__ import annotations

import sys
import threading

from nbchat.display.characters import write
from nbchat.display.fragments import grey_html
from nbchat.display.growing import new_slot
from nbchat.display.publisher import Publisher, notebook_publisher


class WaitingLines:
    """In a notebook a grey display, which is empty when they are taken away; else stderr.

    Where a display cannot be updated, and on stderr, a line stays. What executes notebooks
    without a page (nbclient) names no cell, and updates displays all the same.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: list[str] = []
        self._publisher: Publisher | None = None
        self._display_id = ""

    def add(self, line: str) -> None:
        """Show a line below those that stand there."""
        with self._lock:
            publisher = self._publisher or notebook_publisher()
            if publisher is None:
                write(sys.stderr, f"{line}\n")
                return
            self._publisher = publisher
            self._lines.append(line)
            self._show(publisher)

    def take_away(self) -> None:
        """Take the latest line away: what it spoke of is over."""
        with self._lock:
            if self._publisher is not None and self._lines:
                self._lines.pop()
                self._show(self._publisher)

    def _show(self, publisher: Publisher) -> None:
        is_update = self._display_id != ""
        self._display_id = self._display_id or new_slot().id
        data = {
            "text/html": "".join(grey_html(line) for line in self._lines),
            "text/plain": "\n".join(self._lines),
        }
        publisher.show(data, self._display_id, is_update=is_update)
