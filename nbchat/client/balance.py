"""Which of several servers is asked next. Pure: no requests, and a clock that is handed in."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection

import msgspec

#: seconds that a server which failed is left alone, doubled with each further failure
_FIRST_S, _MOST_S = 1.0, 60.0


class Load(msgspec.Struct):
    """What is known of a server: `going` requests, `taken` in all, `failures` in a row."""

    going: int = 0
    taken: int = 0
    failures: int = 0
    alone_until: float = 0.0


class Balance:
    """Gives each request the server that has least to do. Safe from any thread.

    One that failed is left alone for a while; then one request tries it, and the others wait for
    what comes of that. Where all are left alone, the one whose time ends first is tried.
    """

    def __init__(self, n_servers: int, clock: Callable[[], float] = time.monotonic):
        self.loads = [Load() for _ in range(n_servers)]
        self._clock = clock
        self._lock = threading.Lock()

    def take(self, tried: Collection[int] = ()) -> int:
        """Give the number of the server to be asked, none of those that were `tried`."""
        with self._lock:
            now = self._clock()
            left = [n for n in range(len(self.loads)) if n not in tried]
            ready = [n for n in left if self._is_ready(self.loads[n], now)]
            if ready:
                number = min(ready, key=lambda n: (self.loads[n].going, self.loads[n].taken))
            else:
                number = min(left, key=lambda n: self.loads[n].alone_until)
            load = self.loads[number]
            load.going += 1
            load.taken += 1
            return number

    def ended(self, number: int, *, has_failed: bool | None) -> None:
        """Note the end of a request; `has_failed` None: it tells nothing of the server."""
        with self._lock:
            load = self.loads[number]
            load.going -= 1
            if has_failed:
                pause_s = min(_FIRST_S * 2.0 ** min(load.failures, 16), _MOST_S)
                load.failures += 1
                load.alone_until = self._clock() + pause_s
            elif has_failed is not None:
                load.failures, load.alone_until = 0, 0.0

    def steady(self) -> int:
        """Give the server for what has to stay on one: the first that is not left alone."""
        with self._lock:
            whole = [n for n, load in enumerate(self.loads) if not load.failures]
            return whole[0] if whole else 0

    @staticmethod
    def _is_ready(load: Load, now: float) -> bool:
        return not load.failures or (load.alone_until <= now and not load.going)
