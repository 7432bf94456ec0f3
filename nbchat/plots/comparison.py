"""The figure of two replies compared: what became more surprising, what is in one alone."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Any

from nbchat.plots.axes import counted, hatched, legend_on_top, new_axes, setting
from nbchat.plots.glyphs import drawable, shortened
from nbchat.plots.subject import table_of
from nbchat.plots.token_labels import LEGIBLE, label_tokens, step_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    Bools = NDArray[Any]

_COLUMNS = ("op", "display_a", "display_b", "delta_bits", "has_same_prefix", "jsd_lo")
# op: the sign before the token, the legend, the hatch
_ALONE = {"only_a": ("−", "only in a", "\\\\\\"), "only_b": ("+", "only in b", "///")}
_LONGEST_NAME = 36


def comparison(compared: Any, ax: Axes | None = None) -> Axes:
    """Draw how the surprisal of each shared token changed from a to b, in bits.

    `compared` is what `nbchat.compare` gives, or its frame. A bar above 0 is a token that b
    finds more surprising than a does. Tokens that only one of them has are gaps, hatched
    over the whole height and named with − (only in a) or + (only in b). Where the text
    before is the same in both, a triangle stands at the lower bound of the Jensen-Shannon
    divergence of the two distributions, in bits (at most 1): their lists are cut off, so
    that the divergence itself may be larger. Raise ValueError where there is nothing to
    compare, TypeError for another frame.
    """
    frame = table_of(compared, _COLUMNS, "what nbchat.compare gives").reset_index(drop=True)
    count = len(frame)
    if not count:
        raise ValueError("there are no tokens to compare")
    ax = ax if ax is not None else new_axes(min(14.0, max(6.4, 1.4 + 0.2 * count)), 4.6)
    delta = frame["delta_bits"].astype("float64")
    is_shared = (frame["op"] == "same").to_numpy(dtype=bool)
    width = 0.8 if step_of(ax, count) >= LEGIBLE else 1.0
    places = frame.index.to_numpy()
    known = is_shared & delta.notna().to_numpy()
    _bars(ax, places, delta, known, width)
    bounds = frame["jsd_lo"].astype("float64").to_numpy() / log(2)
    has_bound = frame["has_same_prefix"].fillna(value=False).to_numpy(dtype=bool) & (
        bounds == bounds
    )
    if has_bound.any():
        ax.plot(
            places[has_bound],
            bounds[has_bound],
            linestyle="none",
            marker="^",
            markersize=min(6.0, max(2.0, step_of(ax, count))),
            color=setting("text.color"),
            markerfacecolor="none",
            label="divergence (JSD), at least",
        )
    _scale(ax, frame, delta, known)
    _gaps(ax, frame, width)
    legend_on_top(ax, ncols=3)
    ax.axhline(0, color=setting("text.color"), linewidth=0.8)
    ax.set_ylabel("change in surprisal, b − a (bits)")
    _title(ax, frame, float(delta[known].sum()), getattr(compared, "names", None))
    return ax


def _bars(ax: Axes, places: Any, delta: pd.Series[float], known: Bools, width: float) -> None:
    signs = (
        (known & (delta > 0).to_numpy(), "C1", "more surprising in b"),
        (known & (delta <= 0).to_numpy(), "C0", "as or less surprising in b"),
    )
    for which, colour, label in signs:
        if which.any():
            ax.bar(places[which], delta[which], width=width, color=colour, label=label)


def _scale(ax: Axes, frame: pd.DataFrame, delta: pd.Series[float], known: Bools) -> None:
    names = [_name(row) for row in frame.itertuples()]
    drawn = delta.where(known, 0.0)
    # a name below 0 would lie on its bar: all stand above the line
    tops = drawn.clip(lower=0.0)
    room = label_tokens(ax, names, tops.tolist(), drawn.abs().tolist())
    high, low = max(float(tops.max()), 1.0), min(float(drawn.min()), -0.2)
    ax.set_ylim(1.1 * low, high * room)


def _name(row: Any) -> str:
    if row.op in _ALONE:
        shown = row.display_a if row.op == "only_a" else row.display_b
        return _ALONE[row.op][0] + shortened(str(shown), 22)
    return shortened(str(row.display_a))


def _gaps(ax: Axes, frame: pd.DataFrame, width: float) -> None:
    high_as_the_axes = ax.get_xaxis_transform()
    for op, (_, label, hatch) in _ALONE.items():
        places = frame.index[frame["op"] == op].to_numpy()
        if len(places):
            gaps = ax.bar(
                places, 1.0, width=width, zorder=0, label=label, transform=high_as_the_axes
            )
            hatched(gaps)
            for gap in gaps:
                gap.set(hatch=hatch, linewidth=0, alpha=0.35)


def _title(ax: Axes, frame: pd.DataFrame, total: float, names: Sequence[str] | None) -> None:
    counts = frame["op"].value_counts().to_dict()
    sign = "−" if total < 0 else "+"
    n_shared = counted(counts.get("same", 0), "shared token")
    lines = [f"Comparison: {n_shared}, {sign}{abs(total):.2f} bits in all"]
    alone = [f"{counts[op]:,} {words}" for op, (_, words, _) in _ALONE.items() if counts.get(op)]
    if alone:
        lines.append(", ".join(alone))
    if names is not None:
        lines.append(
            "   ".join(f"{side}: {_short(n)}" for side, n in zip("ab", names, strict=True))
        )
    texts, properties = drawable(lines)
    ax.set_title("\n".join(texts), **properties)


def _short(name: str) -> str:
    return shortened(" ".join(name.split()), _LONGEST_NAME)
