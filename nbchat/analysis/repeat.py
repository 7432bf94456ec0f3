"""`repeat`: the same request many times, to see how far its answers agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbchat.analysis.batch import answered, executions_of
from nbchat.errors import CheckError
from nbchat.request.arguments import draft_of_arguments
from nbchat.session.pool import AT_ONCE

if TYPE_CHECKING:
    import pandas as pd


class RepeatWarning(UserWarning):
    """Some of the requests of `nbchat.repeat` failed, and are in no row."""


def repeat(
    prompt: Any = None,
    times: int = 10,
    seed: int | None = 1,
    *,
    messages: Any = None,
    at_once: int = AT_ONCE,
    **params: Any,
) -> pd.DataFrame:
    """Send one request several times, and give its distinct answers by `system_fingerprint`.

    `times` is how often, `at_once` how many of them go on together; `seed` goes into each
    request (None: no seed). All else is what `nbchat.chat` takes, but for `thread` and `n`.
    With ``logprobs=True`` the frame also tells the first token that differs.

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
    n = params.get("n")
    if isinstance(n, int) and n > 1:
        raise CheckError("repeat() sends a request several times: set times, not n.", field="n")
    fields = {"seed": seed, **params} if seed is not None else params
    draft = draft_of_arguments(prompt, messages, fields, by="repeat")
    runs = answered(
        executions_of([draft] * times, by="repeat"),
        needs="some",
        at_once=at_once,
        warning=RepeatWarning,
    )
    from nbchat.frames.distinct_answers import distinct

    return distinct(runs)
