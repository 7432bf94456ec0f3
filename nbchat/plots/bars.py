"""Bar charts: surprisal of the tokens, alternatives at a position, tokens used."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Any

from nbchat.plots.glyphs import drawable, shortened
from nbchat.plots.subject import frame_of, of_choice, one_channel

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.container import BarContainer

    from nbchat.frames.source import RunLike, Source

# points from one token to the next, below which a label for each cannot be read
_LEGIBLE = 9.0
_MOST_ALTERNATIVES = 25


def surprisal(run: RunLike | pd.DataFrame, ax: Axes | None = None, *, choice: int = 0) -> Axes:
    """Draw the surprisal of each token of a choice, in bits.

    `run` is a run or a tokens frame of one. Where there is room each token is written
    under its bar, else the most surprising ones above theirs. A token without a usable
    log probability has a hatched bar as high as the figure. Raise ValueError where there
    are no token probabilities, several runs or no such choice.
    """
    tokens = one_channel(of_choice(frame_of("tokens", run), choice))
    bits = tokens["surprisal_bits"].to_numpy()
    count = len(bits)
    ax = ax if ax is not None else _new_axes(min(14.0, max(6.4, 1.4 + 0.2 * count)), 4.0)
    known = tokens["surprisal_bits"].dropna()
    highest = max(float(known.max()) if len(known) else 0.0, 1.0)
    censored = tokens["censored"].to_numpy()
    places = range(count)
    step = _points(ax) / count
    # gaps between bars as narrow as these would flicker
    width = 0.8 if step >= _LEGIBLE else 1.0
    ax.bar(places, tokens["surprisal_bits"].fillna(0.0), width=width)
    if censored.any():
        where = [i for i in places if censored[i]]
        _hatched(ax.bar(where, highest, width=width, label="not known (outside the list)"))
    written = tokens.loc[~tokens["is_special"], "surprisal_bits"].dropna()
    if len(written):
        mean = float(written.mean())
        ax.axhline(mean, linestyle="--", linewidth=1, color="C1", label=f"mean {mean:.2f} bits")
    labels = [
        "(end)" if special and not shown.strip("∅") else shortened(shown)
        for shown, special in zip(tokens["display"], tokens["is_special"], strict=True)
    ]
    if step >= _LEGIBLE:
        _label_all(ax, labels, step)
    else:
        _label_peaks(ax, labels, tokens["surprisal_bits"].fillna(-1.0).tolist(), step)
    ax.set_xlim(-0.7 - 0.01 * count, count - 0.3 + 0.01 * count)
    ax.set_ylim(0, highest * (1.25 if step >= _LEGIBLE else 1.6))
    ax.set_ylabel("surprisal (bits)")
    ax.set_title(f"Surprisal of {_counted(count, 'token')}")
    if len(written) or censored.any():
        ax.legend(loc="upper right", fontsize="small", ncols=2)
    return ax


def _label_all(ax: Axes, labels: Sequence[str], step: float) -> None:
    from matplotlib import rcParams

    texts, properties = drawable(labels)
    size = min(_size(rcParams["xtick.labelsize"]), 0.8 * step)
    ax.set_xticks(range(len(texts)), texts, rotation=90, fontsize=size, **properties)
    ax.tick_params(axis="x", length=0)
    ax.set_xlabel("token")


def _label_peaks(ax: Axes, labels: Sequence[str], bits: Sequence[float], step: float) -> None:
    ax.set_xlabel("token position")
    gap = 13.0 / step
    chosen: list[int] = []
    for i in sorted(range(len(bits)), key=lambda i: -bits[i]):
        if len(chosen) == 30 or bits[i] < 1:
            break
        if all(abs(i - other) >= gap for other in chosen):
            chosen.append(i)
    texts, properties = drawable([labels[i] for i in chosen])
    for i, text in zip(chosen, texts, strict=True):
        ax.annotate(
            text,
            (i, bits[i]),
            xytext=(0, 3),
            textcoords="offset points",
            rotation=90,
            ha="center",
            va="bottom",
            fontsize="small",
            **properties,
        )


def alternatives(
    run: RunLike | pd.DataFrame, position: int = 0, ax: Axes | None = None, *, choice: int = 0
) -> Axes:
    """Draw the probabilities of the alternatives at one position of a choice.

    `run` is a run or an alternatives frame of one; a negative `position` counts from the
    end. The mass that no listed token has is a bar of its own, hatched: nothing is
    renormalised. Of long lists the 25 most likely are drawn and the others are one bar.
    Raise ValueError where there are no token probabilities, several runs or no such
    choice, IndexError where there is no such position.
    """
    frame = one_channel(of_choice(frame_of("alternatives", run), choice))
    count = int(frame["position"].max()) + 1
    if not -count <= position < count:
        raise IndexError(f"there is no position {position}: the choice has {count} tokens")
    position %= count
    rows = frame[frame["position"] == position]
    shown = rows[(rows["alternative"] < _MOST_ALTERNATIVES) | rows["is_sampled"]]
    rest = rows.drop(shown.index)
    unseen = max(0.0, 1.0 - float(rows["prob"].sum()))
    height = 1.3 + 0.28 * (len(shown) + 1 + bool(len(rest)))
    ax = ax if ax is not None else _new_axes(6.4, max(2.6, height))
    texts, properties = drawable([shortened(text, 30) for text in shown["display"]])
    probs = shown["prob"].fillna(0.0).tolist()
    figures = ["not known" if isnan(p) else f"{p:.3g}" for p in shown["prob"]]
    bars = ax.barh(range(len(probs)), probs)
    at_sampled = shown["is_sampled"].tolist().index(True)
    bars[at_sampled].set_facecolor("C1")
    is_listed = bool(shown["is_listed"].iloc[at_sampled])
    figures[at_sampled] += "  sampled" if is_listed else "  sampled, not listed"
    ax.bar_label(bars, figures, padding=3)
    lumps = [(float(rest["prob"].sum()), f"{len(rest):,} more listed")] if len(rest) else []
    lumps.append((unseen, "unseen (all others)"))
    for mass, name in lumps:
        texts.append(name)
        lump = _hatched(ax.barh([len(texts) - 1], [mass]))
        ax.bar_label(lump, [f"{mass:.3g}"], padding=3)
    ax.set_yticks(range(len(texts)), texts, **properties)
    ax.get_yticklabels()[at_sampled].set_fontweight("bold")
    ax.tick_params(axis="y", length=0)
    ax.invert_yaxis()
    ax.set_xlim(0, 1.45 * max(*probs, *(mass for mass, _ in lumps), 1e-9))
    ax.set_xticks([tick for tick in ax.get_xticks() if tick <= 1])  # room for text, not for p > 1
    ax.set_xlabel("probability")
    ax.set_ylabel("token")
    before = frame[frame["is_sampled"] & (frame["position"] < position)]
    _title_in_context(ax, position, before["display"].tolist())
    return ax


def _title_in_context(ax: Axes, position: int, before: Sequence[str]) -> None:
    texts, properties = drawable(before[-12:])
    context = "".join(texts).replace("␣", " ").replace("⏎", " ").strip()
    if len(context) > 32 or (context and len(before) > 12):
        context = "…" + context[-31:]
    title = f"Alternatives at position {position}"
    ax.set_title(f"{title}\nafter “{context}”" if context else title, **properties)


def usage(runs: Source | pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the tokens that each run used: prompt and completion, one on the other.

    `runs` is a run, runs, anything with `.runs`, or a usage frame. Cached prompt tokens
    and reasoning tokens are told apart from the rest of theirs. A run whose usage is
    unknown has a question mark and no bar.
    """
    frame = frame_of("usage", runs)
    count = len(frame)
    ax = ax if ax is not None else _new_axes(min(14.0, max(6.4, 2.0 + 0.5 * count)), 4.0)
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
    from matplotlib import rcParams

    counts = {
        name: frame[name].fillna(0).astype(float)
        for name in ("prompt_tokens", "cached_tokens", "completion_tokens", "reasoning_tokens")
    }
    cached = counts["cached_tokens"].clip(upper=counts["prompt_tokens"])
    reasoning = counts["reasoning_tokens"].clip(upper=counts["completion_tokens"])
    part = {"alpha": 0.6, "hatch": "//", "edgecolor": rcParams["text.color"], "linewidth": 0}
    return [
        ("prompt, cached", cached.tolist(), {"facecolor": "C0", **part}),
        ("prompt", (counts["prompt_tokens"] - cached).tolist(), {"color": "C0"}),
        ("reasoning", reasoning.tolist(), {"facecolor": "C1", **part}),
        ("completion", (counts["completion_tokens"] - reasoning).tolist(), {"color": "C1"}),
    ]


def _label_runs(ax: Axes, frame: pd.DataFrame) -> None:
    models = ["unknown model" if m is None or m != m else str(m) for m in frame["model"]]
    count = len(models)
    if len(set(models)) > 1 and _points(ax) / count >= _LEGIBLE + 3:
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
    title = f"Usage: {_counted(len(frame), 'run')}, {_counted(total, 'token')}"
    return "\n".join([title, ", ".join(facts)]) if facts else title


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _hatched(bars: BarContainer) -> BarContainer:
    from matplotlib import rcParams

    for bar in bars:
        bar.set(facecolor="none", edgecolor=rcParams["text.color"], hatch="///", linewidth=0.8)
    return bars


def _points(ax: Axes) -> float:
    """Give the width of the Axes in points."""
    return float(ax.get_window_extent().width / ax.figure.dpi * 72)


def _size(size: float | str) -> float:
    from matplotlib.font_manager import FontProperties

    return float(FontProperties(size=size).get_size_in_points())


def _new_axes(width: float, height: float) -> Axes:
    # pyplot, so that a notebook shows the figure, once, when the cell is done
    from matplotlib import pyplot as plt

    return plt.subplots(figsize=(width, height), layout="constrained")[1]
