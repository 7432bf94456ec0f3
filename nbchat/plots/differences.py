"""The figure of paired differences: an interval for each pair, and what it rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbchat.plots.axes import new_axes, setting
from nbchat.plots.glyphs import drawable
from nbchat.plots.subject import table_of
from nbchat.plots.sweep_table import label, titled

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_COLUMNS = ("score", "a", "b", "difference", "lo", "hi", "p_holm", "a_higher", "b_higher")
_KIND = "what sweep.compare gives"
_VERDICTS = {"a": "higher", "b": "lower", "tied": "tied", "open": "not told apart"}
_MARKERS = {"a": "o", "b": "o", "tied": "s", "open": "D"}


def differences(compared: Any, ax: Axes | None = None) -> Axes:
    """Draw the paired differences that `sweep.compare` gives, or its frame, with intervals.

    A row is a - b of one pair. Beside it stand the p-value that holds for all pairs together
    (Holm), the flips (items that are higher at a, and at b), and what follows: higher, lower,
    tied (a square), or not told apart (hollow). The band is ± the margin, where one was given.
    Rows without a score are counted there, and a dotted line has the difference if they were
    all as bad for a as can be, and as good. Raise ValueError where there is no pair, TypeError for
    another frame.
    """
    frame = table_of(compared, _COLUMNS, _KIND).reset_index(drop=True)
    if not len(frame):
        raise ValueError("there is no pair to draw")
    ax = ax if ax is not None else new_axes(8.6, min(12.0, 1.8 + 0.5 * len(frame)))
    rows = frame.to_dict("records")
    margins = {row["margin"] for row in rows if row.get("margin") == row.get("margin")} - {None}
    for margin in margins:
        ax.axvspan(-margin, margin, color="C2", alpha=0.15, linewidth=0)
    ax.axvline(0, color=setting("text.color"), linewidth=0.8)
    for place, row in enumerate(rows):
        _draw(ax, place, row)
    names, properties = drawable([_name(row, frame) for row in rows])
    ax.set_yticks(range(len(rows)), names, **properties)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    low, high = ax.get_xlim()
    width = high - low
    ax.set_xlim(low, high + 0.9 * width)
    ax.set_xticks([tick for tick in ax.get_xticks() if low <= tick <= high])
    for place, row in enumerate(rows):
        ax.text(high + 0.03 * width, place, _words(row), va="center", fontsize="small")
    scores = list(dict.fromkeys(frame["score"]))
    (text,), properties = drawable([", ".join(scores)])
    band = "".join(f" (band: ± {margin:g}, the margin)" for margin in sorted(margins))
    ax.set_xlabel(f"difference in {text}, a - b{band}", **properties)
    ax.set_ylabel("a - b")
    titled(ax, ["Paired differences, by item"])
    return ax


def _draw(ax: Axes, place: int, row: dict[Any, Any]) -> None:
    colour = "C0" if row["difference"] >= 0 else "C1"
    if row.get("missing") and row["if_least"] == row["if_least"]:
        ends = [row["if_least"], row["if_most"]]
        ax.plot(ends, [place, place], color=colour, linestyle=":", marker="|", linewidth=1.4)
    if row["difference"] != row["difference"]:
        ax.plot([0], [place], marker="x", color=setting("text.color"))
        return
    ax.hlines(place, row["lo"], row["hi"], color=colour, linewidth=1.8)
    verdict = row.get("verdict", "open")
    face = "none" if verdict == "open" else colour
    ax.plot([row["difference"]], [place], marker=_MARKERS[verdict], color=colour,
            markerfacecolor=face, markersize=7)  # fmt: skip


def _name(row: dict[Any, Any], frame: pd.DataFrame) -> str:
    names = [str(name) for name in frame.columns]
    point = [f"{name} {label(row[name], 14)}" for name in names[: names.index("score")]]
    scores = [str(row["score"])] if frame["score"].nunique() > 1 else []
    where = ", ".join([*scores, *point])
    pair = f"{label(row['a'], 20)} - {label(row['b'], 20)}"
    return f"{where}: {pair}" if where else pair


def _words(row: dict[Any, Any]) -> str:
    if row["difference"] != row["difference"]:
        return f"no item has both, {row.get('missing', 0):,} missing"
    lacking = f", {row['missing']:,} missing" if row.get("missing") else ""
    flips = f"+{row['a_higher']:,} -{row['b_higher']:,}"
    p = "p < 0.001" if row["p_holm"] < 0.001 else f"p {row['p_holm']:.2g}"
    return f"{_VERDICTS[row.get('verdict', 'open')]}, {p}, {flips}{lacking}"
