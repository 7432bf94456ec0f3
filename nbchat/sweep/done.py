"""What came of a parcel, and of each of its rows: what a task tells at its end."""

from __future__ import annotations

from typing import Any

import msgspec

from nbchat.sweep.leases import Ended, Totals
from nbchat.sweep.records import Record
from nbchat.sweep.runner import Runner


class Done(msgspec.Struct, kw_only=True):
    """What came of a parcel.

    - `is_whole`: whether all its rows have ended; `n_attempts`: how often it was begun, by now;
      `station`: who did it last
    - `rows`, `totals`, `used_usd`: what was done, where no renewal tells of it; what is not known
      to have been free is used
    - `fault`: what stopped it (`nbchat.stored_error`), without keys
    """

    is_whole: bool
    n_attempts: int
    station: str = ""
    rows: list[Ended] = []
    totals: Totals = msgspec.field(default_factory=Totals)
    used_usd: float = 0.0
    fault: dict[str, Any] | None = None


def ended_of(record: Record) -> Ended:
    """Give what is counted of a row."""
    return Ended(record.row_id, record.status, record.completion_tokens, record.cost_usd)


def totals_of(runner: Runner) -> Totals:
    """Give what a runner has sent."""
    return Totals(
        n_going=runner.n_going,
        n_sent=runner.n_sent,
        n_retries=runner.n_retries,
        n_limited=runner.n_limited,
        n_unknown=runner.n_unknown,
        unknown_usd=runner.unknown_usd,
    )
