"""Where rows are run: in threads of this process, or by whatever has the same methods."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from nbchat.errors import CheckError
from nbchat.sweep.design import Design
from nbchat.sweep.folder import Standing
from nbchat.sweep.limiter import Grants
from nbchat.sweep.limits import Limits
from nbchat.sweep.place import Place
from nbchat.sweep.records import Record

if TYPE_CHECKING:
    from nbchat.client.profiles import Profile
    from nbchat.session.budget import Budget


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be run: see `nbchat.sweep.runner.Runner`."""

    design: Design
    folder: Place
    name: str
    limits: Limits
    grants_of: Callable[[Profile], Grants]
    standings: dict[str, Standing]
    again: frozenset[str]
    tries: int
    budget: Budget | None
    on_rows: Callable[[list[Record]], object]

    def is_wanted(self, row_id: str) -> bool:
        """Tell whether a row is to be asked."""
        return row_id not in self.standings or row_id in self.again


class Going(Protocol):
    """Work that goes on."""

    @property
    def n_going(self) -> int: ...

    @property
    def n_sent(self) -> int: ...

    @property
    def n_retries(self) -> int: ...

    @property
    def n_limited(self) -> int: ...

    @property
    def n_unknown(self) -> int: ...

    @property
    def unknown_usd(self) -> float | None: ...

    @property
    def is_running(self) -> bool: ...

    def start(self) -> None: ...

    def stop(self, *, now: bool = False) -> None: ...

    def wait(self) -> None: ...


class Executor(Protocol):
    """Runs work. It begins with `Going.start`."""

    def going(self, work: Work) -> Going: ...


class Threads:
    """In threads of this process, on its pool."""

    def going(self, work: Work) -> Going:
        from nbchat.sweep.runner import Runner

        folder: Any = work.folder
        runner = Runner(
            work.design,
            folder,
            name=work.name,
            grants_of=work.grants_of,
            standings=work.standings,
            again=work.again,
            tries=work.tries,
            budget=work.budget,
            on_rows=work.on_rows,
        )
        runner.take_over()
        return runner


def checked_executor(executor: Any) -> Executor:
    """Give an executor; None is this process. Raise CheckError for what is none."""
    if executor is None:
        return Threads()
    if hasattr(executor, "going"):
        chosen: Executor = executor
        return chosen
    if isinstance(executor, concurrent.futures.Executor):
        from nbchat.sweep.fixed_shares import FixedShares

        return FixedShares(executor)
    if type(executor).__module__.partition(".")[0] == "distributed":
        from nbchat.sweep.dask import Dask, client_of

        return Dask(client_of(executor))
    rule = (
        "must be None (threads of this process), a dask.distributed.Client, an Executor of "
        "concurrent.futures, or have the method going(work)"
    )
    raise CheckError(
        f"executor is a {type(executor).__name__}, but it {rule}.",
        field="executor",
        value=executor,
        rule=rule,
    )
