"""Several texts and the surprisal of their words, above one another (as of garden paths)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from nbchat.plots.axes import counted, legend_on_top, new_axes, setting
from nbchat.plots.glyphs import drawable, shortened
from nbchat.plots.subject import NO_TOKENS, frame_of, of_choice, one_channel
from nbchat.plots.token_labels import names_of, step_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

By = Literal["token", "space", "unicode"]

_DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)))
_AROUND = " .,;:!?…\"'“”‘’()"


class Text(NamedTuple):
    """The tokens or words of one text: `rows` with surprisal_bits, `names` to write them with."""

    rows: pd.DataFrame
    names: list[str]
    is_end: NDArray[Any]
    unit: str

    @property
    def title(self) -> str:
        kept = [name for name, end in zip(self.names, self.is_end, strict=True) if not end]
        joined = "".join(kept).replace("␣", " ") if self.unit == "token" else " ".join(kept)
        return shortened(joined.strip(), 40)


def texts_of(source: Any, choice: int, by: By | None) -> list[Text]:
    """Give the texts of a source: its frame split by runs, of each the choice."""
    from nbchat import frames
    from nbchat.frames.source import runs_of

    if hasattr(source, "columns"):
        frame = frame_of("words" if "word" in source else "tokens", source)
    else:
        several = not hasattr(source, "completion") and len(runs_of(source)) > 1
        rule = by or ("space" if several else "token")
        frame = frames.tokens(source) if rule == "token" else frames.words(source, rule)
    if not len(frame):
        raise ValueError(NO_TOKENS)
    unit = "word" if "word" in frame else "token"
    read = _words if unit == "word" else _tokens
    groups = frame.groupby("run_id", sort=False, observed=True)
    return [read(of_choice(group, choice)) for _, group in groups]


def _tokens(frame: pd.DataFrame) -> Text:
    rows = one_channel(frame)
    return Text(rows, names_of(rows), rows["is_special"].to_numpy(dtype=bool), "token")


def _words(frame: pd.DataFrame) -> Text:
    names = frame["text"].fillna("").tolist()
    return Text(frame, names, frame["word"].to_numpy() < 0, "word")


def surprisal_of_texts(
    texts: list[Text], align: str | Sequence[int] | None, ax: Axes | None
) -> Axes:
    """Draw each text as a line, with its words under the places where they stand."""
    starts = _starts(texts, align)
    first, last = -max(starts), max(len(t.rows) - s for t, s in zip(texts, starts, strict=True))
    n_places = last - first
    ax = ax if ax is not None else new_axes(min(14.0, max(6.4, 1.4 + 0.75 * n_places)), 4.4)
    highest = 1.0
    for number, (text, start) in enumerate(zip(texts, starts, strict=True)):
        bits = text.rows["surprisal_bits"].to_numpy(dtype=float)
        (title,), _ = drawable([text.title])
        ax.plot(
            [i - start for i in range(len(bits))],
            bits,
            color=f"C{number}",
            linestyle=_DASHES[number % len(_DASHES)],
            marker="o",
            markersize=4,
            label=title,
        )
        highest = max([highest, *bits[bits == bits]])
    places = range(first, last)
    words = [_at(texts, starts, place) for place in places]
    drawn, properties = drawable([word for here in words for word in here])
    pieces = iter(drawn)
    shown = ["\n".join(next(pieces) for _ in here) for here in words]
    is_legible = n_places <= 24
    if is_legible:
        longest = max(map(len, drawn))
        turn: dict[str, Any] = {"rotation": 90} if longest * 6 > step_of(ax, n_places) else {}
        ax.set_xticks(list(places), shown, fontsize="small", **turn, **properties)
    if align is not None:
        ax.axvline(0, color=setting("text.color"), linewidth=0.8, linestyle=":")
    unit = texts[0].unit
    ax.set_xlabel(unit if align is None else f"{unit}, 0: where the texts are aligned")
    if is_legible:
        ax.set_xlabel(unit)
    ax.set_ylabel("surprisal (bits)")
    ax.set_ylim(0, 1.05 * highest)
    ax.set_title(f"Surprisal of {counted(len(texts), 'text')} by {unit}s")
    legend_on_top(ax, ncols=2)
    legend = ax.get_legend()
    for entry in legend.get_texts() if legend else ():
        entry.set(**properties)
    return ax


def _at(texts: list[Text], starts: list[int], place: int) -> list[str]:
    """Give the words at a place, each once where texts share it."""
    texts_there = [
        shortened(text.names[place + start], 14)
        for text, start in zip(texts, starts, strict=True)
        if 0 <= place + start < len(text.names)
    ]
    return list(dict.fromkeys(texts_there))


def _starts(texts: list[Text], align: str | Sequence[int] | None) -> list[int]:
    """Give the place in each text at which they stand above one another."""
    if align is None:
        return [0] * len(texts)
    if isinstance(align, str):
        return [_place_of(align, text) for text in texts]
    if len(align) != len(texts):
        raise ValueError(f"align has {len(align)} numbers for {len(texts)} texts")
    for place, text in zip(align, texts, strict=True):
        if not 0 <= place < len(text.names):
            raise ValueError(f"there is no {text.unit} {place} in “{text.title}”")
    return list(align)


def _place_of(word: str, text: Text) -> int:
    plain = [name.strip(_AROUND + "␣").casefold() for name in text.names]
    wanted = word.strip(_AROUND).casefold()
    if wanted not in plain:
        raise ValueError(f"there is no {text.unit} {word!r} in “{text.title}”")
    return plain.index(wanted)
