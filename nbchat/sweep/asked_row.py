"""A row that is to be asked, who answers it, and who watches: nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from nbchat.session.execution import FROM_SERVER
from nbchat.session.sources import Order
from nbchat.sweep.design import Row
from nbchat.sweep.limiter import Permit

if TYPE_CHECKING:
    from nbchat.request.prepare import Prepared
    from nbchat.run import Run
    from nbchat.session.budget import Reservation
    from nbchat.session.sources import Answer


class Task(msgspec.Struct, eq=False):
    """A row that is to be asked: what is sent, to whom, and what it has been through."""

    row: Row
    prepared: Prepared
    server: Any
    tokens: int
    attempt: int
    n_sent: int = 0
    n_failed: int = 0
    permit: Permit | None = None
    reservation: Reservation | None = None


class Metered:
    """The server of the profile; keeps the answer, whose headers tell of limits."""

    needs_server = True

    def __init__(self) -> None:
        self.answer: Any = None

    def open(self, order: Order) -> Answer:
        self.answer = FROM_SERVER.open(order)
        answer: Answer = self.answer
        return answer


class Unwatched:
    """The watcher of a row: the sweep shows how far all of them are."""

    def status(self, line: str) -> None: ...

    def update(self, run: Run) -> None: ...

    def finish(self, run: Run) -> None: ...


UNWATCHED = Unwatched()
