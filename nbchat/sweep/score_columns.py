"""The columns of a scores frame, known by where they stand: keys, axes, what became of it, scores.

``row_id, item, (columns of the data,) sample, (axes,) status, run_id, (scores)``. A frame that was
saved and read again, or that is a user's, is thereby understood as one of a sweep; of another
one the names are to be given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nbchat.api.explain import did_you_mean, nearest
from nbchat.errors import CheckError

if TYPE_CHECKING:
    import pandas as pd

KEYS = ("row_id", "item", "sample")
AROUND = ("status", "run_id")
#: figures that every sweep has, with a score or without one: the share of requests that have an
#: answer, and the tokens of the answers
ANSWERED, TOKENS = "answered", "completion_tokens"
#: what can have become of a row, as columns that count it
STATUSES = ("answered", "truncated", "refused", "error", "not_sent")


def axes_of(frame: pd.DataFrame) -> list[str]:
    """Name the axes: what stands between the sample and the status."""
    names = list(frame.columns)
    if "sample" not in names or "status" not in names:
        return []
    return names[names.index("sample") + 1 : names.index("status")]


def scores_of(frame: pd.DataFrame) -> list[str]:
    """Name the scores: the numbers behind the id of the run."""
    names = list(frame.columns)
    if "run_id" not in names:
        return []
    behind = names[names.index("run_id") + 1 :]
    return [name for name in behind if frame[name].dtype.kind in "fbiu"]


def as_names(names: str | Sequence[str] | None) -> list[str]:
    if names is None:
        return []
    return [names] if isinstance(names, str) else [str(name) for name in names]


def checked_scores(frame: pd.DataFrame, score: str | Sequence[str] | None) -> list[str]:
    """Give the scores that are meant: those that are named, else all. Raise CheckError."""
    there = scores_of(frame)
    if score is None:
        if not there:
            raise CheckError(
                "There are no scores here. Give the sweep evaluators first, as "
                'sweep.evaluate({"right": nbchat.evaluators.equals("{{ answer }}")}), or name the '
                "column of a frame: score=.",
                field="score",
            )
        return there
    names = as_names(score)
    for name in names:
        if name not in frame or frame[name].dtype.kind not in "fbiu":
            near = nearest(name, there)
            raise CheckError(
                f"score: there is no score {name}.{did_you_mean(near) or _there(there)}",
                field="score",
                value=name,
            )
    return names


def checked_columns(frame: pd.DataFrame, argument: str, names: Sequence[str]) -> None:
    """Raise CheckError where the frame lacks one of these columns."""
    for name in names:
        if name not in frame:
            near = nearest(name, [str(column) for column in frame.columns])
            raise CheckError(
                f"{argument}: there is no axis or column {name}."
                f"{did_you_mean(near) or _there(axes_of(frame))}",
                field=argument,
                value=name,
            )


def checked_frame(frame: Any) -> pd.DataFrame:
    """Give the frame. Raise CheckError where it has no items, without which nothing is paired."""
    if not hasattr(frame, "columns") or "item" not in frame:
        what = type(frame).__name__ if not hasattr(frame, "columns") else "frame without item"
        raise CheckError(
            f"This is a {what}, but it must be what sweep.scores() gives, or a frame with a column "
            "item, one row for each answer.",
            field="scores",
        )
    checked: pd.DataFrame = frame
    return checked


def checked_level(level: float) -> float:
    if not 0 < level < 1:
        rule = "must be between 0 and 1, as 0.95"
        raise CheckError(f"level is {level}, but it {rule}.", field="level", value=level, rule=rule)
    return level


def _there(names: Sequence[str]) -> str:
    return f" There is {', '.join(names)}." if names else ""
