"""``%chat history`` and ``%chat show``: what was asked before, as the value of the line."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from nbchat.run import Run

_SHOW = re.compile(r"show\s+([0-9a-f]{4,24})\s*\Z")
_HISTORY = re.compile(r"history(?:\s+(.*))?\Z", re.DOTALL)
#: the columns of the runs frame that a list of runs is read by
_COLUMNS = ["run_id", "created_at", "profile", "model", "status", "text"]
_MOST = 50


def past_of(line: str) -> Callable[[], Any] | None:
    """Give what a line of ``%chat`` asks of the history; None where it is a prompt."""
    text = line.strip()
    if shown := _SHOW.match(text):
        return partial(_run, shown[1])
    if found := _HISTORY.match(text):
        return partial(_frame, found[1] or None)
    return None


def _run(beginning: str) -> Run:
    from nbchat import history

    return history.get(beginning)


def _frame(text: str | None) -> pd.DataFrame:
    from nbchat import history

    return history.search(text, limit=_MOST)[_COLUMNS]
