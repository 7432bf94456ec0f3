"""`repeat`: the same request many times, to see how far its answers agree."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nbchat.errors import ApiError, BadRequestError, CheckError, NbchatError, ServerError
from nbchat.session.asking import _asked, _split
from nbchat.session.playing import Playing, StatusLines, _shorten
from nbchat.session.prepared import prepare
from nbchat.session.settings import resolved

if TYPE_CHECKING:
    import pandas as pd

    from nbchat.run import Run

AT_ONCE = 4
_LEAVE_WITHIN_S = 2.0


class RepeatWarning(UserWarning):
    """Some of the requests of `nbchat.repeat` failed, and are in no row."""


def repeat(
    prompt: Any = None,
    times: int = 10,
    seed: int | None = 1,
    *,
    messages: Any = None,
    **params: Any,
) -> pd.DataFrame:
    """Send one request several times, and give its distinct answers by `system_fingerprint`.

    `times` is how often, at most four at once; `seed` goes into each request (None: no seed).
    All else is what `nbchat.chat` takes, but for `thread` and `n`. With ``logprobs=True`` the
    frame also tells the first token that differs.

    Give one row for each distinct answer, the most frequent first: `system_fingerprint`,
    `text`, `count`, `share`, `first_difference_char` (characters), `first_difference_token`
    (tokens; NA without logprobs), `run_ids` and `runs` (lists in the order of sending). All
    runs are in `nbchat.runs()` too, also those that failed or were interrupted.

    Raise `CheckError` before anything is sent; the first error where no request was answered;
    warn where only some were not.
    """
    if type(times) is not int or times < 1:
        rule = "a whole number, 1 or more"
        raise CheckError(f"times is {times!r}, but must be {rule}.", field="times", value=times)
    if params.get("thread") is not None:
        raise CheckError(
            "repeat() asks the same each time and so takes no thread: give messages=[…].",
            field="thread",
        )
    fields, own = _split({"seed": seed, **params} if seed is not None else params)
    if (fields.given().get("n") or 1) > 1:
        raise CheckError("repeat() sends a request several times: set times, not n.", field="n")
    timeout, max_retries = own.pop("timeout", None), own.pop("max_retries", None)
    toolbox = own.pop("toolbox", None)
    own["thread"] = None
    watcher = StatusLines()
    # checked before the embedded model is started or a key asked for
    prepared = prepare(_asked(prompt, messages, own), fields, **own)
    prepared.profile = profile = resolved(own.get("profile"), watcher.status)
    playings = [
        Playing(prepared, profile, watcher, timeout, max_retries, toolbox) for _ in range(times)
    ]
    _play(playings)
    return _frame([playing.run for playing in playings])


def _play(playings: list[Playing]) -> None:
    """Play them all, some at once; on an interrupt stop those that go on, and begin no more."""
    waiting = iter(playings)
    lock, is_over = threading.Lock(), threading.Event()

    def work() -> None:
        while (playing := _next(waiting, lock)) is not None and not is_over.is_set():
            try:
                for _ in playing:
                    pass
            except NbchatError as error:
                if _is_hopeless(error):
                    is_over.set()
            except BaseException as error:  # noqa: BLE001 - it is the run's, and shown with it
                playing.run.error = playing.run.error or error
                is_over.set()

    # daemons: a server that is silent must not hold back the end of the kernel
    workers = [
        threading.Thread(target=work, name=f"nbchat-repeat-{number}", daemon=True)
        for number in range(min(AT_ONCE, len(playings)))
    ]
    try:
        for worker in workers:
            worker.start()
        for worker in workers:
            while worker.is_alive():
                worker.join(0.2)  # with a limit, so that an interrupt comes through everywhere
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            _shorten(error)
        is_over.set()
        for playing in playings:
            if playing.run.status == "running":
                playing.cancel()
        leave_at = time.monotonic() + _LEAVE_WITHIN_S
        for worker in workers:
            if worker.ident is not None:
                worker.join(max(0.0, leave_at - time.monotonic()))
        raise


def _next(waiting: Iterator[Playing], lock: threading.Lock) -> Playing | None:
    with lock:
        return next(waiting, None)


def _is_hopeless(error: NbchatError) -> bool:
    """Tell whether the same request will fail in the same way again."""
    is_transient = isinstance(error, ServerError) or (
        isinstance(error, ApiError) and error.status in (None, 408, 409, 429)
    )
    return isinstance(error, (BadRequestError, CheckError)) or (
        isinstance(error, ApiError) and not is_transient
    )


def _frame(runs: list[Run]) -> pd.DataFrame:
    failed = [run for run in runs if run.status != "complete"]
    errors = [run.error for run in failed if run.error is not None]
    if errors and len(failed) == len(runs):
        raise errors[0]
    if failed:
        because = f": {errors[0]}" if errors else ""
        warnings.warn(
            f"{len(failed)} of {len(runs)} requests were not answered{because}",
            RepeatWarning,
            stacklevel=3,
        )
    from nbchat.frames.distinct import distinct

    return distinct(runs)
