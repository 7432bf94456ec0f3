"""The figure of repeats: how many items get the same answer each time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbchat.plots.axes import colours, counted, hatched, height_of, ink, new_axes, points, width_of
from nbchat.plots.glyphs import drawable
from nbchat.plots.subject import table_of
from nbchat.plots.sweep_table import label, titled

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from matplotlib.axes import Axes

_KIND = "a sweep, or what its agreement() gives"
#: the least agreement of each class, its name, and where it stands on the scale of colours
_CLASSES = (
    (1.0, "all alike", 0.95),
    (0.75, "75 % of pairs or more", 0.72),
    (0.5, "50 % or more", 0.5),
    (0.25, "25 % or more", 0.28),
    (0.0, "fewer", 0.06),
)


def agreement(source: Any, ax: Axes | None = None, *, of: str | None = None) -> Axes:
    """Draw how far repeats of an item agree, a bar for each point of a sweep's grid.

    `source` is a sweep, of which the texts of answers are compared, or the score `of`; or
    what its `agreement` gives. An item's agreement is the share of pairs of its answers that
    are equal (`nbchat.statistics.agreement`); the bar has the share of items in each class, and
    the number behind it is the mean with its 95 % interval over items. Items with fewer than two
    answers are hatched, and rows without a score counted in the title. Raise ValueError where there
    is no item, TypeError for another frame.
    """
    frame = source.agreement(of) if hasattr(source, "evaluators") else source
    frame = table_of(frame, ["item", "of", "agreement", "n", "missing"], _KIND)
    if not len(frame):
        raise ValueError("there is no item to draw")
    names = [str(name) for name in frame.columns]
    axes = names[: names.index("item")]
    bars = list(_bars(frame, axes))
    ax = ax if ax is not None else new_axes(7.4, min(12.0, 2.0 + 0.42 * len(bars)))
    left = [0.0] * len(bars)
    for number, (_, name, at) in enumerate(_CLASSES):
        shares = [_share(values, number) for _, values in bars]
        if not any(shares):
            continue
        colour = colours()(at)
        ax.barh(range(len(bars)), shares, left=left, color=colour, height=0.72, label=name)
        for place, (share, start) in enumerate(zip(shares, left, strict=True)):
            if share * width_of(ax) > 2.4 * points("small") * 1.6:
                ax.text(start + share / 2, place, f"{share:.0%}", ha="center", va="center",
                        fontsize="small", color=ink(colour))  # fmt: skip
        left = [start + share for start, share in zip(left, shares, strict=True)]
    if any(start < 1 - 1e-9 for start in left):
        rest = ax.barh(range(len(bars)), [1 - start for start in left], left=left, height=0.72,
                       label="fewer than two answers")  # fmt: skip
        hatched(rest.patches)
    for place, (_, values) in enumerate(bars):
        ax.text(1.02, place, _mean(values), va="center", fontsize="small")
    texts, properties = drawable([name for name, _ in bars])
    ax.set_yticks(range(len(bars)), texts, **properties)
    ax.set_ylim(len(bars) - 0.4, -0.6)
    ax.set_xlim(0, 1.42)
    ax.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    ax.set_xlabel("share of items")
    (text,), properties = drawable([", ".join(axes) or "all"])
    ax.set_ylabel(text, **properties)
    missing = int(frame["missing"].sum())
    n_items = counted(int(frame["item"].nunique()), "item")
    titled(
        ax,
        [
            f"How far repeats agree in {frame['of'].iloc[0]}: {n_items}",
            f"{counted(missing, 'row')} without a value left out" if missing else "",
        ],
    )
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -42 / height_of(ax)), ncols=3,
              fontsize="small", frameon=False)  # fmt: skip
    return ax


def _bars(frame: pd.DataFrame, axes: list[str]) -> Iterator[tuple[str, Any]]:
    if not axes:
        yield "all", frame["agreement"].to_numpy(dtype=float)
        return
    for values, part in frame.groupby(axes, sort=False, dropna=False, observed=True):
        yield ", ".join(label(value) for value in values), part["agreement"].to_numpy(dtype=float)


def _share(values: Any, number: int) -> float:
    """Give the share of items whose agreement is in this class."""
    least = _CLASSES[number][0]
    below = 2.0 if number == 0 else _CLASSES[number - 1][0]
    return float(((values >= least) & (values < below)).mean())


def _mean(values: Any) -> str:
    from nbchat.statistics import mean_interval

    interval = mean_interval(values)
    if not interval.n:
        return "no pairs"
    if interval.lo != interval.lo:
        return f"mean {interval.estimate:.2f}"
    return f"mean {interval.estimate:.2f} [{interval.lo:.2f}, {interval.hi:.2f}]"
