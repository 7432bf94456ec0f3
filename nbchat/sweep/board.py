"""All workers of a sweep, what each was leased, and what they said: a driver's own book.

A pure state machine: it is told the time, and sends nothing. See `nbchat.sweep.leases` for what
goes to and fro, and `nbchat.sweep.shares` for who gets how much.
"""

from __future__ import annotations

import math

import msgspec

from nbchat.sweep.leases import Ended, Order, Renewal, Report, Totals
from nbchat.sweep.shares import BudgetShares, Shares


class _Member(msgspec.Struct):
    """A worker by its address: which station answers there, and what it said last."""

    station: str | None = None
    number: int = 0
    answers: int = 0
    reported_at: float = -math.inf
    last_row: int = 0
    telling: list[str] = []


class Board:
    """Makes renewals and takes reports. Times are seconds on any one clock.

    - `lease_s`: how long a lease lasts
    - `budget_usd`: what all workers may spend together, None for no limit
    - `order`: what all are told to do
    """

    def __init__(self, *, lease_s: float, budget_usd: float | None = None):
        self.lease_s = lease_s
        self.budget = BudgetShares(budget_usd)
        self.order: Order = "go"
        self.servers: dict[int, Shares] = {}
        self._members: dict[str, _Member] = {}
        self._totals: dict[str, Totals] = {}
        self._over: list[tuple[float, str]] = []
        self._gathered: dict[str, list[str]] = {}

    def add_server(self, now: float, number: int, shares: Shares) -> None:
        """Share a server's limits, too, among those who are there and who come."""
        self.servers[number] = shares
        for member in self._members.values():
            if member.station is not None:
                shares.join(now, member.station)

    def renewal(self, now: float, address: str) -> Renewal:
        """Give what a worker is told next."""
        self._end_leases(now)
        member = self._members.setdefault(address, _Member())
        member.number += 1
        member.telling = [*self._gathered.get(member.station or "", [])]
        limit_usd, is_all = None, False
        if self.budget.total_usd is not None:
            limit_usd = 0.0
            if member.station is not None:
                limit_usd, is_all = self.budget.part(member.station)
        return Renewal(
            number=member.number,
            answers=member.answers,
            lasts_s=self.lease_s,
            leases={}
            if member.station is None
            else {number: shares.lease(now, member.station) for number, shares in self._each()},
            limit_usd=limit_usd,
            is_all=is_all,
            received=member.last_row,
            gathered=member.telling,
            order=self.order,
        )

    def told(self, now: float, address: str, report: Report) -> list[Ended]:
        """Take the answer to the last renewal of a worker; give the rows that are new."""
        member = self._members.setdefault(address, _Member())
        if report.station != member.station:
            self._lose(member)
            member.station, member.last_row, member.telling = report.station, 0, []
        if member.telling:
            left = self._gathered[report.station][len(member.telling) :]
            self._gathered[report.station] = left
        member.answers, member.reported_at = report.number, now
        for number, use in report.uses.items():
            if number in self.servers:
                self.servers[number].told(now, report.station, use)
        for number, shares in self._each():
            if number not in report.uses:
                shares.unused(report.station)
        self.budget.told(report.station, report.spent)
        self._totals[report.station] = report.totals
        n_new = report.last_row - member.last_row
        member.last_row = report.last_row
        return report.rows[-n_new:] if n_new else []

    def missed(self, now: float, address: str) -> None:
        """Note that a worker did not answer; once its lease is over, its share is others'."""
        member = self._members.get(address)
        if member is not None and now >= member.reported_at + self.lease_s:
            self._lose(member)

    def gathered(self, station: str, stems: list[str]) -> None:
        """Note that what these files have is with the driver: their station may pack them."""
        self._gathered.setdefault(station, []).extend(stems)

    def forget(self, address: str) -> None:
        """Note that a worker is gone; what it was leased is held until that is over."""
        member = self._members.pop(address, None)
        if member is not None:
            self._lose(member)

    def has_said(self, address: str) -> bool:
        """Tell whether a worker has said who it is."""
        member = self._members.get(address)
        return member is not None and member.station is not None

    def has_sent(self, address: str) -> bool:
        """Tell whether a worker has sent anything yet."""
        member = self._members.get(address)
        totals = self._totals.get(member.station or "") if member is not None else None
        return totals is not None and totals.n_sent + totals.n_going > 0

    def totals(self) -> Totals:
        """Give what all workers have sent, those included that were lost."""
        total = Totals()
        for totals in self._totals.values():
            total.add(totals)
        return total

    def _each(self) -> list[tuple[int, Shares]]:
        return [*self.servers.items()]

    def _lose(self, member: _Member) -> None:
        if member.station is None:
            return
        over_at = member.reported_at + self.lease_s
        for _, shares in self._each():
            shares.over(member.station, over_at)
        self._over.append((over_at, member.station))
        totals = self._totals.get(member.station)
        if totals is not None:
            totals.n_going = 0  # nobody knows of any

    def _end_leases(self, now: float) -> None:
        for over_at, station in self._over:
            is_back = any(m.station == station and m.reported_at + self.lease_s > over_at
                          for m in self._members.values())  # fmt: skip
            if over_at <= now and not is_back:
                self.budget.over(station)
        self._over = [entry for entry in self._over if entry[0] > now]
