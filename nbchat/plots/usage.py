"""The figure of what runs used: tokens of prompt and completion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbchat.plots.axes import counted, new_axes, setting, width_of
from nbchat.plots.glyphs import drawable, shortened
from nbchat.plots.subject import frame_of
from nbchat.plots.token_labels import LEGIBLE

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from nbchat.frames.source import Source


def usage(runs: Source | pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the tokens that each run used: prompt and completion, one on the other.

    `runs` is a run, runs, anything with `.runs`, or a usage frame. Cached prompt tokens
    and reasoning tokens are told apart from the rest of theirs. A run whose usage is
    unknown has a question mark and no bar.
    """
    frame = frame_of("usage", runs)
    count = len(frame)
    ax = ax if ax is not None else new_axes(min(14.0, max(6.4, 2.0 + 0.5 * count)), 4.0)
    bottom = [0.0] * count
    for name, values, look in _parts_of(frame):
        if any(values):
            ax.bar(range(count), values, bottom=bottom, label=name, width=0.7, **look)
            bottom = [b + v for b, v in zip(bottom, values, strict=True)]
    totals = frame["prompt_tokens"].fillna(0) + frame["completion_tokens"].fillna(0)
    is_unknown = (frame["prompt_tokens"].isna() & frame["completion_tokens"].isna()).tolist()
    for i, unknown in enumerate(is_unknown):
        if unknown:
            ax.annotate("?", (i, 0), xytext=(0, 3), textcoords="offset points", ha="center")
    _label_runs(ax, frame)
    ax.set_ylim(bottom=0, top=1.25 * max([*bottom, 1.0]))
    ax.set_ylabel("tokens")
    ax.set_title(_usage_title(frame, int(totals.sum()), sum(is_unknown)))
    if any(bottom):
        ax.legend(loc="upper right", fontsize="small", ncols=2)
    return ax


def _parts_of(frame: pd.DataFrame) -> list[tuple[str, list[float], dict[str, Any]]]:
    counts = {
        name: frame[name].fillna(0).astype(float)
        for name in ("prompt_tokens", "cached_tokens", "completion_tokens", "reasoning_tokens")
    }
    cached = counts["cached_tokens"].clip(upper=counts["prompt_tokens"])
    reasoning = counts["reasoning_tokens"].clip(upper=counts["completion_tokens"])
    part = {"alpha": 0.6, "hatch": "//", "edgecolor": setting("text.color"), "linewidth": 0}
    return [
        ("prompt, cached", cached.tolist(), {"facecolor": "C0", **part}),
        ("prompt", (counts["prompt_tokens"] - cached).tolist(), {"color": "C0"}),
        ("reasoning", reasoning.tolist(), {"facecolor": "C1", **part}),
        ("completion", (counts["completion_tokens"] - reasoning).tolist(), {"color": "C1"}),
    ]


def _label_runs(ax: Axes, frame: pd.DataFrame) -> None:
    models = ["unknown model" if m is None or m != m else str(m) for m in frame["model"]]
    count = len(models)
    if len(set(models)) > 1 and width_of(ax) / count >= LEGIBLE + 3:
        names = [f"{i + 1} {shortened(model)}" for i, model in enumerate(models)]
        texts, properties = drawable(names)
        turn: dict[str, Any] = {"rotation": 30, "ha": "right"} if count > 2 else {}
        ax.set_xticks(range(count), texts, **turn, **properties)
    else:
        every = max(1, count // 15)
        numbers = range(0, count, every)
        ax.set_xticks(numbers, [str(i + 1) for i in numbers])
    ax.set_xlabel("run")
    ax.set_xlim(-0.6, max(count, 1) - 0.4)


def _usage_title(frame: pd.DataFrame, total: int, n_unknown: int) -> str:
    facts = []
    if n_unknown:
        facts.append(f"{n_unknown} unknown")
    if len(frame) and frame["cost_usd"].notna().all():
        facts.append(f"{frame['cost_usd'].sum():.4g} US dollars")
    title = f"Usage: {counted(len(frame), 'run')}, {counted(total, 'token')}"
    return "\n".join([title, ", ".join(facts)]) if facts else title
