"""Many runs at once, as repeating, scoring and classifying need them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence

from nbchat.errors import ApiError, BadRequestError, CheckError, NbchatError, ServerError
from nbchat.session.execution import Playing
from nbchat.session.interrupts import shorten

AT_ONCE = 4
_LEAVE_WITHIN_S = 2.0


def play_together(
    playings: Sequence[Playing], on_end: Callable[[Playing], None] | None = None
) -> None:
    """Play them all, some at once; on an interrupt stop those that go on, and begin no more.

    What goes wrong with one is its run's error, and raised here for none; where all that wait
    would fail in the same way, they are not begun. `on_end` is told of each that has ended,
    from the thread that played it.
    """
    if len(playings) == 1:  # in this thread, where an interrupt closes the connection at once
        _play(playings[0], on_end)
        return
    waiting = iter(playings)
    lock, is_over = threading.Lock(), threading.Event()

    def work(has_left: threading.Event) -> None:
        try:
            work_through()
        finally:
            has_left.set()

    def work_through() -> None:
        while (playing := _next(waiting, lock)) is not None and not is_over.is_set():
            try:
                _play(playing, on_end)
            except BaseException as error:  # noqa: BLE001 - it is the run's, and shown with it
                playing.run.error = playing.run.error or error
                is_over.set()
            if _is_hopeless(playing.run.error):
                is_over.set()

    # an interrupt in the middle of Thread.join() makes Python take the thread for ended
    # (bpo-45274), so each says itself that it has left
    leavings = [threading.Event() for _ in range(min(AT_ONCE, len(playings)))]
    # daemons: a server that is silent must not hold back the end of the kernel
    workers = [
        threading.Thread(target=work, args=(leaving,), name=f"nbchat-together-{i}", daemon=True)
        for i, leaving in enumerate(leavings)
    ]
    try:
        for worker in workers:
            worker.start()
        for leaving in leavings:
            while not leaving.wait(0.2):  # with a limit, so that an interrupt comes through
                pass
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            shorten(error, [playing.run for playing in playings])
        is_over.set()
        for playing in playings:
            if playing.run.status == "running":
                playing.cancel()
        leave_at = time.monotonic() + _LEAVE_WITHIN_S
        for worker, leaving in zip(workers, leavings, strict=True):
            if worker.ident is not None:
                leaving.wait(max(0.0, leave_at - time.monotonic()))
        raise


def _play(playing: Playing, on_end: Callable[[Playing], None] | None) -> None:
    """Play one to its end; an error of nbchat's own is its run's alone."""
    try:
        for _ in playing:
            pass
    except NbchatError as error:
        playing.run.error = playing.run.error or error
    if on_end is not None:
        on_end(playing)


def _next(waiting: Iterator[Playing], lock: threading.Lock) -> Playing | None:
    with lock:
        return next(waiting, None)


def _is_hopeless(error: BaseException | None) -> bool:
    """Tell whether the same request will fail in the same way again."""
    is_transient = isinstance(error, ServerError) or (
        isinstance(error, ApiError) and error.status in (None, 408, 409, 429)
    )
    return isinstance(error, (BadRequestError, CheckError)) or (
        isinstance(error, ApiError) and not is_transient
    )
