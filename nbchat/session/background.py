"""Runs that go on by themselves, in a thread: what waits for them, and what stops them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nbchat.session.pool import Pool

if TYPE_CHECKING:
    from nbchat.run import Run
    from nbchat.session.execution import Execution


class Background:
    """Plays an execution in a thread of its own; `run` is the run so far.

    `on_chunk` is told of each chunk and `on_end` of the end, and of its error, None where there
    was none; both from that thread.
    """

    def __init__(
        self,
        execution: Execution,
        *,
        on_chunk: Callable[[Any], object] = lambda _: None,
        on_end: Callable[[BaseException | None], object] = lambda _: None,
    ):
        self._execution = execution
        self._on_chunk, self._on_end = on_chunk, on_end
        self._lock = threading.Lock()
        self._is_over = False
        self._told: list[Callable[[], object]] = []
        self._pool: Pool[Background] = Pool(
            at_once=1,
            on_end=lambda _, error: self._ended(error),
            stops_at=lambda _: False,
            name="nbchat-background",
        )
        self.run: Run = execution.run
        self.error: BaseException | None = None

    def begin(self) -> Run:
        """Begin, and give the run. A key is asked for here, since nobody can be asked there."""
        self._execution.get_ready_here()
        self.run.go_on_in(self)
        self._pool.add([self])
        return self.run

    def __iter__(self) -> Any:
        for chunk in self._execution:
            self._on_chunk(chunk)
            yield chunk

    def cancel(self) -> None:
        """Stop it: the connection is closed at once. What has come is kept."""
        self._execution.cancel()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end; tell whether it has come. An interrupt meanwhile stops the run."""
        if timeout_s is not None:
            return self._pool.leave(timeout_s)
        self._pool.wait()
        return True

    def tell_at_end(self, listener: Callable[[], object]) -> None:
        """Call this when it is over, at once where it is; from that thread or this one."""
        with self._lock:
            if not self._is_over:
                self._told.append(listener)
                return
        listener()

    def _ended(self, error: BaseException | None) -> None:
        self.error = error
        try:
            self._on_end(error)
        finally:
            with self._lock:
                self._is_over = True
                told, self._told = self._told, []
            for listener in told:
                listener()
