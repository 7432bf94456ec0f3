"""The figure of minimal pairs: how often the better sentence is the likelier one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbchat.plots.axes import counted, new_axes, setting
from nbchat.plots.glyphs import drawable, shortened
from nbchat.plots.subject import table_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes


def minimal_pairs(
    pairs: Any, by: str | Sequence[str] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the share of pairs in which the better sentence is likelier, in all and by group.

    `pairs` is what `nbchat.minimal_pairs` gives, or its frame: it has `good_logprob` and
    `bad_logprob`, and the columns `by` to group by (`nbchat.frames.minimal_pair_accuracy`). Each
    line is the 95 % Wilson interval, the number beside it says how many of how many, ties apart.
    The dashed line is chance. Raise ValueError where there is no pair or a column is missing,
    TypeError for another thing.
    """
    from nbchat.frames.minimal_pairs import ALL, minimal_pair_accuracy

    pairs = table_of(pairs, (), "what nbchat.minimal_pairs gives")
    frame = minimal_pair_accuracy(pairs, by)
    if not len(pairs):
        raise ValueError("there is no pair to draw")
    rows = frame.to_dict("records")
    several = frame["by"].nunique() > 2
    names = [
        f"{row['by']}: {row['group']}" if several and row["by"] != ALL else str(row["group"])
        for row in rows
    ]
    ax = ax if ax is not None else new_axes(6.8, 1.5 + 0.36 * len(frame))
    places = range(len(frame))
    low, high = (100 * frame[name].to_numpy() for name in ("accuracy_lo", "accuracy_hi"))
    accuracy = 100 * frame["accuracy"].to_numpy()
    ax.hlines(places, low, high, color="C0", linewidth=2)
    ax.plot(accuracy, places, linestyle="none", marker="o", color="C1", markersize=6)
    ax.axvline(50, color=setting("text.color"), linestyle="--", linewidth=1)
    for place, row in enumerate(rows):
        ax.annotate(
            _counts(row),
            (1.0, place),
            xycoords=("axes fraction", "data"),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize="small",
        )
    texts, properties = drawable([shortened(name, 30) for name in names])
    ax.set_yticks(places, texts, **properties)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(frame) - 0.4, -0.6)
    ax.set_xlim(0, 100)
    ax.set_xlabel("pairs in which the better sentence is likelier (%); dashed: chance")
    ax.set_ylabel("pairs" if by is None else "pairs by group")
    ax.set_title(f"Accuracy on {counted(len(pairs), 'minimal pair')}")
    return ax


def _counts(row: dict[Any, Any]) -> str:
    judged = row["n_pairs"] - row["n_ties"] - row["n_unknown"]
    words = [f"{row['n_right']:,} of {judged:,}"]
    if row["n_ties"]:
        words.append(counted(row["n_ties"], "tie"))
    if row["n_unknown"]:
        words.append(f"{row['n_unknown']:,} not known")
    return ", ".join(words)
