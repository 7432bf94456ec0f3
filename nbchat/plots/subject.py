"""What a figure is of: a run, runs or a frame; often one choice of one run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

NO_TOKENS = (
    "There are no token probabilities here. Ask for them with logprobs=True and "
    "top_logprobs=5, or in a cell with %%chat --logprobs --top-logprobs 5."
)
NO_LISTS = (
    "There are no lists of alternatives here. Ask for them with logprobs=True and top_logprobs=5."
)


def frame_of(name: str, source: Any) -> pd.DataFrame:
    """Give the frame of this name of `source`, or `source` where it is one already.

    A runs frame, as the history's search gives, stands for its runs. Raise TypeError where it is
    another frame or has no runs.
    """
    import pandas as pd

    from nbchat import frames
    from nbchat.frames.columns import columns_of

    if not isinstance(source, pd.DataFrame):
        made: pd.DataFrame = getattr(frames, name)(source)
        return made
    lacking = [c.name for c in columns_of(name) if c.name not in source]  # type: ignore[arg-type]
    if lacking and {"run_id", "created_at", "status"} <= {*source.columns}:
        return frame_of(name, getattr(frames, name)(source))
    if lacking:
        raise TypeError(f"this is not a {name} frame: it has no column {', '.join(lacking[:3])}")
    return source


def of_choice(frame: pd.DataFrame, choice: int) -> pd.DataFrame:
    """Give the rows of one choice of the only run in a tokens or alternatives frame.

    Raise ValueError where there are several runs, no rows or no such choice.
    """
    run_ids = frame["run_id"].unique().tolist()
    if not run_ids:
        raise ValueError(NO_TOKENS)
    if len(run_ids) > 1:
        raise ValueError(f"this figure is of one run, and here are {len(run_ids)}")
    rows = frame[frame["choice"] == choice]
    if not len(rows):
        there = ", ".join(str(number) for number in sorted(frame["choice"].unique().tolist()))
        raise ValueError(f"there is no choice {choice} with token probabilities; there is {there}")
    return rows


def one_channel(frame: pd.DataFrame) -> pd.DataFrame:
    """Give the rows of the content, or of the refusal where there is no content."""
    content = frame[frame["channel"] == "content"]
    return content if len(content) else frame


def some_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Give the frame. Raise ValueError where it has no rows."""
    if not len(frame):
        raise ValueError(NO_TOKENS)
    return frame


def table_of(source: Any, columns: Sequence[str], what: str) -> pd.DataFrame:
    """Give the frame of `source`: it is one, or it has one as `.frame` or `.frame()`.

    `what` names what is expected, as "what nbchat.compare gives". Raise TypeError where it
    is something else or lacks a column.
    """
    import pandas as pd

    # a run's frame is that of its objects
    table = source if hasattr(source, "completion") else getattr(source, "frame", source)
    frame = table() if callable(table) else table
    if not isinstance(frame, pd.DataFrame):
        raise TypeError(f"this figure is of {what}, got {type(source).__name__}")
    lacking = [name for name in columns if name not in frame]
    if lacking:
        raise TypeError(f"this figure is of {what}: the frame has no column {', '.join(lacking)}")
    return frame
