"""Workers with leases on a clock of their own: messages that take time, or never come."""

from __future__ import annotations

import bisect
import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from nbchat.sweep.board import Board
from nbchat.sweep.leased import LeasedGrants
from nbchat.sweep.limiter import Permit
from nbchat.sweep.shares import Shares
from nbchat.sweep.station import Station

STEP_S = 0.05


@dataclass
class Worker:
    """Has rows without end, each of which takes so many seconds and tokens."""

    station: Station
    takes_s: float = 0.2
    tokens: int = 10
    has_rows: Callable[[float], bool] = lambda _: True
    grants: LeasedGrants | None = None
    ends: list[tuple[float, int, Permit]] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)


class SimulatedCluster:
    """A driver and its workers; `is_cut(now, worker)` tells whose messages are lost just now."""

    def __init__(
        self,
        n: int,
        *,
        lease_s: float = 15.0,
        budget_usd: float | None = None,
        is_cut: Callable[[float, int], bool] = lambda _now, _worker: False,
        delay_s: float = 0.2,
        answer: Callable[[float, int], tuple[str, float | None]] = lambda *_: ("answered", None),
        each: int | None = None,
        **limits: Any,
    ):
        self.now = 0.0
        self.rng = random.Random(4)
        self.board = Board(lease_s=lease_s, budget_usd=budget_usd)
        self.board.servers[0] = Shares(each=each, **limits)
        self.workers = [Worker(Station(clock=lambda: self.now)) for _ in range(n)]
        self.is_cut, self.delay_s, self.answer = is_cut, delay_s, answer
        self.most_going = 0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0
        for number in range(n):
            self._at(0.01 * number, lambda number=number: self._renew(number))

    def run(self, seconds: float) -> SimulatedCluster:
        until = self.now + seconds
        while self.now < until:
            while self._events and self._events[0][0] <= self.now:
                heapq.heappop(self._events)[2]()
            for worker in self.workers:
                self._work(worker)
            self.most_going = max(self.most_going, sum(len(w.ends) for w in self.workers))
            self.now += STEP_S
        return self

    @property
    def sent(self) -> list[float]:
        """When requests were sent, by whomever."""
        return sorted(at for worker in self.workers for at in worker.sent)

    def most_in(self, window_s: float) -> int:
        """The most requests of any window of so many seconds."""
        sent = self.sent
        return max(
            (bisect.bisect_left(sent, at + window_s) - place for place, at in enumerate(sent)),
            default=0,
        )

    def _at(self, time: float, what: Callable[[], None]) -> None:
        self._order += 1
        heapq.heappush(self._events, (time, self._order, what))

    def _renew(self, number: int) -> None:
        """The driver calls a worker, which answers; each way takes time, and either may be cut."""
        address = f"worker {number}"
        renewal = self.board.renewal(self.now, address)
        there_s, back_s = (self.delay_s * self.rng.random() for _ in range(2))

        def arrives() -> None:
            if self.is_cut(self.now, number):
                return
            report = self.workers[number].station.renew(renewal)

            def is_told() -> None:
                if not self.is_cut(self.now, number) and not state["is_late"]:
                    state["is_told"] = True
                    self.board.told(self.now, address, report)
                    self._at(self.now + 1.0, lambda: self._renew(number))

            self._at(self.now + back_s, is_told)

        def is_too_late() -> None:
            if not state["is_told"]:
                state["is_late"] = True
                self.board.missed(self.now, address)
                self._renew(number)

        state = {"is_told": False, "is_late": False}
        self._at(self.now + there_s, arrives)
        self._at(self.now + 3.0, is_too_late)

    def _work(self, worker: Worker) -> None:
        if worker.grants is None:
            worker.grants = worker.station.grants_of(0, is_here=False)
        while worker.ends and worker.ends[0][0] <= self.now:
            _, order, permit = heapq.heappop(worker.ends)
            outcome: Any
            outcome, retry_after_s = self.answer(self.now, order)
            worker.grants.ended(
                permit, self.now, outcome, tokens=worker.tokens, retry_after_s=retry_after_s
            )
        while worker.has_rows(self.now):
            granted = worker.grants.take(self.now, worker.tokens)
            if not isinstance(granted, Permit):
                break
            worker.sent.append(self.now)
            self._order += 1
            heapq.heappush(worker.ends, (self.now + worker.takes_s, self._order, granted))
