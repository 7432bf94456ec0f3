"""The figure of two axes of a sweep: a heat map of a score's means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbchat.plots.axes import colours, height_of, ink, new_axes, setting, width_of
from nbchat.plots.axis_values import value_key
from nbchat.plots.glyphs import drawable
from nbchat.plots.sweep_table import (
    axes_of,
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
    import pandas as pd
    from matplotlib.axes import Axes

# points of height and width below which what stands in a cell cannot be read
_LEGIBLE_CELL = (22.0, 44.0)
# the share of the room that a colour bar and long labels leave
_LEFT = 0.75


def grid(
    source: Any,
    x: str | None = None,
    y: str | None = None,
    *,
    score: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the mean of a score at each combination of two axes of a sweep.

    `source` is a sweep with scores, or a table by these two axes. `x` and `y` are the axes, the
    first two if not given; a sweep has all others taken together. Each cell has its mean, and below
    it the interval; rows without a score are counted there as "n missing", and the cell has a
    dotted edge. A combination without any score is hatched. Where cells are too small for text the
    colour bar has the numbers, and where labels would cover one another each k-th is written, which
    the axis says. Below the figure of a sweep stands how the rows of a cell are found
    (`nbchat.inspect`, `Sweep.rows`). Raise CheckError for axes that are not there, ValueError for a
    table that has further ones; TypeError for another frame.
    """
    by = [name for name in (x, y) if name is not None]
    if hasattr(source, "table") and len(by) < 2:
        there = axes_of(sweep_table(source, None, score))
        by += [name for name in there if name not in by][: 2 - len(by)]
        x, y = (x or by[0], y or by[-1]) if by else (x, y)
    frame = sweep_table(source, by or None, score)
    axes = axes_of(frame)
    x = x or next((name for name in axes if name != y), None)
    y = y or next((name for name in axes if name != x), None)
    if x is None or y is None or x == y:
        raise ValueError(f"a grid has two axes; there is {', '.join(axes) or 'none'}")
    if further := [name for name in axes if name not in (x, y)]:
        raise ValueError(
            f"this table has {', '.join(further)}, too: give the sweep, or sweep.table([x, y])"
        )
    drawn = _drawn(frame, x, y, ax)
    if ax is None:
        with_way_to_rows(source, drawn, [x, y])
    return drawn


def _drawn(frame: pd.DataFrame, x: str, y: str, ax: Axes | None) -> Axes:
    import numpy as np

    across, down = (_values(frame[name]) for name in (x, y))
    means = np.full((len(down), len(across)), np.nan)
    rows: dict[tuple[int, int], Any] = {}
    for row in frame.to_dict("records"):
        place = down.index(value_key(row[y])), across.index(value_key(row[x]))
        means[place] = row["mean"]
        rows[place] = row
    if ax is None:
        ax = new_axes(min(12.0, 2.6 + 1.25 * len(across)), min(10.0, 1.9 + 0.62 * len(down)))
    is_of_right = is_share(frame)
    low, high = (0.0, 1.0) if is_of_right else (np.nanmin(means), np.nanmax(means))
    image = ax.imshow(means, cmap=colours(), vmin=low, vmax=high, aspect="auto")
    texts, properties = drawable([label(value, 18) for value in across])
    turn: dict[str, Any] = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"}
    is_narrow = max(map(len, texts)) * 5.5 > width_of(ax) / len(texts)
    at_x = named_places(len(across), _LEFT * width_of(ax)) if is_narrow else range(len(across))
    ticks = [texts[place] for place in at_x]
    ax.set_xticks(at_x, ticks, **(turn if is_narrow else {}), **properties)
    texts, properties = drawable([label(value) for value in down])
    at_y = named_places(len(down), _LEFT * height_of(ax) * 2)
    ax.set_yticks(at_y, [texts[place] for place in at_y], **properties)
    ax.tick_params(length=0)
    is_legible = (
        height_of(ax) / len(down) >= _LEGIBLE_CELL[0]
        and width_of(ax) / len(across) >= _LEGIBLE_CELL[1]
    )
    if not is_legible:
        ax.figure.colorbar(image, ax=ax, label=f"mean {frame['score'].iloc[0]}")
    for place in np.ndindex(means.shape):
        _write(ax, place, rows.get(place), image, is_legible)
    names = [named(x, len(at_x), len(across)), named(y, len(at_y), len(down))]
    (name_x, name_y), properties = drawable(names)
    ax.set_xlabel(name_x, **properties)
    ax.set_ylabel(name_y, **properties)
    unit = "share" if is_of_right else "mean"
    titled(ax, [f"{frame['score'].iloc[0]} ({unit})", lacking(frame)])
    return ax


def _values(column: pd.Series[Any]) -> list[Any]:
    values = list(dict.fromkeys(map(value_key, column)))
    return sorted(values) if is_number(column) else values


def _write(ax: Axes, place: tuple[int, ...], row: Any, image: Any, is_legible: bool) -> None:  # noqa: FBT001
    from matplotlib.patches import Rectangle

    down, across = place
    missing = 0 if row is None else int(row["missing"])
    is_empty = row is None or row["mean"] != row["mean"]
    if is_empty or missing:
        edge = setting("text.color") if is_empty else ink(image.cmap(image.norm(row["mean"])))
        patch = Rectangle((across - 0.46, down - 0.46), 0.92, 0.92, facecolor="none",
                          edgecolor=edge, linewidth=0 if is_empty else 1.2,
                          linestyle="-" if is_empty else ":",
                          hatch="///" if is_empty else None)  # fmt: skip
        ax.add_patch(patch)
    if not is_legible:
        return
    if is_empty:
        ground = setting("axes.facecolor")
        ax.text(across, down, "no score", ha="center", va="center", fontsize=8.5,
                bbox={"facecolor": ground, "edgecolor": "none", "pad": 1.5})  # fmt: skip
        return
    lines = [f"{row['mean']:.3g}"]
    if row["lo"] == row["lo"]:
        lines.append(f"{row['lo']:.2g} to {row['hi']:.2g}")
    if missing:
        lines.append(f"{missing:,} missing")
    size = min(9.5, 0.8 * height_of(ax) / len(image.get_array()) / 1.3 / len(lines))
    ax.text(across, down, "\n".join(lines), ha="center", va="center", fontsize=size,
            color=ink(image.cmap(image.norm(row["mean"]))))  # fmt: skip
