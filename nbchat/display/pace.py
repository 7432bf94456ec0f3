"""When to paint: few messages, spread fairly, and never a last token that nobody paints.

One painter thread serves all replies of the process and sleeps while nothing is to be painted.
The budget is counted in messages and bytes, not in tokens: a front end and Jupyter Server,
which drops messages silently when there are too many, see the same traffic from a fast model
and from a slow one.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

# one reply: 8 messages and 10 kB a second, envelopes included; with the last frame at most 12
REPLY_S_PER_MESSAGE = 0.125
REPLY_BYTES_PER_S = 10_000
# all replies together: a burst and a rate that stay below 60 messages in any second
ALL_S_PER_MESSAGE = 1 / 45
ALL_BURST = 8


class Cost(NamedTuple):
    """What a frame sent: messages, and bytes with their envelopes."""

    messages: int
    bytes: int


class Surface(Protocol):
    """Something that can be painted. `paint` clears `dirty` before it reads what to paint."""

    dirty: bool

    def paint(self) -> Cost: ...


class Schedule:
    """Who may paint when. Pure: times come in as seconds of any one clock."""

    def __init__(self) -> None:
        # weak: a frame that ends just after its reply did leaves no trace
        self._ready_at: weakref.WeakKeyDictionary[Surface, float] = weakref.WeakKeyDictionary()
        self._waiting: dict[Surface, None] = {}
        self._all_at = 0.0

    def want(self, surface: Surface) -> None:
        """Put a surface on the list of those that are to be painted."""
        self._waiting[surface] = None

    def drop(self, surface: Surface) -> None:
        """Forget a surface."""
        self._waiting.pop(surface, None)
        self._ready_at.pop(surface, None)

    def next(self, now: float) -> tuple[Surface | None, float | None]:
        """Give the surface to paint now, or None and the seconds until there may be one.

        The seconds are None where nothing waits. The one that has been ready for longest
        comes first, so that no reply starves another.
        """
        if not self._waiting:
            return None, None
        surface = min(self._waiting, key=lambda s: self._ready_at.get(s, 0.0))
        wait_s = max(self._ready_at.get(surface, 0.0), self._all_free_at()) - now
        if wait_s > 0:
            return None, wait_s
        del self._waiting[surface]
        return surface, 0.0

    def painted(self, surface: Surface, now: float, cost: Cost) -> None:
        """Note what a frame cost; the surface waits for as long as that is worth."""
        pause_s = max(cost.messages * REPLY_S_PER_MESSAGE, cost.bytes / REPLY_BYTES_PER_S)
        self._ready_at[surface] = now + pause_s
        self._spend(now, cost.messages)

    def reserve(self, now: float) -> float:
        """Take the right to one message that cannot be left out; give the seconds to wait."""
        wait_s = max(0.0, self._all_free_at() - now)
        self._spend(now, 1)
        return wait_s

    def _all_free_at(self) -> float:
        return self._all_at - ALL_BURST * ALL_S_PER_MESSAGE

    def _spend(self, now: float, messages: int) -> None:
        self._all_at = max(self._all_at, now) + messages * ALL_S_PER_MESSAGE


class Painter:
    """Paints dirty surfaces in their turn, from one daemon thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, has_thread: bool = True):
        self._clock = clock
        self._schedule = Schedule()
        self._changed = threading.Condition()
        self._has_thread = has_thread
        self._thread: threading.Thread | None = None

    def want(self, surface: Surface) -> None:
        """Ask for a frame. Costs next to nothing while the last wish is not yet fulfilled."""
        if surface.dirty:
            return
        surface.dirty = True
        with self._changed:
            self._schedule.want(surface)
            if self._has_thread and self._thread is None:
                self._thread = threading.Thread(
                    target=self._paint_for_ever, name="nbchat-painter", daemon=True
                )
                self._thread.start()
            self._changed.notify()

    def drop(self, surface: Surface) -> None:
        """Paint this surface no more."""
        with self._changed:
            self._schedule.drop(surface)

    def reserve(self) -> float:
        """Take the right to one message that must be sent; give the seconds to wait before it."""
        with self._changed:
            return self._schedule.reserve(self._clock())

    def step(self) -> float | None:
        """Paint what may be painted now; give the seconds to the next chance, None if idle."""
        with self._changed:
            surface, wait_s = self._schedule.next(self._clock())
        if surface is None:
            return wait_s
        cost = _paint(surface)
        with self._changed:
            self._schedule.painted(surface, self._clock(), cost)
        return 0.0

    def forget_thread(self) -> None:
        """Begin anew in a forked child, where the thread does not exist."""
        self._changed = threading.Condition()
        self._schedule = Schedule()
        self._thread = None

    def _paint_for_ever(self) -> None:
        while True:
            wait_s = self.step()
            if wait_s == 0.0:
                continue
            with self._changed:
                # a wish that came since `step` has already notified nobody
                surface, wait_s = self._peek()
                if surface is None:
                    self._changed.wait(wait_s)

    def _peek(self) -> tuple[Surface | None, float | None]:
        surface, wait_s = self._schedule.next(self._clock())
        if surface is not None:
            self._schedule.want(surface)
        return surface, wait_s


def _paint(surface: Surface) -> Cost:
    try:
        return surface.paint()
    except Exception:  # noqa: BLE001 - a broken front end must not end the painting of the others
        return Cost(1, 0)


PAINTER = Painter()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=PAINTER.forget_thread)
