"""A reply in a notebook, shown while it comes.

In a cell of its own the reply comes as blocks of Markdown: a finished one is sent once, only
the open one again. When it is whole, one output with all of it takes their place, because
lists and reference links can break across blocks. In a cell that shows other things too,
nothing may be cleared: there the reply is one display that is updated whole, as often as the
budget of bytes allows. `page` says what is shown, `pace` when; here it is sent.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Self

from nbchat.display.fragments import grey_bundle
from nbchat.display.growing import Show
from nbchat.display.last_frame import last_frame
from nbchat.display.pace import PAINTER, Cost, Painter
from nbchat.display.page import Page
from nbchat.display.run_bundle import plain_bundle
from nbchat.display.still_streaming import StillStreaming

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nbchat.display.publisher import Publisher
    from nbchat.display.shown_run import ShownRun

WAITING_AFTER_S = 1.5


class LiveReply:
    """Watches one run and shows it in the cell that was running when this was made."""

    def __init__(
        self,
        publisher: Publisher,
        *,
        owns_cell: bool = False,
        painter: Painter = PAINTER,
        sleep: Callable[[float], object] = time.sleep,
        above: dict[str, str] | None = None,
    ):
        self.dirty = False
        self.run: ShownRun | None = None
        self._publisher = publisher
        self._page = Page(owns_cell=owns_cell)
        self._line = StillStreaming()
        self._painter = painter
        self._sleep = sleep
        self._above = above
        self._lock = threading.Lock()
        self._is_finished = False
        self._hint = threading.Timer(WAITING_AFTER_S, self._say_waiting)
        self._hint.daemon = True

    def __enter__(self) -> Self:
        if self._above is not None:
            self._publisher.show(self._above)
        # a long prompt takes its time before the first token
        self._hint.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._hint.cancel()

    def say(self, line: str) -> None:
        """Show a line below the whole reply."""
        self._publish(Show(grey_bundle(line)))

    def status(self, line: str) -> None:
        """Show a line while nothing of the reply has come; empty to take it away."""
        self._page.status = line
        self._painter.want(self)

    def update(self, run: ShownRun) -> None:
        """Take note that there is more. Costs next to nothing."""
        if self.run is None:
            self._hint.cancel()
        self.run = run
        if not self.dirty:
            self._painter.want(self)

    def _say_waiting(self) -> None:
        if not self._is_finished and self.run is None and not self._page.status:
            self.status("waiting for the first token…")

    def paint(self) -> Cost:
        """Send one frame. The painter calls it."""
        with self._lock:
            self.dirty = False
            if self._is_finished:
                return Cost(0, 0)
            sizes = [self._publish(show) for show in self._frame()]
            if self._page.is_behind:
                self._painter.want(self)
            return Cost(len(sizes), sum(sizes))

    def _frame(self) -> Iterator[Show]:
        shows = [*self._page.frame(self.run)]
        return self._line.below(shows, is_shown=self._page.shows_reply)

    def finish(self, run: ShownRun) -> None:
        """Send the last frame: the whole reply, byte for byte, and the grey line."""
        self.run = run
        self._hint.cancel()
        pending: deque[Callable[[], object]] | None = None
        try:
            with self._lock:
                self._is_finished = True
            self._painter.drop(self)
            pending = self._ending(run)
            self._send(pending, self._sleep)
        except KeyboardInterrupt:
            # what has come is shown all the same; where it is cleared first, from the start
            if pending is None or self._page.has_to_be_cleared:
                pending = self._ending(run)
            self._send(pending, lambda _: None)
            raise

    def _ending(self, run: ShownRun) -> deque[Callable[[], object]]:
        shows = self._last_shows(self._page, run)
        if not self._page.has_to_be_cleared:
            shows = self._line.instead(shows)
        return self._sends(shows, clears=self._page.has_to_be_cleared)

    def _last_shows(self, page: Page, run: ShownRun) -> list[Show]:
        try:
            return last_frame(page, run)
        except Exception as error:  # noqa: BLE001 - whatever a server sent, a reply is shown
            return [Show(plain_bundle(run, error))]

    def _sends(self, shows: list[Show], *, clears: bool) -> deque[Callable[[], object]]:
        sends: list[Callable[[], object]] = [self._sender(show) for show in shows]
        if clears:
            above = [] if self._above is None else [self._above]
            sends[:0] = [self._publisher.clear, *(self._sender(Show(data)) for data in above)]
        return deque(sends)

    def _send(self, pending: deque[Callable[[], object]], sleep: Callable[[float], object]) -> None:
        while pending:
            sleep(self._painter.reserve())
            pending[0]()
            pending.popleft()

    def _sender(self, show: Show) -> Callable[[], object]:
        return lambda: self._publish(show)

    def _publish(self, show: Show) -> int:
        data, display_id, is_update = show
        return self._publisher.show(data, display_id, is_update=is_update)
