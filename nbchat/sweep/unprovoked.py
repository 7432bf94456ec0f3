"""429s that come whatever is sent: a share of all requests that does not fall with the rate.

A server that is at its limit refuses what is above it: asked half of what it answers, it refuses
none. So where 429s go on although the rate was taken back, a stretch of requests is sent at half
the rate. What is refused there is not the rate's, and to slow down further helps nobody; beyond
the share that was found so, a 429 is a limit again.
"""

from __future__ import annotations

import math
from collections import deque

from nbchat.sweep.bucket import Bucket

#: requests in a stretch, and those among them that have to be refused
_REQUESTS, _REFUSED = 24, 3
#: a limit that is met by additive increase costs a smaller share of the requests than the first;
#: or a smaller one than the second, fewer in a second than the third, and what is answered in a
#: second stays above this part of the most that was
_LARGE_SHARE, _LEAST_SHARE, _OFTEN_PER_S, _FALLEN = 0.12, 0.03, 0.3, 0.25
#: stretches of that kind before a trial, and how many times as many after each that found nothing
_STRETCHES, _RARER = 2, 4
#: what a trial leaves of what is answered in a second, the requests that it takes, and how many
#: trials, each slower than the one before, have to find the same
_TRIED, _REQUESTS_TRIED, _TRIALS = 0.5, 10, 2
#: a trial finds nothing when none, or fewer than three, were refused where so many would have been
_NONE_OF, _FEW_OF = 4.0, 8.0
#: of all requests, a share that a server cannot mean
_MOST_SHARE = 0.7
#: what is found is that of few requests: a little more is taken for granted, and measured later
_GRANTED = 1.25
#: the logarithm of the odds at which more is refused than the share explains
_ODDS = 8.0
#: answers after which the share is measured anew, and how much more than it is another one
_MEASURED, _MORE = 200, 1.3


class Unprovoked:
    """Is told of each request, and tells which 429s are to be heeded. Times are in seconds.

    `share`: of all requests, those that are refused at any rate; None where there are none such.
    """

    def __init__(self) -> None:
        self.share: float | None = None
        self._odds = 0.0
        self._n_stretches, self._tried_after = 0, _STRETCHES
        self._most_per_s = 0.0
        self._trial: Bucket | None = None
        self._tried_share = 0.0
        self._trials: list[tuple[int, int]] = []
        self._n_measured = self._n_limited_measured = 0
        self._began_at = -math.inf
        self._refused_in_s = 0.0
        self._sent_at: deque[float] = deque()
        self._n = self._n_limited = 0

    def slots(self, slots: int) -> int:
        """Give how many of the slots may be in use now."""
        return slots if self._trial is None else max(1, int(_TRIED * slots))

    def wait_s(self, now: float) -> float:
        """Give the seconds until the next request may be sent: a trial is slower."""
        return 0.0 if self._trial is None else self._trial.wait_s(now, 1)

    def sent(self, now: float) -> None:
        """Note that one is sent."""
        if self._began_at == -math.inf:
            self._began_at = now
        self._sent_at.append(now)
        if self._trial is not None:
            self._trial.take(now, 1)

    def heeds(self, now: float, sent_at: float, *, is_limited: bool) -> bool:
        """Note how one ended; tell whether it is a 429 that speaks of a limit."""
        self._measure(is_limited=is_limited)
        self._count(now, sent_at, is_limited=is_limited)
        if self._trial is not None:
            self._end_trial(now)
        elif self._n >= _REQUESTS and self._n_limited >= _REFUSED:
            self._end_stretch(now)
        is_next = self._n_stretches == self._tried_after - 1 and self._n < 2 * _REQUESTS
        is_doubtful = self._trial is not None or is_next
        return self._is_beyond(is_limited=is_limited) and not is_doubtful

    def _count(self, now: float, sent_at: float, *, is_limited: bool) -> None:
        """Count requests that were refused, or would have been: answers come later than 429s."""
        if is_limited:
            self._refused_in_s = max(0.9 * self._refused_in_s, now - sent_at)
            self._n_limited += sent_at >= self._began_at
        while self._sent_at and self._sent_at[0] <= now - self._refused_in_s:
            self._sent_at.popleft()
            self._n += 1

    def _is_beyond(self, *, is_limited: bool) -> bool:
        share = self.share
        if share is None:
            return is_limited
        more = min(2 * share, (1 + share) / 2)  # is it the share, or rather so much?
        odds = math.log(more / share) if is_limited else math.log((1 - more) / (1 - share))
        self._odds = max(self._odds + odds, 0.0)
        if self._odds < _ODDS:
            return False
        self._odds = 0.0
        return True

    def _end_stretch(self, now: float) -> None:
        share, per_s = self._n_limited / self._n, self._answered_per_s(now)
        self._most_per_s = max(self._most_per_s, per_s)
        is_often = self._n_limited > _OFTEN_PER_S * (now - self._began_at)
        has_fallen = per_s < _FALLEN * self._most_per_s
        is_more = self.share is None or share > _MORE * self.share
        if is_more and share > (_LEAST_SHARE if is_often or has_fallen else _LARGE_SHARE):
            self._n_stretches += 1
        if self._n_stretches >= self._tried_after:
            self._try(now, share)
        self._begin(now)

    def _try(self, now: float, share: float) -> None:
        self._tried_share = share
        self._trial = Bucket(60 * _TRIED * self._answered_per_s(now))

    def _end_trial(self, now: float) -> None:
        if not self._n:
            return
        share = self._n_limited / self._n
        would_be = self._n * self._tried_share
        if self._n >= _REQUESTS_TRIED and self._n_limited >= _REFUSED:
            if _LEAST_SHARE < share < _MOST_SHARE:
                self._find(now, share)
                return
        elif would_be < (_FEW_OF if self._n_limited else _NONE_OF) or (
            self._n_limited and self._n < _REQUESTS_TRIED
        ):
            return
        self._tried_after *= _RARER
        self._most_per_s = 0.0
        self._end_trials(now)

    def _find(self, now: float, share: float) -> None:
        self._trials.append((self._n_limited, self._n))
        if len(self._trials) < _TRIALS:
            self._try(now, share)
            self._begin(now)
            return
        n_limited, n = map(sum, zip(*self._trials, strict=True))
        self.share = min(_GRANTED * n_limited / n, _MOST_SHARE)
        self._n_measured = self._n_limited_measured = 0
        self._tried_after = _STRETCHES
        self._end_trials(now)

    def _end_trials(self, now: float) -> None:
        self._trials.clear()
        self._trial, self._odds, self._n_stretches = None, 0.0, 0
        self._begin(now)

    def _answered_per_s(self, now: float) -> float:
        return max(self._n - self._n_limited, 1) / max(now - self._began_at, 1e-6)

    def _measure(self, *, is_limited: bool) -> None:
        """Let the share become smaller; that it is larger, only a trial tells."""
        if self.share is None:
            return
        self._n_measured += 1
        self._n_limited_measured += is_limited
        if self._n_measured >= _MEASURED:
            share = min(self._n_limited_measured / self._n_measured, self.share)
            self.share = None if share < _LEAST_SHARE / 2 else (self.share + share) / 2
            self._n_measured = self._n_limited_measured = 0

    def _begin(self, now: float) -> None:
        self._began_at = now
        self._sent_at.clear()
        self._n = self._n_limited = 0
