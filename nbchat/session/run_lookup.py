"""The runs of this kernel as frames, and runs by their ids: here, then in the history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nbchat.errors import RunNotFoundError
from nbchat.session.state import STATE

if TYPE_CHECKING:
    import pandas as pd

    from nbchat.run import Run


def runs_frame(source: Any = None, *, all_columns: bool = False) -> pd.DataFrame:
    """Give one row for each run: of a run, its id, a list of runs, or, with nothing, of all runs.

    First come time, conversation, model, status, text, tokens and cost, then what was set in one
    of the runs; `all_columns` adds what none has set. Columns: see `nbchat.frames.columns`.
    Interrupted and failed runs are included, and those that still go on.
    """
    from nbchat import frames

    let_frames_find_runs()
    return frames.runs(STATE.runs if source is None else source, all_columns=all_columns)


def usage_frame(source: Any = None) -> pd.DataFrame:
    """Give token counts, times and cost, one row for each run: of all of this kernel by default.

    `source` is a run, its id, a list of runs or a frame with `run_id`. What is unknown is NA.
    Columns: see `nbchat.frames.columns`.
    """
    from nbchat import frames

    let_frames_find_runs()
    return frames.usage(STATE.runs if source is None else source)


def let_frames_find_runs() -> None:
    """Let a frame with `run_id`, or an id, stand for its runs."""
    from nbchat.frames.source import find_run_with, find_runs_with
    from nbchat.history.store import runs_of_ids

    find_runs_with(runs_of_this_kernel)
    find_runs_with(runs_of_ids)
    find_run_with(run_with_id)


def runs_of_this_kernel(ids: Sequence[str]) -> dict[str, Run]:
    """Give those of these runs that this process has asked, under their ids."""
    wanted = set(ids)
    return {run.id: run for run in STATE.runs if run.id in wanted}


def run_with_id(beginning: str) -> Run:
    """Give the run of this id, or the one whose id begins so.

    Raise `RunNotFoundError` where there is none, or more than one.
    """
    from nbchat.history import store

    here = [run for run in STATE.runs if beginning and run.id.startswith(beginning)]
    exact = [run for run in here if run.id == beginning]
    if len(exact or here) == 1:
        return (exact or here)[0]
    if here:
        raise RunNotFoundError(
            f"{beginning!r} begins the ids of {len(here)} runs of this kernel: "
            f"{', '.join(run.id for run in here[:3])}{', …' * (len(here) > 3)}"
        )
    if not beginning or not set(beginning) <= set("0123456789abcdef"):
        raise RunNotFoundError(
            f"{beginning!r} is no id of a run, which is hexadecimal: nbchat.runs() shows them "
            "as run_id, and nbchat.history.search() finds runs by their words."
        )
    return store.get(beginning)
