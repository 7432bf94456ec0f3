"""`repeat`: the same request many times, to see how far its answers agree."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from nbchat.errors import CheckError
from nbchat.session.chat import _asked, _split
from nbchat.session.execution import Playing, StatusLines
from nbchat.session.pool import play_together
from nbchat.session.prepared import prepare
from nbchat.session.settings import resolved

if TYPE_CHECKING:
    import pandas as pd

    from nbchat.run import Run


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
    play_together(playings)
    return _frame([playing.run for playing in playings])


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
    from nbchat.frames.distinct_answers import distinct

    return distinct(runs)
