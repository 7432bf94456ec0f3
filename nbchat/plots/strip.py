"""The heat strip: the tokens of several runs side by side."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Any

from nbchat.plots.axes import (
    colours,
    counted,
    hatched,
    height_of,
    ink,
    new_axes,
    points,
    setting,
    width_of,
)
from nbchat.plots.glyphs import drawable, shortened
from nbchat.plots.subject import frame_of, some_rows
from nbchat.plots.token_labels import LEGIBLE, names_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage
    from numpy.typing import NDArray

    from nbchat.frames.source import Source

    Floats = NDArray[Any]

# value: its name on the colour bar, and the range of its scale (None: as far as it goes)
_SCALES: dict[str, tuple[str, float | None, float | None]] = {
    "prob": ("probability", 0.0, 1.0),
    "logprob": ("log probability (nats)", None, 0.0),
    "surprisal_bits": ("surprisal (bits)", 0.0, None),
    "rank": ("rank", 1.0, None),
    "margin": ("margin (probability)", 0.0, 1.0),
    "log_margin": ("log margin (nats)", 0.0, None),
    "tail_mass": ("unseen mass (probability)", 0.0, 1.0),
    "entropy_lo": ("entropy, lower bound (nats)", 0.0, None),
    "entropy_hi": ("entropy, upper bound (nats)", 0.0, None),
}


def strip(
    runs: Source | pd.DataFrame,
    value: str = "surprisal_bits",
    ax: Axes | None = None,
    *,
    names: Sequence[str] | None = None,
) -> Axes:
    """Draw the tokens of several runs as strips of colour: a row for each, a cell for each token.

    `runs` is a run, runs, anything with `.runs`, or a tokens frame; each choice of each run
    has a row, in order, called by its number or by `names`. `value` is the column that the
    colour shows: surprisal_bits, prob, logprob, rank, margin, log_margin, tail_mass,
    entropy_lo or entropy_hi; the colour bar has its numbers. Where cells have room the
    tokens are written in them. A cell whose value is not known is hatched. Raise ValueError
    where there are no token probabilities, for another `value` and for too few names.
    """
    import numpy as np
    from matplotlib.ticker import MaxNLocator

    if value not in _SCALES:
        raise ValueError(f"value must be one of {', '.join(_SCALES)}; got {value!r}")
    tokens = some_rows(frame_of("tokens", runs))
    groups = [rows for _, rows in tokens.groupby(_row_of_each(tokens), sort=False)]
    if names is not None and len(names) != len(groups):
        raise ValueError(f"{counted(len(names), 'name')} for {counted(len(groups), 'reply')}")
    longest = max(map(len, groups))
    numbers = np.full((len(groups), longest), np.nan)
    for row, group in enumerate(groups):
        numbers[row, : len(group)] = group[value].to_numpy("float64", na_value=np.nan)
    if ax is None:
        ax = new_axes(
            min(14.0, max(6.4, 1.8 + 0.22 * longest)), min(12.0, 1.6 + 0.45 * len(groups))
        )
    label, low, high = _SCALES[value]
    image = ax.imshow(
        np.ma.masked_invalid(numbers),
        cmap=colours(),
        vmin=low,
        vmax=high if high is not None or not np.isnan(numbers).all() else 1.0,
        aspect="auto",
        interpolation="nearest",
    )
    ax.figure.colorbar(image, ax=ax, label=label)
    _hatch_unknown(ax, numbers, [len(group) for group in groups])
    _write_tokens(ax, groups, numbers, image)
    _label_rows(ax, groups, names)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.set_xlabel("token position")
    most = "" if len(set(map(len, groups))) == 1 else "up to "
    ax.set_title(f"{counted(len(groups), 'reply')} of {most}{counted(longest, 'token')}")
    return ax


def _row_of_each(tokens: pd.DataFrame) -> NDArray[Any]:
    """Number the rows of the strip: the same run given twice has two."""
    sequence = tokens[["run_id", "choice"]]
    is_new = sequence.ne(sequence.shift()).any(axis=1)
    same_channel = tokens["channel"].eq(tokens["channel"].shift())
    starts_again = same_channel & (tokens["position"] <= tokens["position"].shift())
    rows: NDArray[Any] = (is_new | starts_again).cumsum().to_numpy()
    return rows


def _hatch_unknown(ax: Axes, numbers: Floats, lengths: Sequence[int]) -> None:
    from matplotlib.patches import Rectangle

    for row, length in enumerate(lengths):
        unknown = [at for at in range(length) if isnan(numbers[row, at])]
        cells = [Rectangle((at - 0.5, row - 0.5), 1, 1) for at in unknown]
        hatched(cells)
        for cell in cells:
            ax.add_patch(cell)


def _write_tokens(
    ax: Axes, groups: Sequence[pd.DataFrame], numbers: Floats, image: AxesImage
) -> None:
    wide, high = width_of(ax) / numbers.shape[1], height_of(ax) / len(groups)
    size = min(points(setting("font.size")) * 0.8, 0.8 * wide)
    if wide < LEGIBLE or high < 3 * size:
        return
    most = max(1, int(high / (0.72 * size)))
    for row, group in enumerate(groups):
        texts, properties = drawable([shortened(name, most) for name in names_of(group)])
        for at, text in enumerate(texts):
            number = numbers[row, at]
            unknown = isnan(number)
            ax.text(
                at,
                row,
                text,
                rotation=90,
                ha="center",
                va="center",
                fontsize=size,
                color=setting("text.color") if unknown else ink(image.cmap(image.norm(number))),
                bbox={"facecolor": setting("axes.facecolor"), "linewidth": 0, "pad": 0.5}
                if unknown
                else None,
                **properties,
            )


def _label_rows(ax: Axes, groups: Sequence[pd.DataFrame], names: Sequence[str] | None) -> None:
    numbers = [str(i + 1) for i in range(len(groups))] if names is None else list(map(str, names))
    texts, properties = drawable([shortened(name) for name in numbers])
    every = max(1, int(-(-len(groups) * 11.0 // height_of(ax))))
    ax.set_yticks(range(0, len(groups), every), texts[::every], **properties)
    ax.tick_params(axis="y", length=0)
    ax.set_ylabel("run" if names is None else "")
