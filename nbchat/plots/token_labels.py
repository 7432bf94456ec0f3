"""Tokens as labels: under their places where there is room, else only the ones that stand out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbchat.plots.axes import points, setting, width_of
from nbchat.plots.glyphs import drawable, shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.axes import Axes

# points from one token to the next, below which a label for each cannot be read
LEGIBLE = 9.0
_MOST_PEAKS = 30
_FEWEST = 8
# characters: under the axis a longer name would leave no height for the figure
_LONGEST = 16


def names_of(tokens: pd.DataFrame) -> list[str]:
    """Give each token of a tokens frame as it is to be looked at."""
    return [
        "(end)" if special and not shown.strip("∅") else shortened(shown)
        for shown, special in zip(tokens["display"], tokens["is_special"], strict=True)
    ]


def step_of(ax: Axes, count: int) -> float:
    """Give how many points of width each of `count` places has."""
    return width_of(ax) / max(count, 1)


def label_tokens(
    ax: Axes,
    names: Sequence[str],
    heights: Sequence[float],
    weights: Sequence[float] | None = None,
) -> float:
    """Label the places 0, 1, … of the x axis; give the headroom that the labels need.

    Where there is room each place has its name, else those that weigh most, at least 1 in
    the axis' unit, have theirs above their `heights`. Without `weights` these count. The
    headroom is a factor for the highest.
    """
    count = len(names)
    step = step_of(ax, count)
    # a few bars as wide as the figure would look like something else
    beside = max(0.0, (_FEWEST - count) / 2)
    ax.set_xlim(-0.7 - 0.01 * count - beside, count - 0.3 + 0.01 * count + beside)
    if step >= LEGIBLE:
        _label_places(ax, names, step)
        return 1.05
    _label_peaks(ax, names, heights, heights if weights is None else weights, step)
    return 1.4


def _label_places(ax: Axes, names: Sequence[str], step: float) -> None:
    texts, properties = drawable([shortened(name, _LONGEST) for name in names])
    size = min(points(setting("xtick.labelsize")), 0.8 * step)
    ax.set_xticks(range(len(texts)), texts, rotation=90, fontsize=size, **properties)
    ax.tick_params(axis="x", length=0)
    ax.set_xlabel("token")


def _label_peaks(
    ax: Axes,
    names: Sequence[str],
    heights: Sequence[float],
    weights: Sequence[float],
    step: float,
) -> None:
    ax.set_xlabel("token position")
    gap = 13.0 / step
    chosen: list[int] = []
    for i in sorted(range(len(weights)), key=lambda i: -weights[i]):
        if len(chosen) == _MOST_PEAKS or weights[i] < 1:
            break
        if all(abs(i - other) >= gap for other in chosen):
            chosen.append(i)
    texts, properties = drawable([names[i] for i in chosen])
    for i, text in zip(chosen, texts, strict=True):
        ax.annotate(
            text,
            (i, heights[i]),
            xytext=(0, 3),
            textcoords="offset points",
            rotation=90,
            ha="center",
            va="bottom",
            fontsize="small",
            **properties,
        )
