"""How far the batches of a sweep are: a frame, a line of words, counts for a bar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nbchat.plots.axes import counted
from nbchat.sweep.batch_state import Part
from nbchat.sweep.progress import Counts

if TYPE_CHECKING:
    import pandas as pd

#: column of the status -> what of a part it is, and its dtype
_COLUMNS: dict[str, tuple[str, Any]] = {
    "part": ("number", "Int64"),
    "profile": ("profile", "string"),
    "model": ("model", "string"),
    "status": ("status", "string"),
    "requests": ("requests", "Int64"),
    "completed": ("completed", "Int64"),
    "failed": ("failed", "Int64"),
    "is_collected": ("is_collected", "boolean"),
    "created_at": ("created_at", "float64"),
    "expires_at": ("expires_at", "float64"),
    "prompt_tokens": ("prompt_tokens", "Int64"),
    "batch_id": ("batch_id", "string"),
    "error": ("error", "string"),
}


def frame_of(parts: Sequence[Part]) -> pd.DataFrame:
    """Give a row for each part. See `nbchat.sweep.batch_jobs.BatchJobs.status`."""
    import pandas as pd

    columns: dict[str, Any] = {
        name: pd.Series([getattr(part, field) for part in parts], dtype=dtype)
        for name, (field, dtype) in _COLUMNS.items()
    }
    for name in ("created_at", "expires_at"):
        columns[name] = pd.to_datetime(columns[name], unit="s", utc=True)
    return pd.DataFrame(columns)


def words_of(parts: Sequence[Part]) -> str:
    """Say how many there are of each kind, and what is answered."""
    if not parts:
        return "none"
    kinds: dict[str, int] = {}
    for part in parts:
        kinds[part.status] = kinds.get(part.status, 0) + 1
    words = [f"{count:,} {status}" for status, count in kinds.items()]
    n_open = sum(part.may_answer and part.has_ended for part in parts)
    words += [f"{n_open:,} to be collected"] if n_open else []
    requests, done = sum(p.requests for p in parts), sum(p.completed for p in parts)
    words.append(f"{done:,} of {counted(requests, 'request')} answered")
    return " · ".join(words)


def counts_of(parts: Sequence[Part]) -> Counts:
    """Give the counts of the parts that are still to be collected."""
    parts = [part for part in parts if not part.is_collected]
    rows = sum(part.requests for part in parts)
    done, failed = sum(p.completed for p in parts), sum(p.failed for p in parts)
    return Counts(rows=rows, answered=done, error=failed, not_sent=rows - done - failed)
