"""The frame of conversations: one row for each thread."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd

if TYPE_CHECKING:
    from nbchat.frames.source import RunLike

_MOST_SHOWN = 80


class Conversation(Protocol):
    """What a thread has that is listed; `nbchat.Thread` says what it means."""

    @property
    def name(self) -> str: ...
    @property
    def system(self) -> str | None: ...
    @property
    def runs(self) -> list[Any]: ...


def conversations(threads: Iterable[Conversation]) -> pd.DataFrame:
    """Give one row for each thread: its name, its turns, when and with what it was last answered.

    Columns: `thread` (string), `turns` (int64), `last_at` (datetime, UTC; NA where nothing was
    asked), `last_text` (string, its first 80 characters) and `system` (string).
    """
    known = [*threads]
    last = [each.runs[-1] if each.runs else None for each in known]
    return pd.DataFrame(
        {
            "thread": pd.array([each.name for each in known], dtype="string"),
            "turns": pd.array([len(each.runs) for each in known], dtype="int64"),
            "last_at": pd.array(
                [None if run is None else run.created_at for run in last],
                dtype=pd.DatetimeTZDtype("us", "UTC"),
            ),
            "last_text": pd.array([_short(run) for run in last], dtype="string"),
            "system": pd.array([each.system for each in known], dtype="string"),
        }
    )


def _short(run: RunLike | None) -> str | None:
    if run is None or run.completion is None or not run.completion.choices:
        return None
    text = " ".join((run.completion.choices[0].message.text or "").split())
    return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 1]}…"
