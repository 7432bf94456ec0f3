"""The figure of a sweep: a score's mean along an axis, with intervals, further axes as lines."""

from __future__ import annotations

from itertools import product
from math import ceil
from typing import TYPE_CHECKING, Any

from nbchat.plots.axes import legend_on_top, new_axes, setting, width_of
from nbchat.plots.axis_values import value_key
from nbchat.plots.glyphs import drawable
from nbchat.plots.sweep_table import (
    axes_of,
    checked_axis,
    is_number,
    is_share,
    label,
    lacking,
    named,
    named_places,
    sweep_table,
    titled,
    with_way_to_rows,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.axes import Axes

_DASHES = ("-", "-.", (0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1, 1, 1)))
_MARKERS = "osD^vP"
#: more lines than this are not told apart
_MOST_LINES = 12
_IN_A_ROW = 3


def sweep(
    source: Any,
    x: str | None = None,
    *,
    score: str | None = None,
    lines: str | None = None,
    ax: Axes | None = None,
) -> Axes | list[Axes]:
    """Draw the mean of a score along an axis of a sweep, with its interval.

    `source` is a sweep with scores, or what its `table` gives. `x` is the axis along which it is
    drawn, if not given the first of numbers, else the first; `lines` the one whose values are
    lines, if not given the next. Each combination of further axes has a panel, and then
    a list of Axes comes back. Where rows have no score, the marker is hollow, a dotted line reaches
    from the mean if all of them were wrong to that if all were right, and the title counts them.
    A point without any score is a cross at the foot. Below the figure of a sweep stands how the
    rows behind a mean are found (`nbchat.inspect`, `Sweep.rows`). Raise ValueError where there is
    nothing to draw, or where `ax` is given and there are several panels; CheckError for an axis or
    a score that is not there; TypeError for another frame.
    """
    frame = sweep_table(source, None, score)
    axes = axes_of(frame)
    x, lines = _chosen(frame, axes, x, lines)
    further = [name for name in axes if name not in (x, lines)]
    values = [list(dict.fromkeys(map(value_key, frame[name]))) for name in further]
    panels = [dict(zip(further, point, strict=True)) for point in product(*values)]
    if len(panels) > 1 and ax is not None:
        raise ValueError(f"{' and '.join(further)} need a panel for each value: leave ax out")
    places = _panels(len(panels)) if len(panels) > 1 else [ax or new_axes(6.4, 4.2)]
    name = str(frame["score"].iloc[0])
    notes: list[str] = []
    for place, panel in zip(places, panels, strict=True):
        rows = frame
        for axis, value in panel.items():
            rows = rows[_is_at(rows[axis], value)]
        notes.append(_draw(place, rows, x, lines))
        point = ", ".join(f"{axis} {label(value)}" for axis, value in panel.items())
        titled(place, [name if not point else f"{name} at {point}", lacking(rows)])
    _scale(places, frame)
    for place, note in zip(places, notes, strict=True):
        _name_axes(place, note, name, is_share(frame))
        if lines is not None and place is places[0]:
            legend_on_top(place, ncols=3)
            _set_plainly(place)
    for place in places:
        place.set_ylim(places[0].get_ylim())
        if is_share(frame):  # the legend stands above 1, which no share is
            place.set_yticks([tick for tick in place.get_yticks() if 0 <= tick <= 1])
            place.set_ylim(places[0].get_ylim())
    if ax is None:
        with_way_to_rows(source, places[0], axes)
    return places[0] if len(places) == 1 else places


def _chosen(
    frame: pd.DataFrame, axes: Sequence[str], x: str | None, lines: str | None
) -> tuple[str | None, str | None]:
    for name, argument in ((x, "x"), (lines, "lines")):
        if name is not None:
            checked_axis(argument, name, axes)
    if x is None:
        left = [name for name in axes if name != lines]
        numbers = [name for name in left if is_number(frame[name]) and frame[name].nunique() > 1]
        x = next(iter(numbers or left), None)
    if lines is None:
        others = [name for name in axes if name != x]
        fitting = [name for name in others if frame[name].nunique(dropna=False) <= _MOST_LINES]
        lines = next(iter(fitting), None)
    return x, lines


def _is_at(column: pd.Series[Any], key: Any) -> pd.Series[bool]:
    return column.isna() if key is None else column.eq(key)


def _draw(ax: Axes, rows: pd.DataFrame, x: str | None, lines: str | None) -> str:
    """Draw the lines; give what the axis across is called."""
    kinds = [None] if lines is None else list(dict.fromkeys(map(value_key, rows[lines])))
    places, name = _places(ax, rows, x)
    span = _span(places)
    for number, kind in enumerate(kinds):
        line = rows if lines is None else rows[_is_at(rows[lines], kind)]
        shift = 0.012 * span * (number - (len(kinds) - 1) / 2)  # so that intervals do not overlap
        at = [places[value_key(value)] + shift for value in (line[x] if x else [0.0] * len(line))]
        text = f"{lines} {label(kind)}" if lines else None
        is_joined = x is not None and is_number(rows[x])
        _line(ax, line.assign(_at=at).sort_values("_at"), number, text, is_joined)
    return name


def _places(ax: Axes, rows: pd.DataFrame, x: str | None) -> tuple[dict[Any, float], str]:
    if x is None:
        ax.set_xticks([])
        return {0.0: 0.0}, "all rows"
    values = list(dict.fromkeys(map(value_key, rows[x])))
    if is_number(rows[x]):
        if len(values) <= 12:
            ax.set_xticks(sorted(values), [f"{value:g}" for value in sorted(values)])
        return {value: float(value) for value in values}, x
    texts, properties = drawable([label(value, 18) for value in values])
    turn: dict[str, Any] = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"}
    is_long = sum(map(len, texts)) > 50
    n = len(values)
    shown = named_places(n, width_of(ax)) if is_long else range(n)
    ticks = [texts[place] for place in shown]
    ax.set_xticks(shown, ticks, **(turn if is_long else {}), **properties)
    ax.set_xlim(-0.5, n - 0.5)
    return {value: float(place) for place, value in enumerate(values)}, named(x, len(shown), n)


def _span(places: dict[Any, float]) -> float:
    return (max(places.values()) - min(places.values())) or 1.0


def _line(ax: Axes, rows: Any, number: int, name: str | None, is_joined: bool) -> None:  # noqa: FBT001
    colour = f"C{number % 10}"
    known = rows[rows["mean"].notna()]
    at, mean = known["_at"].to_numpy(), known["mean"].to_numpy()
    low, high = (known[end].to_numpy(dtype=float) for end in ("lo", "hi"))
    ax.plot(
        at,
        mean,
        color=colour,
        linestyle=_DASHES[number % len(_DASHES)] if is_joined else "none",
        linewidth=1.4,
    )
    ax.vlines(at, low, high, color=colour, linewidth=1.6)
    is_whole = (known["missing"] == 0).to_numpy()
    marker = _MARKERS[number % len(_MARKERS)]
    for which, face in ((is_whole, colour), (~is_whole, "none")):
        ax.plot(
            at[which],
            mean[which],
            linestyle="none",
            marker=marker,
            color=colour,
            markerfacecolor=face,
            markersize=6,
            label=name if which is is_whole else None,
        )
    partial = known[~is_whole]
    if "if_wrong" in partial and len(partial):
        ends = [partial[end].to_numpy(dtype=float) for end in ("if_wrong", "if_right")]
        ax.vlines(partial["_at"], *ends, color=colour, linestyle=":", linewidth=1.4)
        for end in ends:
            ax.plot(partial["_at"], end, linestyle="none", marker="_", markersize=9, color=colour)
    empty = rows[rows["mean"].isna()]
    if len(empty):
        ax.plot(
            empty["_at"],
            [0.02] * len(empty),
            linestyle="none",
            marker="x",
            color=colour,
            transform=ax.get_xaxis_transform(),
            clip_on=False,
        )


def _scale(places: Sequence[Axes], frame: pd.DataFrame) -> None:
    ends = [float(value) for name in ("lo", "hi", "mean", "if_wrong", "if_right") if name in frame
            for value in frame[name].dropna()]  # fmt: skip
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    room = 0.06 * ((high - low) or 1.0)
    for ax in places:
        ax.set_ylim(low - room, high + room)


def _name_axes(ax: Axes, across: str, score: str, is_of_right: bool) -> None:  # noqa: FBT001
    (text, name), properties = drawable([score, across])
    ax.set_xlabel(name, **properties)
    ax.set_ylabel(f"{text} (share)" if is_of_right else text, **properties)
    ax.grid(axis="y", color=setting("text.color"), alpha=0.15, linewidth=0.6)


def _set_plainly(ax: Axes) -> None:
    """Let the names of lines stand as they are, since they may hold anything."""
    legend = ax.get_legend()
    if legend is not None:
        texts, properties = drawable([text.get_text() for text in legend.get_texts()])
        for text, shown in zip(legend.get_texts(), texts, strict=True):
            text.set(text=shown, **properties)


def _panels(n: int) -> list[Axes]:
    from matplotlib import pyplot as plt

    from nbchat.plots.described_figure import DescribedFigure

    columns = min(n, _IN_A_ROW)
    rows = ceil(n / columns)
    figure, made = plt.subplots(
        rows,
        columns,
        FigureClass=DescribedFigure,
        figsize=(4.2 * columns, 3.6 * rows),
        layout="constrained",
        squeeze=False,
    )
    for spare in made.flat[n:]:
        figure.delaxes(spare)
    return list(made.flat[:n])
