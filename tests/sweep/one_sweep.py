"""A sweep in a process of its own, which is there to be killed: URL, folder, number of rows."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Mapping
from typing import Any

import nbchat
from nbchat.sweep.limiter import Permit


class Steady:
    """Grants 16 at once, whatever comes: the server's 429s here are drawn, and are no limit."""

    slots = 16

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_going = 0

    def take(self, now: float, tokens: int) -> Permit | float:
        with self._lock:
            if self._n_going >= self.slots:
                return math.inf
            self._n_going += 1
            return Permit(now, tokens, self._n_going, 0)

    def ended(self, permit: Permit, now: float, outcome: str, **_: Any) -> None:
        with self._lock:
            self._n_going -= 1

    def learn(self, headers: Mapping[str, str]) -> None: ...


class Steadily:
    """Limits that are the same for all servers."""

    def __init__(self) -> None:
        self._grants = Steady()

    def grants_of(self, _: Any) -> Steady:
        return self._grants


def sweep_of(url: str, folder: str, n: int, **more: Any) -> Any:
    data = [{"word": f"word {number}"} for number in range(n)]
    sweep = nbchat.sweep("{{ word }}", data=data, folder=folder, profile=url, model="m", **more)
    sweep._limits = Steadily()  # type: ignore[assignment]
    return sweep


if __name__ == "__main__":
    sweep_of(sys.argv[1], sys.argv[2], int(sys.argv[3])).run()
