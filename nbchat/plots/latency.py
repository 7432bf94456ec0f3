"""The figure of how long replies take: to their first token, and how fast they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbchat.plots.axes import counted, legend_on_top, new_axes
from nbchat.plots.glyphs import drawable, shortened
from nbchat.plots.subject import frame_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from nbchat.frames.source import Source

_MARKERS = "osD^vP*X"
_MOST_MODELS = 16


def latency(runs: Source | pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw each run as a point: seconds to its first token, and tokens a second after it.

    `runs` is a run, runs, anything with `.runs`, or a usage frame. Each model has a marker;
    its medians are in the legend. Runs that lack one of the two are in the title.
    """
    frame = frame_of("usage", runs)
    ax = ax if ax is not None else new_axes(6.4, 4.0)
    known = frame[frame["ttft_s"].notna() & frame["tokens_per_s"].notna()]
    names = ["unknown model" if m is None or m != m else str(m) for m in known["model"]]
    models = list(dict.fromkeys(names))
    for place, model in enumerate(models[:_MOST_MODELS]):
        of_model = known[[name == model for name in names]]
        (name,), _ = drawable([shortened(model)])
        ttft_s, rate = of_model["ttft_s"].median(), of_model["tokens_per_s"].median()
        ax.plot(
            of_model["ttft_s"],
            of_model["tokens_per_s"],
            linestyle="none",
            marker=_MARKERS[place % len(_MARKERS)],
            alpha=0.7,
            label=f"{name}: {ttft_s:.2g} s, {rate:.3g} tokens/s",
        )
    if not len(known):
        ax.annotate("no known times", (0.5, 0.5), xycoords="axes fraction", ha="center")
    ax.set_xlim(left=0)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("seconds to the first token")
    ax.set_ylabel("tokens a second")
    ax.set_title(_title(len(frame), len(frame) - len(known), len(models)))
    legend_on_top(ax, ncols=1)
    legend: Any = ax.get_legend()
    for text in legend.get_texts() if legend else ():
        text.set(usetex=False, parse_math=False)
    return ax


def _title(n_runs: int, n_unknown: int, n_models: int) -> str:
    facts = [
        f"{n_unknown} without times" if n_unknown else "",
        f"{n_models - _MOST_MODELS} models not drawn" if n_models > _MOST_MODELS else "",
    ]
    notes = ", ".join(fact for fact in facts if fact)
    title = f"Latency: {counted(n_runs, 'run')}"
    return f"{title}\n{notes}" if notes else title
