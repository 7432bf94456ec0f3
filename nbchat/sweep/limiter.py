"""How many requests a server is sent at once, and how many in a minute: learnt from its 429s.

A pure state machine: it has no clock, no thread and no sleep. It is told the time, what is to be
sent and how it ended, and says what may be sent now. Whoever grants rate and slots has these
methods (`Grants`), so that another one can stand in its place.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable, Mapping
from typing import Literal, Protocol

import msgspec

from nbchat.sweep.bucket import Bucket
from nbchat.sweep.pace import Pace
from nbchat.sweep.unprovoked import Unprovoked

#: how a request ended, as far as the server's limits go. `cut`: nothing is known
Outcome = Literal["answered", "limited", "failed", "refused", "cut"]

#: requests at once to begin with, and at most, where nobody says a number
FIRST, MOST = 8, 256
#: what a 429 leaves of the slots
_KEPT = 0.92
#: and in the slow start, which doubles them
_KEPT_OF_DOUBLED = 0.7
#: seconds in which the slots come back to where the last 429 was
_BACK_S = 6.0
#: the same, as a multiple of the pause that the server asked for: what costs more is tried less
_PAUSES_APART = 20.0
#: seconds without growth after a server's failure, and until another one counts
_CALM_S, _CALM_APART_S = 2.0, 10.0
#: seconds that the first 429 in a row holds all back, where the server says no number, and most
_HOLD_S, _MOST_HOLD_S = 0.15, 30.0
#: of a pause that the server asked for, how much longer it is at most, so that not all come at once
_JITTER = 0.1
#: answers from one decrease to the next, so that it is seen what a decrease does
_ANSWERS_APART = 12
#: so many 429s, one after the other, within so many seconds are those of a rate
_OFTEN, _OFTEN_WITHIN_S = 3, 6.0
#: seconds for which it is known how many at once a server took
_KNOWN_S = 10.0


class Permit(msgspec.Struct, eq=False):
    """One request that may be sent: when, beside how many others, and what is set aside for it."""

    sent_at: float
    tokens: int
    n_going: int
    era: int
    is_over: bool = False


class Grants(Protocol):
    """Who says what may be sent. Times are seconds on any one clock."""

    def take(self, now: float, tokens: int) -> Permit | float:
        """Give a permit, or the seconds until it is worth asking again (inf: once one ended)."""

    def ended(
        self,
        permit: Permit,
        now: float,
        outcome: Outcome,
        *,
        tokens: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        """Tell how a request ended, and how many tokens it used."""

    def learn(self, headers: Mapping[str, str]) -> None:
        """Tell what the headers of an answer say of limits."""

    @property
    def slots(self) -> int:
        """How many requests may go on at once now."""


class Limiter:
    """Slow start, then additive increase; a 429 alone takes slots away.

    - `at_once`: begin with so many, and never have more; None: begin with 8 and grow to `most`
    - `requests_per_minute`, `tokens_per_minute`: limits that are known; else they are learnt
      from headers where a server sends some

    429s that come as often at a much lower rate are no limit's, and take nothing away
    (`nbchat.sweep.unprovoked`). A failure of the server (5xx) pauses growth. Latency is no
    signal: it follows the length of the replies. Slots grow only while all are in use.
    """

    def __init__(
        self,
        *,
        at_once: int | None = None,
        most: int = MOST,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        rng: Callable[[], float] = random.random,
    ):
        self._most = most if at_once is None else at_once
        self._window = float(min(FIRST, most) if at_once is None else at_once)
        self._begins_slowly = self._is_slow_start = at_once is None
        self._rng = rng
        self._requests = Bucket.of(requests_per_minute)
        self._tokens = Bucket.of(tokens_per_minute)
        self._pace = Pace()
        self._unprovoked = Unprovoked()
        self._n_since = _ANSWERS_APART
        self.n_going = 0
        self.n_limited = 0
        self._era = 0
        self._slope = 0.0
        self._last_limit = math.inf
        self._grown_at: float | None = None
        self._calm_until = -math.inf
        self._not_before = -math.inf
        self._limited_in_a_row = 0
        self._limits: deque[float] = deque(maxlen=_OFTEN)
        self._taken = self._taken_before = 0
        self._known_since = 0.0

    @property
    def slots(self) -> int:
        return max(1, int(self._window + 1e-9))

    @property
    def paused_until(self) -> float:
        """The time before which nothing is sent, in the past where nothing holds it back."""
        return self._not_before

    def take(self, now: float, tokens: int = 0) -> Permit | float:
        if now < self._not_before:
            return self._not_before - now
        if self.n_going >= self._unprovoked.slots(self.slots):
            return math.inf
        wait_s = max(
            self._pace.wait_s(now),
            self._unprovoked.wait_s(now),
            self._requests.wait_s(now, 1),
            self._tokens.wait_s(now, tokens),
        )
        if wait_s > 0:
            return wait_s
        self._requests.take(now, 1)
        self._tokens.take(now, tokens)
        self._pace.sent(now)
        self._unprovoked.sent(now)
        self.n_going += 1
        return Permit(now, tokens, self.n_going, self._era)

    def ended(
        self,
        permit: Permit,
        now: float,
        outcome: Outcome,
        *,
        tokens: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        if permit.is_over:
            return  # whoever ends it twice, ends it once
        permit.is_over = True
        if tokens is not None:
            self._tokens.take(now, tokens - permit.tokens)
        was_full = self.n_going >= self.slots
        self.n_going -= 1
        if outcome == "limited":
            self.n_limited += 1
            self._pace.refused(permit.sent_at)
        if outcome in ("limited", "answered") and self._speaks_of_a_limit(permit, now, outcome):
            self._shrink(permit, now, retry_after_s or 0.0)
        elif outcome == "failed":
            if now > self._calm_until - _CALM_S + _CALM_APART_S:
                self._calm_until = now + _CALM_S
        elif outcome == "answered":
            self._limited_in_a_row = 0
            self._note_taken(permit, now)
            self._grow(now, was_full=was_full)
        if retry_after_s is not None:
            longer = 1 + _JITTER * self._rng()
            self._not_before = max(self._not_before, now + retry_after_s * longer)
            self._pace.begin_gently(now, self._not_before)

    def learn(self, headers: Mapping[str, str]) -> None:
        self._requests.learn(headers, "requests")
        self._tokens.learn(headers, "tokens")

    def _speaks_of_a_limit(self, permit: Permit, now: float, outcome: Outcome) -> bool:
        self._n_since += 1
        before = self._unprovoked.share or 0.0
        heeds = self._unprovoked.heeds(now, permit.sent_at, is_limited=outcome == "limited")
        if (self._unprovoked.share or 0.0) > before:
            # what was taken away was taken for nothing
            self._is_slow_start, self._pace = self._begins_slowly, Pace()
            self._window = max(self._window, float(min(FIRST, self._most)))
            if not self._begins_slowly:
                self._window = float(self._most)
            self._last_limit, self._slope = math.inf, 0.0
        return heeds

    def _shrink(self, permit: Permit, now: float, pause_s: float) -> None:
        if permit.era != self._era:
            return  # it was sent before the last 429 was known of
        self._era += 1
        self._limited_in_a_row += 1
        hold_s = min(_HOLD_S * 2 ** (self._limited_in_a_row - 1), _MOST_HOLD_S)
        self._not_before = max(self._not_before, now + hold_s * (1 + self._rng()))
        if self._n_since < _ANSWERS_APART:
            return
        self._n_since = 0
        kept = _KEPT_OF_DOUBLED if self._is_slow_start else _KEPT
        self._is_slow_start = False
        self._limits.append(now)
        is_often = len(self._limits) == _OFTEN and now - self._limits[0] < _OFTEN_WITHIN_S
        back_s = max(_BACK_S, _PAUSES_APART * pause_s)
        most_taken = max(self._taken, self._taken_before)
        is_known = permit.n_going < most_taken or permit.n_going == most_taken == 1
        if is_known and (is_often or self._pace.is_what_holds):
            # it took as many at once before: what it counts is what comes in a while
            self._pace.limit(now, back_s)
            return
        # what goes on is what the server was too much for, however many slots there were
        there = min(self._window, self.n_going + 1.0)
        self._last_limit = there
        self._window = max(1.0, min(there * kept, there - 1))
        self._slope = (there - self._window) / back_s
        self._grown_at = now

    def _note_taken(self, permit: Permit, now: float) -> None:
        if now - self._known_since > _KNOWN_S:
            self._taken_before, self._taken, self._known_since = self._taken, 0, now
        self._taken = max(self._taken, permit.n_going)

    def _grow(self, now: float, *, was_full: bool) -> None:
        before, self._grown_at = self._grown_at, now
        if not was_full or now < self._calm_until:
            return
        if self._is_slow_start:
            self._window = min(self._window + 1.0, self._most)
            return
        if self._window > self._last_limit + 1:  # the server has become quicker
            self._slope *= 1 + 0.2 * min(now - (before or now), 1.0)
        self._window = min(self._window + self._slope * (now - (before or now)), self._most)
