"""The figure of what runs cost: over time, and by model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbchat.plots.axes import counted, legend_on_top, new_axes
from nbchat.plots.glyphs import drawable, shortened
from nbchat.plots.subject import frame_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from nbchat.frames.source import Source

#: models that have a line of their own; the others share one
_MOST_MODELS = 9
_LOOKS = ("-", "--", "-.", ":")
_OTHERS = "other models"


def cost(runs: Source | pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw what runs cost together as time goes on, in US dollars, a line for each model.

    `runs` is a run, runs, anything with `.runs`, or a usage frame. The time of a run is the
    one in its id. Runs whose cost is unknown are in no line; the title says how many there
    are, and then the sums are lower bounds.
    """
    frame = frame_of("usage", runs)
    ax = ax if ax is not None else new_axes(6.4, 4.0)
    known = _known(frame)
    sums = known.groupby("model", observed=True)["cost_usd"].sum().sort_values(ascending=False)
    models = list(sums.index)
    for place, model in enumerate(models):
        of_model = known[known["model"] == model].sort_values("at")
        steps = of_model["cost_usd"].cumsum()
        (name,), _ = drawable([shortened(model)])
        ax.plot(
            of_model["at"],
            steps,
            _LOOKS[place % len(_LOOKS)],
            drawstyle="steps-post",
            marker="o",
            markersize=3,
            label=f"{name}: {_dollars(float(sums[model]))}",
        )
    ax.set_ylim(bottom=0, top=1.1 * max(float(sums.max()) if len(sums) else 0.0, 1e-9))
    ax.set_ylabel("US dollars")
    ax.set_title(_title(frame, float(known["cost_usd"].sum())))
    _label_times(ax, known)
    legend_on_top(ax, ncols=1 if len(models) < 3 else 2)
    _as_text(ax)
    return ax


def _known(frame: pd.DataFrame) -> pd.DataFrame:
    """Give the rows with a cost, with their time and the names of the models that have a line."""
    import pandas as pd

    known = frame[frame["cost_usd"].notna()].copy()
    known["model"] = [
        "unknown model" if m is None or m != m else str(m) for m in known["model"].astype(object)
    ]
    sums = known.groupby("model")["cost_usd"].sum().sort_values(ascending=False)
    if len(sums) > _MOST_MODELS:
        kept = set(sums.index[: _MOST_MODELS - 1])
        known["model"] = [m if m in kept else _OTHERS for m in known["model"]]
    stamps = [_milliseconds(str(run_id)) for run_id in known["run_id"]]
    known["at"] = pd.to_datetime(pd.Series(stamps, dtype="int64"), unit="ms").to_numpy()
    return known


def _milliseconds(run_id: str) -> int:
    """Give the time that stands in a run's id; 1970 for an id of another make."""
    try:
        return min(int(run_id[:12], 16), 2**42)
    except ValueError:
        return 0


def _label_times(ax: Axes, known: pd.DataFrame) -> None:
    import numpy as np
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    ax.set_xlabel("time (UTC)")
    if not len(known):
        ax.set_xticks([])
        ax.annotate("no known cost", (0.5, 0.5), xycoords="axes fraction", ha="center")
        return
    if known["at"].nunique() == 1:
        minute = np.timedelta64(1, "m")
        ax.set_xlim(known["at"].min() - minute, known["at"].max() + minute)
    locator = AutoDateLocator(maxticks=8)  # type: ignore[no-untyped-call]
    shown = ConciseDateFormatter(locator, usetex=False)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(shown)


def _as_text(ax: Axes) -> None:
    legend: Any = ax.get_legend()
    for text in legend.get_texts() if legend else ():
        text.set(usetex=False, parse_math=False)  # a dollar is a dollar


def _dollars(usd: float) -> str:
    return f"${usd:,.2f}" if usd >= 0.995 else f"${usd:.2g}"


def _title(frame: pd.DataFrame, total: float) -> str:
    n_unknown = int(frame["cost_usd"].isna().sum())
    bound = "at least " if n_unknown else ""
    title = f"Cost: {counted(len(frame), 'run')}, {bound}{total:.4g} US dollars"
    return f"{title}\n{n_unknown} of unknown cost" if n_unknown else title
