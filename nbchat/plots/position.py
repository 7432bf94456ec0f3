"""Figures of one position: its alternatives, and what another temperature would make of them."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Any

from nbchat.api.json_values import is_whole_number
from nbchat.plots.axes import hatched, new_axes, setting
from nbchat.plots.glyphs import drawable, shortened
from nbchat.plots.subject import frame_of, of_choice, one_channel

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from nbchat.frames.source import RunLike

    Floats = NDArray[Any]

_MOST_ALTERNATIVES = 25
_MOST_LINES = 6
_TEMPERATURES = (0.0, 2.0)
_STEPS = 81
# beside the colour, so that lines are told apart without it
_DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1)))


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
    position, rows = at_position(frame, position)
    shown = rows[(rows["alternative"] < _MOST_ALTERNATIVES) | rows["is_sampled"]]
    rest = rows.drop(shown.index)
    unseen = max(0.0, 1.0 - float(rows["prob"].sum()))
    height = 1.3 + 0.28 * (len(shown) + 1 + bool(len(rest)))
    ax = ax if ax is not None else new_axes(6.4, max(2.6, height))
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
        lump = ax.barh([len(texts) - 1], [mass])
        hatched(lump)
        ax.bar_label(lump, [f"{mass:.3g}"], padding=3)
    ax.set_yticks(range(len(texts)), texts, **properties)
    ax.get_yticklabels()[at_sampled].set_fontweight("bold")
    ax.tick_params(axis="y", length=0)
    ax.invert_yaxis()
    ax.set_xlim(0, 1.45 * max(*probs, *(mass for mass, _ in lumps), 1e-9))
    ax.set_xticks([tick for tick in ax.get_xticks() if tick <= 1])  # room for text, not for p > 1
    ax.set_xlabel("probability")
    ax.set_ylabel("token")
    title_in_context(ax, f"Alternatives at position {position}", frame, position)
    return ax


def temperatures(
    run: RunLike | pd.DataFrame,
    position: int = 0,
    ax: Axes | None = None,
    *,
    choice: int = 0,
    vocab_size: int | None = None,
) -> Axes:
    """Draw what other temperatures would make of the distribution at one position.

    `run` is a run or an alternatives frame of one, with log probabilities as of temperature
    1; where the run's are known to be tempered, its own temperature is taken into account.
    At T each token weighs p^(1/T). How the unseen mass weighs is only known within bounds
    (see `measures.temper`), so that each token has a band, the unseen mass a hatched one,
    and the sums are right all the same. `vocab_size` is that of the run where it is not
    given; without any the unseen tokens could be endlessly many, and above T = 1 the lower
    bounds are 0. The six most likely tokens have bands of their own, and the other listed
    ones share one. Raise ValueError where there are no token probabilities, several runs or
    no such choice, IndexError where there is no such position.
    """
    import numpy as np

    from nbchat.measures import temper

    frame = one_channel(of_choice(frame_of("alternatives", run), choice))
    position, rows = at_position(frame, position)
    rows = rows[~rows["censored"]]
    if not len(rows):
        raise ValueError(f"at position {position} no probability is known")
    size = vocab_size if vocab_size is not None else getattr(run, "vocab_size", None)
    logprobs = rows["logprob"].to_numpy()
    basis = _temperature_behind(run)
    at = np.linspace(*_TEMPERATURES, _STEPS)
    # no unseen token has more than the least likely listed one
    most_unseen = rows.loc[rows["is_listed"], "logprob"].min()
    intervals = [temper(logprobs, t / (basis or 1.0), size, most_unseen) for t in at]
    low = np.array([lower for lower, _ in intervals])
    high = np.array([upper for _, upper in intervals])
    names = [shortened(text, 20) for text in rows["display"]]
    bands = [(names[i], low[:, i], high[:, i]) for i in range(min(_MOST_LINES, len(names)))]
    if len(names) > _MOST_LINES:
        # the tail decides for all of them at once: sums of bounds are bounds of sums
        others = slice(_MOST_LINES, None)
        name = f"{len(names) - _MOST_LINES:,} more listed"
        bands.append((name, low[:, others].sum(axis=1), high[:, others].sum(axis=1)))
    ax = ax if ax is not None else new_axes(7.6, 4.4)
    texts, properties = drawable([name for name, _, _ in bands])
    for number, (text, (_, lower, upper)) in enumerate(zip(texts, bands, strict=True)):
        _band(ax, at, lower, upper, number, text)
    _unseen_band(ax, at, 1.0 - high.sum(axis=1), 1.0 - low.sum(axis=1))
    ax.axvline(1.0, color=setting("text.color"), linewidth=0.8, linestyle=":")
    ax.set_xlim(*_TEMPERATURES)
    ax.set_ylim(0, 1.02)
    ax.set_xlabel("temperature" if basis else "temperature (1: that of the log probabilities)")
    ax.set_ylabel("probability")
    legend = ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize="small")
    for entry in legend.get_texts():
        entry.set(**properties)
    title_in_context(ax, f"Temperature at position {position}", frame, position)
    return ax


def _temperature_behind(run: Any) -> float | None:
    """Give the temperature that the log probabilities are of; None where it is not known."""
    basis = getattr(run, "logprob_basis", "unknown")
    if basis == "raw":
        return 1.0
    temperature = run.params.given().get("temperature") if basis == "tempered" else None
    return float(temperature) if temperature else None


def _band(ax: Axes, at: Floats, lower: Floats, upper: Floats, number: int, name: str) -> None:
    colour, dashes = f"C{number}", _DASHES[number % len(_DASHES)]
    ax.fill_between(at, lower, upper, color=colour, alpha=0.25, linewidth=0)
    for bound, label in ((upper, name), (lower, None)):
        ax.plot(at, bound, color=colour, linestyle=dashes, linewidth=1.4, label=label)


def _unseen_band(ax: Axes, at: Floats, lower: Floats, upper: Floats) -> None:
    band = ax.fill_between(at, lower.clip(0), upper.clip(0), label="unseen (all others)")
    band.set(facecolor="none", edgecolor=setting("text.color"), hatch="///", linewidth=0.8)
    band.set_alpha(0.5)  # it lies over the tokens' own bands


def at_position(frame: pd.DataFrame, position: int) -> tuple[int, pd.DataFrame]:
    """Give the position, counted from the start, and its rows. Raise IndexError for none."""
    if not is_whole_number(position):
        raise TypeError(f"position is {position!r}, but must be a whole number")
    count = int(frame["position"].max()) + 1
    if not -count <= position < count:
        raise IndexError(f"there is no position {position}: the choice has {count} tokens")
    position %= count
    return position, frame[frame["position"] == position]


def title_in_context(ax: Axes, title: str, frame: pd.DataFrame, position: int) -> None:
    """Set the title, and under it the tokens that stand before the position."""
    before: Sequence[str] = frame.loc[
        frame["is_sampled"] & (frame["position"] < position), "display"
    ].tolist()
    texts, properties = drawable(before[-12:])
    context = "".join(texts).replace("␣", " ").replace("⏎", " ").strip()
    if len(context) > 32 or (context and len(before) > 12):
        context = "…" + context[-31:]
    ax.set_title(f"{title}\nafter “{context}”" if context else title, **properties)
