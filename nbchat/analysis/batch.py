"""Many requests that belong together: made ready, played, and what failed sorted out."""

from __future__ import annotations

import contextlib
import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from nbchat.analysis.progress import Progress
from nbchat.errors import CheckError
from nbchat.session.execution import FROM_SERVER, Execution
from nbchat.session.offline import replaying
from nbchat.session.pool import AT_ONCE, play
from nbchat.session.servers import prepare
from nbchat.session.settings import resolved
from nbchat.session.several_servers import steady
from nbchat.session.watchers import PrintingWatcher

if TYPE_CHECKING:
    from nbchat.request.draft import Draft
    from nbchat.request.prepare import Prepared
    from nbchat.run import Run
    from nbchat.session.sources import Source


def with_defaults(fields: Mapping[str, Any], **defaults: Any) -> dict[str, Any]:
    """Give fields with what is not given in them, `extra` included."""
    there = {**fields, **(fields.get("extra") or {})}
    return {name: v for name, v in defaults.items() if name not in there} | dict(fields)


#: functions that draw samples, which any of several servers may answer
_DRAWS = ("repeat", "compare", "uncertainty")


def executions_of(
    drafts: Sequence[Draft], *, by: str, source_of: Callable[[int], Source] = lambda _: FROM_SERVER
) -> list[Execution]:
    """Prepare one run for each draft, in their order; equal drafts in a row are prepared once.

    `by` names the function that asks; `source_of` gives who answers the draft of this number.
    Raise CheckError before anything is sent, started or asked for.
    """
    watcher = PrintingWatcher()
    if by not in _DRAWS:
        drafts = _on_one_server(drafts)
    ready: list[Prepared] = []
    for number, draft in enumerate(drafts):
        if draft.thread is not None:
            raise CheckError(f"{by}() takes no thread: give messages=[…].", field="thread")
        if number and draft is drafts[number - 1]:
            ready.append(ready[-1])
            continue
        prepared = prepare(draft, say=watcher.status)
        if (prepared.params.given().get("n") or 1) > 1:
            raise CheckError(f"{by}() compares single replies and takes no n.", field="n")
        ready.append(prepared)
    # here, where a key can be asked for, and not in the threads that play
    for prepared in {id(one.options.profile): one for one in ready}.values():
        with replaying(prepared.options.replay):
            resolved(prepared.options.profile, watcher.status)
    return [
        Execution(prepared, watcher=watcher, source=source_of(number))
        for number, prepared in enumerate(ready)
    ]


def _on_one_server(drafts: Sequence[Draft]) -> list[Draft]:
    """Give drafts of which none goes to another one of several servers than the others."""
    narrowed: list[Draft] = []
    for number, draft in enumerate(drafts):
        if number and draft is drafts[number - 1]:
            narrowed.append(narrowed[-1])
            continue
        profile = resolved(draft.profile, None)
        one = profile if not profile.base_urls else steady(profile)
        narrowed.append(draft if one is profile else msgspec.structs.replace(draft, profile=one))
    return narrowed


def answered(
    executions: Sequence[Execution],
    *,
    needs: Literal["all", "some"],
    at_once: int = AT_ONCE,
    warning: type[Warning] = UserWarning,
    progress: tuple[str, str] | None = None,
    is_enough: Callable[[list[Run]], bool] | None = None,
) -> list[Run]:
    """Play requests, and give the runs that were answered, in the order of the requests.

    - `needs`: "all" raises the first error where one failed; "some" raises it where all did, and
      warns where only some did, with `warning`
    - `progress`: what is done and its unit, for a line that says how far it is
    - `is_enough`: given the runs that have ended, tells whether no more are to be begun
    """
    ended: list[Run] = []
    stops = None if is_enough is None else (lambda: is_enough(ended))
    with contextlib.ExitStack() as stack:
        line = stack.enter_context(Progress(len(executions), *progress)) if progress else None

        def note(execution: Execution) -> None:
            ended.append(execution.run)
            if line is not None:
                line.step()

        play(executions, at_once=at_once, on_end=note, is_enough=stops)
    counted = [one.run for one in executions if one.was_begun or is_enough is None]
    return sorted_out(counted, needs=needs, warning=warning)


def sorted_out(
    runs: Sequence[Run], *, needs: Literal["all", "some"], warning: type[Warning] = UserWarning
) -> list[Run]:
    """Give the runs that were answered; raise or warn because of the others, as `answered`."""
    good = [run for run in runs if run.status == "complete" and run.completion is not None]
    errors = [run.error for run in runs if run.error is not None]
    if errors and (needs == "all" or not good):
        raise errors[0]
    if len(good) < len(runs) and good:
        because = f": {errors[0]}" if errors else ""
        warnings.warn(
            f"{len(runs) - len(good)} of {len(runs)} requests were not answered{because}",
            warning,
            stacklevel=_level_of_the_user(),
        )
    return good


def _level_of_the_user() -> int:
    """Give the `stacklevel`, seen from the caller, of the first line that is not nbchat's."""
    level = 1
    frame = inspect.currentframe()
    frame = None if frame is None else frame.f_back
    while frame is not None and frame.f_globals.get("__name__", "").startswith("nbchat."):
        frame, level = frame.f_back, level + 1
    return level
