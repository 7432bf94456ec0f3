"""What a figure is of: one choice of one run, given as a run or as a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

NO_TOKENS = (
    "There are no token probabilities here. Ask for them with logprobs=True and "
    "top_logprobs=5, or in a cell with %%chat --logprobs --top-logprobs 5."
)


def frame_of(name: str, source: Any) -> pd.DataFrame:
    """Give the frame of this name of `source`, or `source` where it is one already.

    Raise TypeError where it is another frame or has no runs.
    """
    import pandas as pd

    from nbchat import frames
    from nbchat.frames.columns import columns_of

    if not isinstance(source, pd.DataFrame):
        made: pd.DataFrame = getattr(frames, name)(source)
        return made
    lacking = [c.name for c in columns_of(name) if c.name not in source]  # type: ignore[arg-type]
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
    found = frame[frame["choice"] == choice]
    if not len(found):
        there = ", ".join(str(number) for number in sorted(frame["choice"].unique().tolist()))
        raise ValueError(f"there is no choice {choice} with token probabilities; there is {there}")
    return found


def one_channel(frame: pd.DataFrame) -> pd.DataFrame:
    """Give the rows of the content, or of the refusal where there is no content."""
    content = frame[frame["channel"] == "content"]
    return content if len(content) else frame
