"""A reply where displays cannot be updated: shown whole, once, when it has come."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nbchat.display.fragments import grey_bundle
from nbchat.display.growing import Show, Slot, new_slot
from nbchat.display.live import LiveReply
from nbchat.display.pace import Cost
from nbchat.display.page import Page

if TYPE_CHECKING:
    from nbchat.display.publisher import Publisher
    from nbchat.display.shown_run import ShownRun

WAITING = "the reply is shown here when it is whole; nbchat.runs() has what has come of it"


class ReplyAtEnd(LiveReply):
    """Watches one run, says that it is waited for, and shows it when it is whole."""

    def __init__(self, publisher: Publisher, *, owns_cell: bool = False, **options: Any):
        super().__init__(publisher, owns_cell=owns_cell, **options)
        self._may_clear = owns_cell
        self._line_shown = ""
        self._at_once: Slot | None = None

    def update(self, run: ShownRun) -> None:
        """Take note that there is more."""
        self.run = run

    def paint(self) -> Cost:
        """Say once what is waited for."""
        with self._lock:
            self.dirty = False
            line = self._page.status
            if self._is_finished or self._line_shown or not line:
                return Cost(0, 0)
            self._line_shown = line
            return Cost(1, self._publish(Show(grey_bundle(line))))

    def say_at_once(self, line: str) -> None:
        """Say what is waited for before the cell is over, in the place of what says so later."""
        with self._lock:
            self._line_shown = line
            self._at_once = new_slot()
            self._publish(self._at_once.show(grey_bundle(line)))

    def _say_waiting(self) -> None:
        if not self._is_finished and not self._page.status:
            self.status(WAITING)

    def _ending(self, run: ShownRun) -> deque[Callable[[], object]]:
        shows = self._last_shows(Page(owns_cell=True), run)
        if self._at_once is not None:
            # what executes notebooks without a page takes it: there the line is gone at the end
            shows.insert(0, self._at_once.show({"text/html": "", "text/plain": ""}))
        return self._sends(shows, clears=bool(self._line_shown) and self._may_clear)
