"""Many runs at once: the one place with threads for requests, their limit and their stop."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar

from nbchat.api.json_values import is_whole_number, shown
from nbchat.errors import (
    ApiError,
    CheckError,
    LocalModelError,
    NbchatError,
    ProfileError,
    ServerError,
)
from nbchat.session.execution import Execution
from nbchat.session.interrupts import shorten

#: requests that go on at once where nothing else is said
AT_ONCE = 4
_LEAVE_WITHIN_S = 2.0


class Job(Protocol):
    """Something that is played in a thread: an `Execution`, or what begins one."""

    def __iter__(self) -> Iterator[Any]: ...

    def cancel(self) -> None:
        """Stop from another thread; may come before it was begun."""


J = TypeVar("J", bound=Job)


class Pool(Generic[J]):
    """Plays jobs in threads, `at_once` of them at a time, in the order in which they were added.

    What a job raises is told with it, and ends no other; where `stops_at` tells that all that
    wait would fail in the same way, they are not begun. From the threads these are told:

    - `on_begin` of each job just before it begins; it must be quick
    - `on_end` of each that has ended, and of its error, None where there was none
    - `on_skip` of each that is never begun, and of the error because of which, None for a stop

    What these raise themselves stops the pool, and is raised by ``wait()``.
    """

    def __init__(
        self,
        *,
        at_once: int = AT_ONCE,
        on_begin: Callable[[J], object] = lambda _: None,
        on_end: Callable[[J, BaseException | None], object] = lambda _job, _error: None,
        on_skip: Callable[[J, BaseException | None], object] = lambda _job, _error: None,
        stops_at: Callable[[BaseException], bool] | None = None,
        name: str = "nbchat-pool",
    ):
        self._at_once = checked_at_once(at_once)
        self._on_begin, self._on_end, self._on_skip = on_begin, on_end, on_skip
        self._stops_at = is_of_the_server if stops_at is None else stops_at
        self._name = name
        self._lock = threading.Lock()
        self._waiting: deque[J] = deque()
        self._running: list[J] = []
        self._n_workers = 0
        # an interrupt in the middle of Thread.join() makes Python take the thread for ended
        # (bpo-45274), so the last worker that leaves says so itself
        self._is_idle = threading.Event()
        self._is_idle.set()
        self._fault: BaseException | None = None

    @property
    def is_running(self) -> bool:
        """Whether a job is not over."""
        return not self._is_idle.is_set()

    def add(self, jobs: Iterable[J]) -> None:
        """Play these too, behind those that wait."""
        with self._lock:
            self._waiting.extend(jobs)
            n_new = min(self._at_once - self._n_workers, len(self._waiting))
            if n_new > 0:
                self._n_workers += n_new
                self._is_idle.clear()
        for _ in range(max(n_new, 0)):
            # daemons: a server that is silent must not hold back the end of the kernel
            threading.Thread(target=self._work, name=self._name, daemon=True).start()

    def begin_no_more(self) -> None:
        """Let what runs go on to its end, and skip what waits."""
        self._skip_waiting(None)

    def stop(self) -> None:
        """Cancel what runs and begin no more. Returns at once; what has come is kept."""
        self._skip_waiting(None)
        with self._lock:
            running = [*self._running]
        for job in running:
            job.cancel()

    def wait(self) -> None:
        """Wait until all jobs are over; on an interrupt stop them, and raise it again."""
        try:
            while not self._is_idle.wait(0.2):  # with a limit, so that an interrupt comes through
                pass
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                shorten(error)
            self.stop()
            self.leave()
            raise
        if self._fault is not None:
            raise self._fault

    def leave(self, within_s: float = _LEAVE_WITHIN_S) -> bool:
        """Give what was stopped a moment to end; tell whether it has."""
        return self._is_idle.wait(max(0.0, within_s))

    def _work(self) -> None:
        while (job := self._next()) is not None:
            error: BaseException | None = None
            try:
                for _ in job:
                    pass
            except BaseException as raised:  # noqa: BLE001 - it is the job's, and told with it
                error = raised
            with self._lock:
                self._running.remove(job)
            self._tell(self._on_end, job, error)
            if self._fault is not None:
                self.stop()
            # what is no error of nbchat's own nobody knows, and so nobody knows what comes next
            if error is not None and (not isinstance(error, NbchatError) or self._stops_at(error)):
                self._skip_waiting(error)

    def _next(self) -> J | None:
        """Take the next job; None ends the worker that asks."""
        with self._lock:
            if not self._waiting:
                self._n_workers -= 1
                if not self._n_workers:
                    self._is_idle.set()
                return None
            job = self._waiting.popleft()
            self._running.append(job)
            self._tell(self._on_begin, job)
        return job

    def _skip_waiting(self, error: BaseException | None) -> None:
        with self._lock:
            skipped = [*self._waiting]
            self._waiting.clear()
        for job in skipped:
            self._tell(self._on_skip, job, error)

    def _tell(self, listener: Callable[..., object], *about: Any) -> None:
        try:
            listener(*about)
        except BaseException as error:  # noqa: BLE001 - `wait` raises it
            self._fault = self._fault or error


def play(
    executions: Sequence[Execution],
    *,
    at_once: int = AT_ONCE,
    on_end: Callable[[Execution], object] = lambda _: None,
    is_enough: Callable[[], bool] | None = None,
) -> None:
    """Play requests that are alike, some at once, and wait; on an interrupt stop what goes on.

    What goes wrong with one is its run's error, and raised here for none; where the same request
    would fail in the same way again, no more are begun. `on_end` is told of each that has
    ended, from the thread that played it; what it raises stops all and is raised here. Once it
    `is_enough`, no more are begun.
    """

    def ended(execution: Execution, error: BaseException | None) -> None:
        if error is not None:
            execution.run.error = execution.run.error or error
        on_end(execution)
        if is_enough is not None and is_enough():
            pool.begin_no_more()

    at_once = checked_at_once(at_once)
    pool: Pool[Execution] = Pool(at_once=at_once, on_end=ended, stops_at=is_hopeless)
    if len(executions) == 1:  # in this thread, where an interrupt closes the connection at once
        _play_here(executions[0], ended)
        return
    pool.add(executions)
    try:
        pool.wait()
    except KeyboardInterrupt as interrupt:
        shorten(interrupt, [execution.run for execution in executions])
        raise


def _play_here(
    execution: Execution, on_end: Callable[[Execution, BaseException | None], None]
) -> None:
    failure: NbchatError | None = None
    try:
        for _ in execution:
            pass
    except NbchatError as error:
        failure = error
    on_end(execution, failure)


def checked_at_once(at_once: Any) -> int:
    """Give how many requests go on at once. Raise CheckError for what is no such number."""
    if not is_whole_number(at_once) or at_once < 1:
        rule = "must be a whole number, 1 or more"
        raise CheckError(
            f"at_once is {shown(at_once)}, but it {rule}.",
            field="at_once",
            value=at_once,
            rule=rule,
        )
    return int(at_once)


def is_hopeless(error: BaseException) -> bool:
    """Tell whether the same request will fail in the same way again."""
    is_transient = isinstance(error, ServerError) or (
        isinstance(error, ApiError) and error.status in (None, 408, 409, 429)
    )
    return isinstance(error, (CheckError, ProfileError, LocalModelError)) or (
        isinstance(error, ApiError) and not is_transient
    )


def is_of_the_server(error: BaseException) -> bool:
    """Tell whether any other request to the server will fail in the same way."""
    is_refused = isinstance(error, ApiError) and error.status in (401, 402)
    return is_refused or isinstance(error, (ProfileError, LocalModelError))
