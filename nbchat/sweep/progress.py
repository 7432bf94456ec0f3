"""How far a sweep is: counted when it is on disk."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any

import msgspec

from nbchat.plots.axes import counted
from nbchat.sweep.records import Record, Status


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How far a sweep is.

    - `rows`: all of the plan; `answered`, `refused`, `truncated`, `error`, `not_sent`: what became
      of them, `not_sent` those that no record is there of
    - `going`: requests that go on; `sent`: requests of this run, `retries` those beyond the first
      of a row, `limited` those that met a 429
    - `unknown`: requests in all that were cut off after they were sent, and may have been paid;
      `unknown_usd`: what these cost at most, None where their price is not known
    - `completion_tokens`, `cost_usd`: of this run; `tokens_per_s`, `rows_per_s`: of late
    - `elapsed_s`; `left_s`: seconds to go, None where that cannot be told
    """

    rows: int
    answered: int = 0
    refused: int = 0
    truncated: int = 0
    error: int = 0
    not_sent: int = 0
    going: int = 0
    sent: int = 0
    retries: int = 0
    limited: int = 0
    unknown: int = 0
    unknown_usd: float | None = 0.0
    completion_tokens: int = 0
    cost_usd: float | None = 0.0
    tokens_per_s: float | None = None
    rows_per_s: float | None = None
    elapsed_s: float = 0.0
    left_s: float | None = None

    @property
    def done(self) -> int:
        """Rows that have ended."""
        return self.rows - self.not_sent

    def __str__(self) -> str:
        words = [f"{self.done:,} of {counted(self.rows, 'row')}"]
        named = ((self.refused, "refused"), (self.truncated, "truncated"), (self.error, "failed"))
        words += [f"{count:,} {name}" for count, name in named if count]
        if self.unknown:
            known = "" if not self.unknown_usd else f", up to ${self.unknown_usd:.2g}"
            most = ", at a price not known" if self.unknown_usd is None else known
            words.append(f"{self.unknown:,} of unknown outcome{most}")
        if self.tokens_per_s:
            words.append(f"{self.tokens_per_s:,.0f} tokens/s")
        if self.cost_usd:
            words.append(f"${self.cost_usd:.2g}")
        if self.left_s is not None and self.not_sent:
            words.append(f"{duration(self.left_s)} to go")
        return " · ".join(words)


#: seconds over which rates are told
_LATELY_S = 10.0


class Tally:
    """Adds up records as they come onto the disk. Safe from any thread."""

    def __init__(self, rows: int, before: dict[str, Status]):
        self._lock = threading.Lock()
        self._rows = rows
        self._status = dict(before)
        self._by_status: dict[str, int] = {}
        for status in before.values():
            self._by_status[status] = self._by_status.get(status, 0) + 1
        self._began = time.monotonic()
        self._ended: float | None = None
        self._tokens = 0
        self._cost_usd: float | None = 0.0
        self._lately: deque[tuple[float, int, int]] = deque()
        #: seconds since the start, rows that were done then: what the small figure draws
        self.course: list[tuple[float, int]] = [(0.0, len(before))]

    def add(self, records: list[Record]) -> None:
        """Count records that are on disk."""
        now = time.monotonic()
        with self._lock:
            tokens = 0
            for record in records:
                old = self._status.get(record.row_id)
                if old is not None:
                    self._by_status[old] -= 1
                self._status[record.row_id] = record.status
                self._by_status[record.status] = self._by_status.get(record.status, 0) + 1
                tokens += record.completion_tokens or 0
                if self._cost_usd is not None and record.status != "error":
                    known = record.cost_usd
                    self._cost_usd = None if known is None else self._cost_usd + known
            self._tokens += tokens
            self._lately.append((now, len(records), tokens))
            while self._lately[0][0] < now - _LATELY_S:
                self._lately.popleft()
            self._note_course(now)

    def end(self) -> None:
        """The sweep goes on no more."""
        self._ended = time.monotonic()

    def counts(self, **more: Any) -> Counts:
        """Give how far it is; `more` are the counts of requests."""
        with self._lock:
            now = time.monotonic() if self._ended is None else self._ended
            n_done = len(self._status)
            names = ("answered", "refused", "truncated", "error")
            rows_per_s, tokens_per_s = self._rates(now)
            left = self._rows - n_done
            return Counts(
                rows=self._rows,
                **{name: self._by_status.get(name, 0) for name in names},
                not_sent=left,
                completion_tokens=self._tokens,
                cost_usd=self._cost_usd,
                rows_per_s=rows_per_s,
                tokens_per_s=tokens_per_s,
                elapsed_s=now - self._began,
                left_s=left / rows_per_s if rows_per_s and self._ended is None else None,
                **more,
            )

    def _rates(self, now: float) -> tuple[float | None, float | None]:
        if not self._lately:
            return None, None
        elapsed = max(now - self._began, 1e-3)
        if self._ended is not None:
            n_rows = self.course[-1][1] - self.course[0][1]
            return n_rows / elapsed, self._tokens / elapsed
        span = min(elapsed, _LATELY_S)
        since = [entry for entry in self._lately if entry[0] >= now - span]
        return sum(e[1] for e in since) / span, sum(e[2] for e in since) / span

    def _note_course(self, now: float) -> None:
        self.course.append((now - self._began, len(self._status)))
        if len(self.course) > 400:  # every second one is enough to draw
            self.course[1:-1] = self.course[1:-1:2]


def duration(seconds: float) -> str:
    """Say how long something takes, in at most two units."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3_600:
        return f"{seconds / 60:.0f} min"
    if seconds < 86_400:
        return f"{seconds // 3_600:.0f} h {seconds % 3_600 // 60:.0f} min"
    return f"{seconds / 86_400:.1f} days"
