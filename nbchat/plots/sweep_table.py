"""What the figures of sweeps are of: a sweep, or what its `table` or `compare` gives."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any

from nbchat.api.explain import did_you_mean, nearest
from nbchat.errors import CheckError
from nbchat.plots.axes import counted, in_lines, points, setting
from nbchat.plots.axis_values import value_name
from nbchat.plots.glyphs import drawable, shortened
from nbchat.plots.subject import table_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.axes import Axes

TABLE = "a sweep with scores, or what its table() gives"
# heights of a letter that a label at 30 degrees takes along its axis, with a gap
_ROOM = 2.6
_COLUMNS = ("score", "mean", "lo", "hi", "n_rows", "missing")


def sweep_table(source: Any, by: Sequence[str] | None, score: str | None) -> pd.DataFrame:
    """Give the table of one score: of a sweep by these axes, or the one that `source` is.

    Raise TypeError for what is neither, CheckError where an axis or the score is not there,
    ValueError where there are several scores or no row.
    """
    made = source.table(by=by, score=score) if hasattr(source, "table") else source
    frame = table_of(made, _COLUMNS, TABLE)
    axes = axes_of(frame)
    for name in by or ():
        checked_axis("by", name, axes)
    names = list(dict.fromkeys(frame["score"]))
    if score is None and len(names) > 1:
        raise ValueError(f"this figure is of one score: name one of {', '.join(names)} as score=")
    if score is not None and score not in names:
        raise _not_there("score", "score", score, names)
    rows = frame[frame["score"] == (names[0] if score is None else score)]
    if not len(rows):
        raise ValueError("there is no row to draw")
    return rows.reset_index(drop=True)


def checked_axis(argument: str, name: str, axes: Sequence[str]) -> None:
    """Raise CheckError where a table has no axis of this name."""
    if name not in axes:
        raise _not_there(argument, "axis", name, axes)


def _not_there(argument: str, kind: str, name: str, there: Sequence[str]) -> CheckError:
    near = did_you_mean(nearest(name, there))
    return CheckError(
        f"{argument}: there is no {kind} {name} here; there is {', '.join(there) or 'none'}.{near}",
        field=argument,
        value=name,
    )


def axes_of(frame: pd.DataFrame) -> list[str]:
    """Name the axes of a table: what stands before the score."""
    names = [str(name) for name in frame.columns]
    return names[: names.index("score")]


def is_number(values: pd.Series[Any]) -> bool:
    """Tell whether an axis has numbers alone, which have distances."""
    return values.dtype.kind in "iuf" and bool(values.notna().all())


def label(value: Any, longest: int = 24) -> str:
    """Give a value of an axis as a figure names it, on one line."""
    return shortened(value_name(value), longest)


def named_places(n: int, room: float) -> list[int]:
    """Give which of n names on an axis of so many points are written so that none covers another.

    The first and the last always are, and between them each k-th.
    """
    need = _ROOM * points(setting("xtick.labelsize"))
    step = max(1, ceil(need * n / max(room, 1.0)))
    places = list(range(0, n, step))
    if n - 1 - places[-1] and len(places) > 1:
        places.pop()  # the last takes its place: closer than a step to it is too close
    return places if places[-1] == n - 1 else [*places, n - 1]


def named(axis: str, shown: int, n: int) -> str:
    """Give the name of an axis, which says where values have no label."""
    return axis if shown == n else f"{axis} ({shown:,} of {n:,} values are labelled)"


def is_share(frame: pd.DataFrame) -> bool:
    """Tell whether the score is of right and wrong, whose mean is a share."""
    return "if_right" in frame and bool(frame["if_right"].notna().any())


def lacking(frame: pd.DataFrame) -> str:
    """Say how many rows have no score, and why; nothing where all have one."""
    missing = int(frame["missing"].sum())
    if not missing:
        return ""
    words = {"refused": "refused", "error": "failed", "not_sent": "not sent"}
    why = [
        f"{int(frame[name].sum()):,} {text}"
        for name, text in words.items()
        if name in frame and frame[name].sum()
    ]
    of = counted(int(frame["n_rows"].sum()), "row")
    reasons = f" ({', '.join(why)})" if why else ""
    return f"{missing:,} of {of} without a score{reasons}"


def with_way_to_rows(source: Any, ax: Axes, axes: Sequence[str]) -> None:
    """Say below a figure of a sweep how the rows behind a mean are found."""
    if not (hasattr(source, "rows") and axes):
        return
    values = ", ".join(f"{name}=…" if name.isidentifier() else f"{{{name!r}: …}}" for name in axes)
    way = f"the rows behind a mean: nbchat.inspect(sweep) by a click, or sweep.rows({values})"
    lines = [way] if len(way) <= 85 else way.replace(", or ", ",\nor ", 1).split("\n")
    texts, properties = drawable(lines)
    size: dict[str, Any] = {"fontsize": 7.5, "x": 0.99, "ha": "right", "alpha": 0.7}
    ax.figure.supxlabel("\n".join(texts), **size, **properties)


def titled(ax: Axes, lines: Sequence[str]) -> None:
    """Set a title, which may name anything, in lines."""
    texts, properties = drawable([line for line in lines if line])
    ax.set_title("\n".join(in_lines(ax, text) for text in texts), **properties)
