"""Figures along the text: surprisal and entropy of each token."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING

from nbchat.plots.axes import counted, hatched, legend_on_top, new_axes
from nbchat.plots.subject import frame_of, of_choice, one_channel
from nbchat.plots.token_labels import LEGIBLE, label_tokens, names_of, step_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.axes import Axes

    from nbchat.frames.source import RunLike, Source
    from nbchat.plots.surprisal_of_texts import By, Text

# bits: an interval narrower than this is drawn, and named, as the one value that it is
_EXACT = 1e-6

_MOST_BARS = 1000


def surprisal(
    run: Source | pd.DataFrame,
    ax: Axes | None = None,
    *,
    choice: int = 0,
    by: By | None = None,
    align: str | Sequence[int] | None = None,
) -> Axes:
    """Draw the surprisal of each token, or of each word, of a choice, in bits.

    `run` is a run, scores (`nbchat.score`), or a tokens or words frame. Where there is room each
    token is written under its bar, else the most surprising ones above theirs. A token without
    a usable log probability, or a character of several tokens in one row, has a hatched bar as
    high as the figure. `by` is "token", or how words are cut: "space" or "unicode".

    Of several texts each is a line, by words where `by` does not say else. They stand above one
    another from their beginning on, or at `align`: a word that all of them have (the first
    that has this text, marks of punctuation aside), or the number of a word, from 0, for each
    text. Raise ValueError where there are no token probabilities, no such choice, or a text
    lacks the word to align at.
    """
    from nbchat.plots.surprisal_of_texts import surprisal_of_texts, texts_of

    texts = texts_of(run, choice, by)
    if len(texts) > 1 or align is not None:
        return surprisal_of_texts(texts, align, ax)
    return _bars(texts[0], ax)


def _bars(text: Text, ax: Axes | None) -> Axes:
    tokens = text.rows
    count = len(tokens)
    ax = ax if ax is not None else _axes_along(count)
    bits = tokens["surprisal_bits"]
    unknown = bits.isna().tolist()
    known = bits.dropna()
    highest = max(float(known.max()) if len(known) else 0.0, 1.0)
    width = _bar_width(ax, count)
    if count > _MOST_BARS:  # a bar is an object of its own, and these are thinner than a line
        ax.vlines(range(count), 0.0, bits.fillna(0.0), linewidth=max(0.3, step_of(ax, count)))
    else:
        ax.bar(range(count), bits.fillna(0.0), width=width)
    if any(unknown):
        where = [i for i in range(count) if unknown[i]]
        why = "not known"
        if text.unit == "token":
            is_merged = bool(tokens["is_merged"].any())
            why += " (several tokens in one row)" if is_merged else " (outside the list)"
        hatched(ax.bar(where, highest, width=width, label=why))
    written = bits[~text.is_end].dropna()
    if len(written):
        mean = float(written.mean())
        ax.axhline(mean, linestyle="--", linewidth=1, color="C1", label=f"mean {mean:.2f} bits")
    room = label_tokens(ax, text.names, bits.fillna(-1.0).tolist())
    if text.unit != "token":
        ax.set_xlabel(ax.get_xlabel().replace("token", text.unit))
    ax.set_ylim(0, highest * room)
    ax.set_ylabel("surprisal (bits)")
    ax.set_title(f"Surprisal of {counted(count, text.unit)}")
    legend_on_top(ax)
    return ax


def entropy(run: RunLike | pd.DataFrame, ax: Axes | None = None, *, choice: int = 0) -> Axes:
    """Draw the entropy before each token of a choice, in bits, as the interval it lies in.

    `run` is a run or a tokens frame of one. The list of alternatives is cut off, so that
    the entropy is known to lie between two bounds: the bar goes from one to the other, and
    nothing is drawn between them. Where both are the same (the whole vocabulary was
    returned, or the list has all the mass) a short line stands at the exact value. Where
    the size of the vocabulary is unknown there is no upper bound: an arrow stands on the
    lower one. Raise ValueError where there are no token probabilities, several runs or no
    such choice.
    """
    tokens = one_channel(of_choice(frame_of("tokens", run), choice))
    count = len(tokens)
    ax = ax if ax is not None else _axes_along(count)
    low, high = tokens["entropy_lo"].to_numpy() / log(2), tokens["entropy_hi"].to_numpy() / log(2)
    is_open, is_exact = high != high, high - low <= _EXACT
    width = _bar_width(ax, count)
    places = tokens.reset_index(drop=True).index.to_numpy()
    between = ~(is_open | is_exact)
    if between.any():
        ax.bar(
            places[between],
            (high - low)[between],
            bottom=low[between],
            width=width,
            color="C0",
            edgecolor="C0",
            linewidth=1.0,  # an interval that is narrow has to be seen, too
            label="between its bounds",
        )
    if is_exact.any():
        at, left, right = low[is_exact], places[is_exact] - width / 2, places[is_exact] + width / 2
        ax.hlines(at, left, right, color="C1", linewidth=2.5, label="exact")
    if is_open.any():
        size = min(7.0, max(2.0, step_of(ax, count)))
        # a caret that stands on the bound and points up; a text of its own says what it means
        ax.plot(
            places[is_open],
            low[is_open],
            linestyle="none",
            marker=10,
            markersize=size,
            color="C0",
            label="at least (vocabulary unknown)",
        )
    tops = [lo if no_hi else hi for lo, hi, no_hi in zip(low, high, is_open, strict=True)]
    room = label_tokens(ax, names_of(tokens), tops)
    ax.set_ylim(0, max(*tops, 1.0) * room)
    ax.set_ylabel("entropy (bits)")
    ax.set_title(f"Entropy at {counted(count, 'position')}")
    legend_on_top(ax, ncols=3)
    return ax


def _axes_along(count: int) -> Axes:
    return new_axes(min(14.0, max(6.4, 1.4 + 0.2 * count)), 4.0)


def _bar_width(ax: Axes, count: int) -> float:
    # gaps between bars as narrow as these would flicker
    return 0.8 if step_of(ax, count) >= LEGIBLE else 1.0
