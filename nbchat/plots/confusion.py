"""The figure of a classifier's confusions: which labels were taken for which."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Any

from nbchat.plots.axes import colours, counted, height_of, ink, new_axes, setting, width_of
from nbchat.plots.calibration import CLASSIFIED, NO_TRUTH
from nbchat.plots.glyphs import drawable, shortened
from nbchat.plots.subject import table_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    Floats = NDArray[Any]

_NO_ANSWER = "(none)"
# points of height and width below which a cell's two lines of text cannot be read
_LEGIBLE_CELL = (20.0, 26.0)


def confusion(
    truth: pd.DataFrame | Sequence[Any],
    predicted: Sequence[Any] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw which labels were taken for which: counts, and the share of each row.

    `truth` is the frame of `nbchat.classify` with truth, or the right label of each case,
    with `predicted`, the label that was given. A row is a right label, a column a given
    one, in order of appearance in the frame, or sorted; None and NaN among the given ones
    have a column of their own. Where cells are too small for text the colour bar has the
    numbers. Raise ValueError where there is no truth, no case or where the numbers of cases
    differ, TypeError for another frame.
    """
    import numpy as np

    labels, rows, columns = _labelled(truth, predicted)
    answers = [*labels, _NO_ANSWER] if _NO_ANSWER in columns else labels
    counts = np.zeros((len(labels), len(answers)), dtype=int)
    for row, column in zip(rows, columns, strict=True):
        counts[labels.index(row), answers.index(column)] += 1
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)
    side = min(12.0, max(4.6, 2.4 + 0.75 * len(answers)))
    ax = ax if ax is not None else new_axes(side, max(3.2, side - 0.8))
    scale = colours()
    image = ax.imshow(100 * shares, cmap=scale, vmin=0, vmax=100, aspect="auto")
    texts, properties = drawable([shortened(str(label), 18) for label in answers])
    turn: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    is_narrow = max(map(len, texts)) * 5.5 > width_of(ax) / len(texts)
    ax.set_xticks(range(len(answers)), texts, **(turn if is_narrow else {}), **properties)
    ax.set_yticks(range(len(labels)), texts[: len(labels)], **properties)
    ax.tick_params(length=0)
    high, wide = height_of(ax) / len(labels), width_of(ax) / len(answers)
    if high >= _LEGIBLE_CELL[0] and wide >= _LEGIBLE_CELL[1]:
        _write_cells(ax, counts, shares, scale, min(9.5, 0.36 * high, 0.3 * wide))
    else:
        ax.figure.colorbar(image, ax=ax, label="share of the row (%)")
    ax.set_xlabel("label given")
    ax.set_ylabel("right label")
    n_right = int(np.trace(counts))
    share = f"{n_right:,} right ({n_right / len(rows):.0%})"
    ax.set_title(f"{counted(len(rows), 'case')}, {share}")
    return ax


def _write_cells(ax: Axes, counts: NDArray[Any], shares: Floats, scale: Any, size: float) -> None:
    import numpy as np

    for (row, column), count in np.ndenumerate(counts):
        share = shares[row, column]
        is_empty = isnan(share)  # no case has this label
        ax.text(
            column,
            row,
            f"{count:,}" if is_empty else f"{count:,}\n{share:.0%}",
            ha="center",
            va="center",
            fontsize=size,
            color=setting("text.color") if is_empty else ink(scale(share)),
        )


def _labelled(truth: Any, predicted: Any) -> tuple[list[Any], list[Any], list[Any]]:
    """Give the labels in order, the right one of each case and the given one."""
    import pandas as pd

    if predicted is None:
        frame = table_of(truth, ["prompt", "label", "is_predicted"], CLASSIFIED)
        if "truth" not in frame:
            raise ValueError(NO_TRUTH)
        order = frame["label"].unique().tolist()
        right = frame.groupby("prompt", sort=False)["truth"].first()
        chosen = frame[frame["is_predicted"].fillna(value=False).astype(bool)]
        labels = chosen.groupby("prompt", sort=False)["label"].first().reindex(right.index)
    else:
        order = []
        right, labels = (
            pd.Series(list(truth), dtype=object),
            pd.Series(list(predicted), dtype=object),
        )
        if len(right) != len(labels):
            raise ValueError(f"{len(right)} right labels and {len(labels)} given ones do not fit")
    is_known = right.notna().to_numpy()
    rows = right[is_known].tolist()
    columns = [_NO_ANSWER if pd.isna(label) else label for label in labels[is_known].tolist()]
    if not rows:
        raise ValueError("there is no case whose right label is known")
    others = {label: None for label in [*rows, *columns] if label != _NO_ANSWER}
    return [*dict.fromkeys([*order, *sorted(others, key=str)])], rows, columns
