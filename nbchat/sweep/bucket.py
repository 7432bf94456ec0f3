"""A limit for each minute: filled evenly, and emptied by what is sent."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, Self

#: seconds of a limit that may be sent in one go
_BURST_S = 1.0
#: names in which servers say the limit of requests and of tokens, for each minute
_LIMIT = ("x-ratelimit-limit-{}", "ratelimit-limit-{}", "x-ratelimit-limit-{}-minute")


class Bucket:
    """So much in a minute; `math.inf` where no limit is known. Times are seconds on one clock."""

    def __init__(self, per_minute: float = math.inf, *, is_given: bool = False):
        self.per_minute = per_minute
        self._is_given = is_given
        self._level = self._size
        self._filled_at: float | None = None

    @classmethod
    def of(cls, per_minute: float | None) -> Self:
        """Make the bucket of a limit that a user gave, or one that has yet to learn its limit."""
        return cls() if per_minute is None else cls(float(per_minute), is_given=True)

    @property
    def _size(self) -> float:
        return max(1.0, self.per_minute / 60 * _BURST_S)

    def wait_s(self, now: float, amount: float) -> float:
        """Give the seconds until so much may be sent.

        What is more than a second's worth waits until the bucket is full, and takes it below 0.
        """
        if self.per_minute == math.inf:
            return 0.0
        self._fill(now)
        lacks = min(amount, self._size) - self._level
        return 0.0 if lacks <= 1e-9 else lacks / (self.per_minute / 60)

    def take(self, now: float, amount: float) -> None:
        """Take so much out, or put it back where it is negative."""
        if self.per_minute != math.inf:
            self._fill(now)
            self._level = min(self._level - amount, self._size)

    def learn(self, headers: Mapping[str, str], kind: Literal["requests", "tokens"]) -> None:
        """Take the limit that a server's headers say; not one that a user gave, and no nonsense.

        Servers that know no limit send -1 or 0, which is none.
        """
        if self._is_given:
            return
        for name in _LIMIT:
            limit = _number(headers.get(name.format(kind)))
            if limit is not None and limit >= 1:
                self._set(limit)
                return

    def _set(self, per_minute: float) -> None:
        if per_minute == self.per_minute:
            return
        was_unlimited = math.isinf(self.per_minute)
        self.per_minute = per_minute
        self._level = self._size if was_unlimited else min(self._level, self._size)

    def _fill(self, now: float) -> None:
        before = now if self._filled_at is None else self._filled_at
        self._filled_at = max(now, before)
        self._level = min(self._level + max(now - before, 0.0) * self.per_minute / 60, self._size)


def _number(text: str | None) -> float | None:
    try:
        number = None if text is None else float(text)
    except ValueError:
        return None
    return number if number is not None and math.isfinite(number) else None
