"""Rows that wait to be asked: in the order of the plan, each at its server, or again later."""

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from nbchat.sweep.asked_row import Task
from nbchat.sweep.limiter import Grants, Permit
from nbchat.sweep.request_size import prompt_size, reply_limit

if TYPE_CHECKING:
    from nbchat.client.profiles import Profile
    from nbchat.sweep.design import Cell, Design
    from nbchat.sweep.folder import Standing

#: rows that wait in memory for a server that is not asked just now, at most
_LOOK_AHEAD = 512


class WaitingRows:
    """What is missing of a design, and may be asked as soon as its server takes it.

    It has no lock and no clock: whoever calls holds the one and tells the other.

    - `grants_of`: who says when a server may be asked, one for each server and key
    - `standings`: row id -> where it stands; those in `again` are asked although they ended
    - `affords`: told of a row before it may be sent: whether what it costs can be set aside now
    """

    def __init__(
        self,
        design: Design,
        grants_of: Callable[[Profile], Grants],
        standings: Mapping[str, Standing],
        again: frozenset[str],
        affords: Callable[[Task], bool],
    ):
        self._grants_of, self._affords = grants_of, affords
        self._standings, self._again = standings, again
        self._cells: Iterator[Cell] | None = design.cells(is_wanted=self._is_wanted)
        self._servers: dict[Any, Grants] = {}
        self._identities: dict[int, tuple[Profile, Any]] = {}  # with the profile, whose id it is
        self._by_server: dict[Any, deque[Task]] = {}
        self._n_by_server = 0
        self._later: list[tuple[float, int, Task]] = []
        self._order = itertools.count()

    @property
    def n_known(self) -> int:
        """How many wait, of those that were looked at."""
        return self._n_by_server + len(self._later)

    @property
    def is_empty(self) -> bool:
        """Whether none waits and none is to come."""
        return self._cells is None and not self.n_known

    def slots(self) -> int:
        """Give how many requests may go on at once now."""
        return sum([grants.slots for grants in self._servers.values()])

    def grants_at(self, server: Any) -> Grants:
        """Give who says when this server may be asked."""
        return self._servers[server]

    def next(self, now: float) -> Task | float:
        """Give a row that may be sent, with its permit, or the seconds to wait (inf: for others).

        Raise what a prompt's function raises, and what `affords` does.
        """
        while self._later and self._later[0][0] <= now:
            self._queue(heapq.heappop(self._later)[2], first=True)
        wait_s = math.inf
        while True:
            for server, queue in self._by_server.items():
                if not queue or not self._affords(queue[0]):
                    continue
                granted = self._servers[server].take(now, queue[0].tokens)
                if isinstance(granted, Permit):
                    task = queue.popleft()
                    self._n_by_server -= 1
                    task.permit = granted
                    return task
                wait_s = min(wait_s, granted)
            if self._n_by_server >= _LOOK_AHEAD or not self._pull():
                break
        return min(wait_s, self._later[0][0] - now) if self._later else wait_s

    def put_back(self, task: Task, at: float) -> None:
        """Have a row asked again, not before then."""
        heapq.heappush(self._later, (at, next(self._order), task))

    def _pull(self) -> bool:
        """Take the rows of the next cell; tell whether there was one."""
        if self._cells is None:
            return False
        try:
            cell = next(self._cells, None)
        except BaseException:
            self._cells = None  # a prompt's function may raise anything
            raise
        if cell is None:
            self._cells = None
            return False
        for row, prepared in zip(cell.rows, cell.prepared, strict=True):
            if not self._is_wanted(row.id):
                continue
            standing = self._standings.get(row.id)
            attempt = 0 if standing is None else standing.attempt + 1
            server = self._identity(prepared.profile)
            if server not in self._servers:
                self._servers[server] = self._grants_of(prepared.profile)
                self._by_server[server] = deque()
            n_tokens = prompt_size(prepared) + (reply_limit(prepared) or 0)
            self._queue(Task(row, prepared, server, n_tokens, attempt))
        return True

    def _identity(self, profile: Profile) -> Any:
        """Give what a profile's server is known by; the rows of a point share one profile."""
        known = self._identities.get(id(profile))
        if known is None:
            known = self._identities[id(profile)] = (profile, profile.identity)
        return known[1]

    def _queue(self, task: Task, *, first: bool = False) -> None:
        queue = self._by_server[task.server]
        (queue.appendleft if first else queue.append)(task)
        self._n_by_server += 1

    def _is_wanted(self, row_id: str) -> bool:
        return row_id not in self._standings or row_id in self._again
