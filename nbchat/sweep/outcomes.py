"""What the end of a request means for its row, for the server's limits, and for all the others."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

import msgspec

from nbchat.client import retry
from nbchat.errors import (
    ApiError,
    BudgetError,
    CheckError,
    ConnectError,
    ConnectTimeout,
    HistoryError,
    LocalModelError,
    NbchatError,
    ProfileError,
    RateLimitError,
    ServerError,
    TransportError,
)
from nbchat.sweep.limiter import Outcome

if TYPE_CHECKING:
    from nbchat.run import Run

#: what is to be done: it is a row; ask again, as often as it takes or some times; end all; or the
#: sweep was stopped
Verdict = Literal["row", "wait", "again", "stop", "cut"]
#: a pause that a server asks for and that no sweep waits for, in seconds
LONGEST_PAUSE_S = 600.0


class Ending(msgspec.Struct, frozen=True):
    """What the end of a request means.

    `outcome` is for the limits; `is_unknown`: it was sent, and may have been paid for nothing.
    """

    verdict: Verdict
    outcome: Outcome
    retry_after_s: float | None = None
    is_unknown: bool = False


def ending_of(run: Run, error: BaseException | None) -> Ending:
    """Tell what to make of a run that has ended, with this error or with none."""
    if error is None:
        if run.status == "complete":
            has_answer = run.completion is not None and bool(run.completion.choices)
            # an answer without a choice is none, and may have been paid
            return Ending("row" if has_answer else "again", "answered", is_unknown=not has_answer)
        return Ending("cut", "cut", is_unknown=run.tries > 0)
    if not isinstance(error, NbchatError):
        return Ending("stop", "cut", is_unknown=run.tries > 0)
    if isinstance(error, ApiError):
        return _of_api(error)
    if isinstance(error, (ConnectError, ConnectTimeout)):
        return Ending("again", "cut")
    if isinstance(error, TransportError):
        return Ending("again", "cut", is_unknown=True)
    if isinstance(error, (ProfileError, LocalModelError, BudgetError, HistoryError)):
        return Ending("stop", "cut")
    return Ending("row" if isinstance(error, CheckError) else "stop", "refused")


def _of_api(error: ApiError) -> Ending:
    headers = error.headers or {}
    pause = retry.delay_of_server_s(headers, time.time())
    if error.code in retry.HOPELESS_CODES or error.status in (401, 402):
        return Ending("stop", "refused")
    status = error.status or retry.status_of(error.code, error.type)
    if isinstance(error, RateLimitError) or status == 429:
        too_long = pause is not None and pause > LONGEST_PAUSE_S
        return Ending("stop" if too_long else "wait", "limited", pause)
    if status is None:  # an answer that cannot be read: it may have been paid
        return Ending("again", "failed", is_unknown=True)
    if isinstance(error, ServerError) or retry.is_retryable(status, headers, error.code):
        return Ending("again", "failed", pause)
    return Ending("row", "refused")
