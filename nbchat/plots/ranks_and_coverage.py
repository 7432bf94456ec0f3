"""Figures of the lists of alternatives: how they rank the tokens, how much they cover."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbchat.plots.axes import counted, hatched, new_axes, setting, width_of
from nbchat.plots.glyphs import drawable, shortened
from nbchat.plots.position import at_position, title_in_context
from nbchat.plots.subject import NO_LISTS, frame_of, of_choice, one_channel, some_rows

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from nbchat.frames.source import Source

# up to so many ranks have a bar each; longer lists are counted in stretches
_MOST_RANKS = 25
_STRETCHES = (*range(1, 11), 21, 101, 1_001, 10_001)
_QUANTILES = (0.1, 0.5, 0.9)


def ranks(runs: Source | pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw how often the token that stands at a position was the most likely, the second, ….

    `runs` is a run, runs, anything with `.runs`, or a tokens frame; all their tokens count.
    Each bar is a share of the tokens, with their number above it; the ranks of lists longer
    than 25 are counted in stretches. Tokens outside their list have a hatched bar, and so
    have those at positions without a list. Raise ValueError where there are no token
    probabilities or no lists.
    """
    tokens = some_rows(frame_of("tokens", runs))
    if not (tokens["top_k"] > 0).any():
        raise ValueError(NO_LISTS)
    names, counts = _rank_counts(tokens)
    outside = tokens["rank"].isna() & (tokens["top_k"] > 0)
    rest = [("outside\nthe list", int(outside.sum()))]
    if unlisted := int((tokens["top_k"] == 0).sum()):
        rest.append(("no\nlist", unlisted))
    total = len(tokens)
    n_bars = len(names) + len(rest)
    ax = ax if ax is not None else new_axes(max(6.4, 1.4 + 0.38 * n_bars), 4.0)
    shares = [100 * count / total for count in counts]
    bars = ax.bar(range(len(names)), shares)
    others = ax.bar(range(len(names), n_bars), [100 * count / total for _, count in rest])
    hatched(others)
    size = min(9.0, 0.5 * width_of(ax) / n_bars)
    for drawn, numbers in ((bars, counts), (others, [count for _, count in rest])):
        ax.bar_label(drawn, [f"{n:,}" if n else "" for n in numbers], padding=2, fontsize=size)
    in_stretches = any("–" in name for name in names)
    turn: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    labels = [*names, *(name for name, _ in rest)]
    ax.set_xticks(range(n_bars), labels, **(turn if in_stretches else {}))
    ax.tick_params(axis="x", length=0)
    ax.set_ylim(0, 1.12 * max([*shares, *(100 * count / total for _, count in rest)]))
    ax.set_xlabel("rank among the alternatives")
    ax.set_ylabel("share of the tokens (%)")
    n_runs = tokens["run_id"].nunique()
    of_runs = f" in {n_runs:,} runs" if n_runs > 1 else ""
    ax.set_title(f"Ranks of {counted(total, 'token')}{of_runs}")
    return ax


def _rank_counts(tokens: pd.DataFrame) -> tuple[list[str], list[int]]:
    import numpy as np

    longest = int(tokens["top_k"].max())
    if longest <= _MOST_RANKS:
        starts = list(range(1, longest + 1))
    else:
        starts = [start for start in _STRETCHES if start <= longest]
    stops = [start - 1 for start in starts[1:]] + [longest]
    names = [
        f"{start:,}" if start == stop else f"{start:,}–{stop:,}"
        for start, stop in zip(starts, stops, strict=True)
    ]
    known = tokens["rank"].dropna().to_numpy(dtype=np.int64)
    which = np.searchsorted(starts, known, side="right") - 1
    return names, np.bincount(which, minlength=len(starts)).tolist()


def coverage(
    runs: Source | pd.DataFrame,
    ax: Axes | None = None,
    *,
    position: int | None = None,
    choice: int = 0,
) -> Axes:
    """Draw the probability mass that the K most likely tokens have together, as K grows.

    `runs` is a run, runs, anything with `.runs`, or an alternatives frame. Over all
    positions of all runs the median is drawn, and the band from the 10th to the 90th
    percentile; lists can differ in length, and K ends where fewer than half of the
    positions list so many. With `position` (negative counts from the end) it is the curve
    of that one, of one run and `choice`, and what stays unseen is hatched. Raise ValueError
    where there are no lists, for a `position` of several runs and where there is no such
    choice, IndexError where there is no such position.
    """
    frame = some_rows(frame_of("alternatives", runs))
    if position is not None:
        return _coverage_at(one_channel(of_choice(frame, choice)), position, ax)
    count, covered = _quantiles(frame[frame["is_listed"]])
    ax = ax if ax is not None else new_axes(6.4, 4.0)
    k = range(1, len(covered) + 1)
    low, middle, high = covered.T
    marker = "o" if len(covered) <= _MOST_RANKS else None
    ax.fill_between(k, low, high, alpha=0.3, linewidth=0, label="10th to 90th percentile")
    ax.plot(k, middle, marker=marker, markersize=4, label="median")
    _axis_of_k(ax, len(covered))
    ax.legend(loc="lower right", fontsize="small")
    ax.set_title(f"Mass of the top K at {counted(count, 'position')}")
    return ax


def _quantiles(listed: pd.DataFrame) -> tuple[int, NDArray[Any]]:
    """Give the number of positions, and for each K the quantiles of the mass of the top K."""
    import numpy as np

    from nbchat.measures.top_k_arrays import running_sums

    if not len(listed):
        raise ValueError(NO_LISTS)
    key = listed[["run_id", "choice", "channel", "position"]]
    offsets = np.append(np.flatnonzero(key.ne(key.shift()).any(axis=1)), len(listed))
    count = len(offsets) - 1
    # the frame's own sums have the tokens in them that the lists lack
    mass = running_sums(listed["prob"].to_numpy(), offsets)
    place = np.arange(len(listed)) - np.repeat(offsets[:-1], np.diff(offsets))
    order = np.argsort(place, kind="stable")
    lengths = np.bincount(place)
    kept = int((2 * lengths >= count).sum())
    groups = np.split(mass[order], np.cumsum(lengths)[:-1])[:kept]
    return count, np.array([np.quantile(group, _QUANTILES) for group in groups])


def _coverage_at(frame: pd.DataFrame, position: int, ax: Axes | None) -> Axes:
    position, rows = at_position(frame, position)
    rows = rows[rows["is_listed"]]
    if not len(rows):
        raise ValueError(NO_LISTS)
    ax = ax if ax is not None else new_axes(6.4, 4.0)
    covered = rows["prob"].fillna(0.0).cumsum().to_numpy()
    k = range(1, len(covered) + 1)
    unseen = max(0.0, 1.0 - float(covered[-1]))
    ax.plot(k, covered, marker="o" if len(covered) <= _MOST_RANKS else None, markersize=4)
    band = ax.fill_between([1, max(len(covered), 2)], 1 - unseen, 1, label=f"unseen: {unseen:.3g}")
    band.set(facecolor="none", edgecolor=setting("text.color"), hatch="///", linewidth=0.8)
    _axis_of_k(ax, len(covered))
    if len(covered) <= _MOST_RANKS:
        texts, properties = drawable([shortened(text, 16) for text in rows["display"]])
        for at, (text, mass) in enumerate(zip(texts, covered, strict=True), start=1):
            ax.annotate(
                text,
                (at, mass),
                xytext=(0, -6),
                textcoords="offset points",
                rotation=90,
                ha="center",
                va="top",
                fontsize="small",
                **properties,
            )
    ax.legend(loc="lower right", fontsize="small")
    title_in_context(ax, f"Mass of the top K at position {position}", frame, position)
    return ax


def _axis_of_k(ax: Axes, longest: int) -> None:
    from matplotlib.ticker import MaxNLocator

    if longest > _MOST_RANKS:
        ax.set_xscale("log")
        ax.set_xlim(1, longest)
    else:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set_xlim(0.5, max(longest, 2) + 0.5)
    ax.set_ylim(0, 1.05)
    ax.set_xlabel("K, the most likely tokens")
    ax.set_ylabel("probability together")
