"""Servers with limits of many kinds, on a clock of their own, and a sweep that asks them."""

from __future__ import annotations

import heapq
import math
import random
from dataclasses import dataclass, field
from typing import Any

from nbchat.sweep.limiter import Limiter, Permit


@dataclass
class SimulatedServer:
    """Takes `at_once` requests at once and `per_s` in a second, `burst` of them in one go.

    Of all requests it refuses a share that is `drawn`, whatever it is sent.
    """

    at_once: float = math.inf
    per_s: float = math.inf
    burst: float = 10.0
    mean_s: float = 1.0
    spread: float = 0.5
    retry_after_s: float | None = None
    failing: float = 0.0
    drawn: float = 0.0
    rng: random.Random = field(default_factory=lambda: random.Random(7))
    going: int = 0
    level: float = math.nan
    filled_at: float = 0.0

    @property
    def ideal_per_s(self) -> float:
        return min(self.per_s, self.at_once / self.mean_s)

    def answer(self, now: float) -> tuple[str, float]:
        """The outcome of a request, and the seconds that it takes."""
        if self.drawn and self.rng.random() < self.drawn:
            return "limited", min(0.02, self.mean_s)
        if math.isnan(self.level):
            self.level = self.burst
        if math.isfinite(self.per_s):
            self.level = min(self.level + (now - self.filled_at) * self.per_s, self.burst)
            self.filled_at = now
        if self.going >= self.at_once or self.level < 1:
            return "limited", 0.02
        self.level -= 1 if math.isfinite(self.per_s) else 0
        self.going += 1
        if self.rng.random() < self.failing:
            return "failed", 0.05
        deviation = self.spread
        return "answered", self.mean_s * self.rng.lognormvariate(-(deviation**2) / 2, deviation)


@dataclass
class Simulation:
    answered: int
    limited: int
    seconds: float
    most_going: int


def simulated(
    server: SimulatedServer,
    limiter: Limiter,
    seconds: float,
    tokens: int = 0,
    begin: float = 0.0,
) -> Simulation:
    """Let a sweep with work without end ask the server until then."""
    now, counter = begin, 0
    ends: list[tuple[float, int, str, Permit]] = []
    done: dict[str, int] = {"answered": 0, "limited": 0, "failed": 0}
    most = 0
    while now < seconds:
        while True:
            permit: Any = limiter.take(now, tokens)
            if not isinstance(permit, Permit):
                break
            outcome, takes_s = server.answer(now)
            counter += 1
            heapq.heappush(ends, (now + takes_s, counter, outcome, permit))
            most = max(most, len(ends))
        ask_again_at = now + permit
        if ends and ends[0][0] <= ask_again_at:
            now, _, outcome, ended = heapq.heappop(ends)
            done[outcome] += 1
            server.going -= outcome != "limited"
            limiter.ended(
                ended,
                now,
                outcome,  # type: ignore[arg-type]
                tokens=tokens,
                retry_after_s=server.retry_after_s if outcome == "limited" else None,
            )
        else:
            now = ask_again_at
    return Simulation(done["answered"], done["limited"], now, most)
