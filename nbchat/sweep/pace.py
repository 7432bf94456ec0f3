"""How many requests in a second a server is sent, once it has refused one."""

from __future__ import annotations

import math
from collections import deque

#: what a 429 leaves of the rate that the server took
_KEPT = 0.93
#: seconds over which it is measured what the server takes, in steps of so many
_MEASURED_S, _STEP_S = 5.0, 0.1
#: seconds by which one may come late without the next one coming late, too
_LATE_S = 0.004
#: seconds after a pause in which no more are sent than the server took before
_GENTLE_S = 4.0


class Pace:
    """No limit until the first 429; then evenly spaced, a little below what the server took.

    From there on the rate grows while it is what holds requests back. Times are seconds on one
    clock.
    """

    def __init__(self) -> None:
        self.per_s = math.inf
        self._next_at = -math.inf
        self._sent: deque[list[float]] = deque()
        self._began_at: float | None = None
        self._last_limit = math.inf
        self._slope = 0.0
        self._grown_at = 0.0
        self._gentle_until, self._gentle_per_s = -math.inf, math.inf
        self._holds_back = self._has_held = False

    @property
    def is_what_holds(self) -> bool:
        """Whether it is this that has held requests back since the last limit."""
        return self._has_held

    def wait_s(self, now: float) -> float:
        """Give the seconds until the next request may be sent."""
        if now >= self._next_at:
            return 0.0
        self._grow(now)
        self._holds_back = self._has_held = True
        return self._next_at - now

    def sent(self, now: float) -> None:
        """Note that one is sent."""
        if self._began_at is None:
            self._began_at = now
        step = math.floor(now / _STEP_S) * _STEP_S
        if not self._sent or self._sent[-1][0] != step:
            self._sent.append([step, 0.0])
            while self._sent[0][0] < now - _MEASURED_S:
                self._sent.popleft()
        self._sent[-1][1] += 1
        self._grow(now)
        per_s = self.per_s
        if now < self._gentle_until:
            per_s = min(per_s, self._gentle_per_s)
        if per_s != math.inf:
            self._next_at = max(self._next_at, now - _LATE_S) + 1 / per_s

    def refused(self, sent_at: float) -> None:
        """Note that the one that was sent then was not taken."""
        step = math.floor(sent_at / _STEP_S) * _STEP_S
        for entry in reversed(self._sent):
            if entry[0] == step:
                entry[1] -= 1
                return

    def limit(self, now: float, back_s: float) -> None:
        """Go on a little slower than what the server took of late; be back in so many seconds."""
        before, taken = self.per_s, self._taken_per_s(now)
        self.per_s = min(_KEPT * taken, before)
        self._last_limit = taken
        self._slope = max(taken - self.per_s, 0.01 * taken) / back_s
        self._grown_at = now
        self._next_at = max(self._next_at, now + 1 / self.per_s)
        self._holds_back = self._has_held = False

    def begin_gently(self, now: float, at: float) -> None:
        """Note that nothing is sent before `at`: then not all are sent that had to wait."""
        if at > self._gentle_until:
            self._gentle_per_s = min(self._taken_per_s(now), self.per_s)
        self._gentle_until = at + _GENTLE_S

    def _taken_per_s(self, now: float) -> float:
        began = now if self._began_at is None else self._began_at
        span = min(max(now - began, _STEP_S), _MEASURED_S)
        taken = sum(count for step, count in self._sent if step >= now - span) / span
        if taken > 0:
            return taken
        return self.per_s / 2 if math.isfinite(self.per_s) else 1 / span

    def _grow(self, now: float) -> None:
        if self.per_s == math.inf:
            return
        passed = max(now - self._grown_at, 0.0)
        self._grown_at = now
        if not self._holds_back:
            return
        self._holds_back = False
        if self.per_s > 1.02 * self._last_limit:  # the server takes more than it did
            self._slope *= 1 + 0.4 * min(passed, 1.0)
        self.per_s += self._slope * min(passed, 2.0)
