"""What is retried, when, and how long to wait. Pure: no clock of its own, no sleep."""

from __future__ import annotations

import email.utils
import random
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from nbchat.errors import CheckError

RETRIED_STATUS = frozenset({408, 409, 429})
#: codes of a 429 that waiting does not mend
HOPELESS_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached"})

#: what servers call a failure that passes, where they give no HTTP status: in an event, say
_STATUS_OF_NAME = {
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "rate_limited": 429,
    "too_many_requests": 429,
    "tokens_per_min": 429,
    "resource_exhausted": 429,
    "throttling": 429,
    "engine_overloaded": 503,
    "engine_overloaded_error": 503,
    "model_overloaded": 503,
    "overloaded": 503,
    "overloaded_error": 503,
    "server_overloaded": 503,
    "server_is_overloaded": 503,
    "service_unavailable": 503,
    "service_unavailable_error": 503,
    "slow_down": 503,
    "unavailable": 503,
    "bad_gateway": 502,
    "internal_error": 500,
    "internal_server_error": 500,
    "server_error": 500,
    "deadline_exceeded": 504,
    "gateway_timeout": 504,
    "timeout": 408,
    "request_timeout": 408,
}

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


def status_of(*names: str | None) -> int | None:
    """Give the HTTP status that a server's code or type of error stands for; None if unknown."""
    statuses = (_STATUS_OF_NAME.get(_plain(name)) for name in names if name)
    return next((status for status in statuses if status is not None), None)


def _plain(name: str) -> str:
    """Spell a name the one way: ``RateLimitExceeded`` and ``RATE_LIMIT_EXCEEDED`` alike."""
    is_camel = name != name.upper()
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name) if is_camel else name
    return words.lower().replace("-", "_").replace(" ", "_")


def reason_of(status: int) -> str:
    """Give a few words for an HTTP status."""
    return _REASONS.get(status, f"server error {status}" if status >= 500 else f"status {status}")


def delay_of_server_s(headers: Mapping[str, str], now_s: float) -> float | None:
    """Give the seconds that the server asks to wait, None where it does not.

    Reads ``retry-after-ms``, then ``Retry-After`` as seconds or as an HTTP date. `now_s` is
    the time in seconds since 1970. A delay of 0 or a date in the past asks for nothing.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return _delay(milliseconds / 1000)
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is not None or value is None:
        return _delay(seconds)
    try:
        return _delay(email.utils.parsedate_to_datetime(value).timestamp() - now_s)
    except (ValueError, TypeError, OverflowError, OSError, IndexError):
        return None


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _delay(seconds: float | None) -> float | None:
    # nan and inf are no delays
    return seconds if seconds is not None and 0 < seconds < float("inf") else None


def backoff_s(retries: int, rng: Callable[[], float] = random.random) -> float:
    """Give a pause in seconds: 0.5, doubled with each retry, at most 8; less up to a quarter."""
    return float(min(0.5 * 2**retries, 8.0) * (1 - 0.25 * rng()))
