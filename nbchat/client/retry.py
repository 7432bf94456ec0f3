"""What is retried, when, and how long to wait. Pure: no clock of its own, no sleep."""

from __future__ import annotations

import email.utils
import random
from collections.abc import Callable, Mapping
from typing import NamedTuple

from nbchat.errors import CheckError

RETRIED_STATUS = frozenset({408, 409, 429})
#: codes of a 429 that waiting does not mend
HOPELESS_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached"})

_REASONS = {408: "timed out", 409: "conflict", 429: "rate limited", 503: "overloaded"}


class Wait(NamedTuple):
    """A pause before another try. `attempt` counts requests from 1; `attempts` is the most."""

    seconds: float
    reason: str
    attempt: int
    attempts: int

    def __str__(self) -> str:
        shown = f"{self.seconds:.0f}" if self.seconds >= 10 else f"{self.seconds:.1f}"
        shown = shown.removesuffix(".0")
        return f"waiting {shown} s, {self.reason}, try {self.attempt} of {self.attempts}"


def checked(max_retries: int) -> int:
    """Give a number of retries as it is. Raise CheckError where it is none."""
    if type(max_retries) is not int or max_retries < 0:
        rule = "must be a whole number, 0 or more"
        raise CheckError(
            f"max_retries is {max_retries!r}, but it {rule}.",
            field="max_retries",
            value=max_retries,
            rule=rule,
        )
    return max_retries


def is_retryable(status: int, headers: Mapping[str, str], code: str | None) -> bool:
    """Tell whether the reference calls an error answer worth another try."""
    wish = headers.get("x-should-retry", "").lower()
    if wish in ("true", "false"):
        return wish == "true"
    if code in HOPELESS_CODES:
        return False
    return status in RETRIED_STATUS or status >= 500


def reason_of(status: int) -> str:
    """Give a few words for an HTTP status."""
    return _REASONS.get(status, f"server error {status}" if status >= 500 else f"status {status}")


def asked_delay_s(headers: Mapping[str, str], now_s: float) -> float | None:
    """Give the seconds that the server asks to wait, None where it does not.

    Reads ``retry-after-ms``, then ``Retry-After`` as seconds or as an HTTP date. `now_s` is
    the time in seconds since 1970.
    """
    try:
        return max(0.0, float(headers["retry-after-ms"]) / 1000)
    except (KeyError, ValueError):
        pass
    value = headers.get("retry-after")
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - now_s
        except ValueError:
            return None
    # nan and inf are no delays
    return max(0.0, seconds) if abs(seconds) < float("inf") else None


def backoff_s(retries: int, rng: Callable[[], float] = random.random) -> float:
    """Give a pause in seconds: 0.5, doubled with each retry, at most 8; less up to a quarter."""
    return float(min(0.5 * 2**retries, 8.0) * (1 - 0.25 * rng()))
