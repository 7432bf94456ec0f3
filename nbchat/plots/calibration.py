"""Figures of answers that are known to be right or wrong: calibration, risk and coverage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbchat.plots.axes import counted, legend_on_top, new_axes, points, setting, width_of
from nbchat.plots.subject import table_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[Any]

CLASSIFIED = "what nbchat.classify gives"
NO_TRUTH = "there is no truth here: give nbchat.classify the right labels as truth="


def reliability(
    confidence: pd.DataFrame | ArrayLike,
    correct: ArrayLike | None = None,
    ax: Axes | None = None,
    *,
    bins: int = 10,
) -> Axes:
    """Draw how often answers were right beside how sure the model was (a reliability diagram).

    `confidence` is the frame of `nbchat.classify` with truth, of which each prompt's
    predicted label counts, or an array of probabilities (N,), with `correct` (N,) that is
    true where the answer was right. Each of the `bins` that is not empty has a point at its
    mean confidence and its accuracy, and above it the number of its cases. On the diagonal
    a model is right as often as it says. The band is where 95 % of such models would lie
    with as few cases (`measures.calibration_band`): a point inside may be chance. Expected
    and maximum calibration error stand in the title. Raise ValueError where there is no
    truth or no case, TypeError for another frame.
    """
    from nbchat.measures import calibration, calibration_band

    stated, right = _judged(confidence, correct)
    found = calibration(stated, right, bins)
    low, high = calibration_band(stated, bins)
    table = found.table
    ax = ax if ax is not None else new_axes(5.4, 5.4)
    ax.plot(
        [0, 1],
        [0, 1],
        linestyle="--",
        linewidth=1,
        color=setting("text.color"),
        label="as often right as sure",
    )
    filled = table["n"] > 0
    widths = table["hi"] - table["lo"]
    ax.bar(
        table["lo"][filled],
        (high - low)[filled],
        bottom=low[filled],
        width=widths[filled],
        align="edge",
        color="C0",
        alpha=0.25,
        linewidth=0,
        label="95 % of such models (bootstrap)",
    )
    ax.plot(
        table["confidence"][filled],
        table["accuracy"][filled],
        marker="o",
        color="C1",
        linewidth=1.2,
        label="these answers",
    )
    _count_cases(ax, table)
    ax.set_xlim(0, 1)
    ax.set_ylim(-0.02, 1.16)
    ax.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    ax.set_xlabel("confidence (probability of the answer)")
    ax.set_ylabel("accuracy (share that is right)")
    errors = f"expected calibration error {found.ece:.3f}, largest {found.mce:.3f}"
    ax.set_title(f"Calibration of {counted(int(table['n'].sum()), 'answer')}\n{errors}")
    ax.legend(loc="upper left", bbox_to_anchor=(0.0, 0.86), fontsize="small")
    return ax


def _count_cases(ax: Axes, table: NDArray[Any]) -> None:
    filled = table[table["n"] > 0]
    step = width_of(ax) / len(table)
    size = min(points(setting("font.size")) * 0.8, 0.42 * step)
    ax.axhline(1.04, color=setting("text.color"), linewidth=0.5)
    for row in filled:
        at = (row["lo"] + row["hi"]) / 2
        ax.text(at, 1.07, f"{row['n']:,}", ha="center", va="center", fontsize=size)
    ax.text(0.01, 1.125, "cases in each bin", fontsize="small", va="center")


def risk_coverage(
    confidence: pd.DataFrame | ArrayLike,
    correct: ArrayLike | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the share of wrong answers when only the surest are given, as their share grows.

    `confidence` and `correct` are those of `reliability`; a confidence need not be a
    probability here. Beside the curve stand the best that any confidence could do with as
    many wrong answers, and what one does that tells nothing. The area under the curve is in
    the title (`measures.risk_coverage`). Raise ValueError where there is no truth or no
    case, TypeError for another frame.
    """
    import numpy as np

    from nbchat.measures import risk_coverage as curve_of

    stated, right = _judged(confidence, correct)
    curve = curve_of(stated, right)
    least = curve_of(right, right)
    overall = float(curve.risk[-1])
    ax = ax if ax is not None else new_axes(6.0, 4.2)
    marker = "o" if len(curve.risk) <= 50 else None
    ax.plot(
        100 * curve.coverage,
        100 * curve.risk,
        color="C1",
        marker=marker,
        markersize=3,
        label="these answers, surest first",
    )
    ax.plot(
        100 * least.coverage, 100 * least.risk, color="C0", linestyle=":", label="best possible"
    )
    ax.axhline(
        100 * overall,
        color=setting("text.color"),
        linestyle="--",
        linewidth=1,
        label="in any order",
    )
    highest = max(100 * float(np.max(curve.risk)), 5.0)
    ax.set_xlim(0, 102)
    ax.set_ylim(-0.02 * highest, 1.05 * highest)
    ax.set_xlabel("coverage: share of the answers that are given (%)")
    ax.set_ylabel("risk: share of those that is wrong (%)")
    areas = f"area {curve.aurc:.3f}, at best {curve.aurc_least:.3f}, in any order {overall:.3f}"
    ax.set_title(f"Risk and coverage of {counted(len(curve.risk), 'answer')}\n{areas}")
    legend_on_top(ax, ncols=3)
    return ax


def _judged(confidence: Any, correct: Any) -> tuple[Floats, Floats]:
    """Give confidences and whether they were right (1 or 0), those without a NaN."""
    import numpy as np

    if correct is None:
        confidence, correct = _predictions(confidence)
    stated, right = (np.asarray(values, dtype=np.float64) for values in (confidence, correct))
    if stated.ndim != 1 or stated.shape != right.shape:
        raise ValueError(f"confidence {stated.shape} and correct {right.shape} do not fit")
    known = ~np.isnan(stated) & ~np.isnan(right)
    if not known.any():
        raise ValueError("there is no answer with a confidence that is known to be right or wrong")
    return stated[known], right[known]


def _predictions(source: Any) -> tuple[Floats, Floats]:
    frame = table_of(source, ["prompt", "label", "prob", "is_predicted"], CLASSIFIED)
    if "is_correct" not in frame:
        raise ValueError(NO_TRUTH)
    predicted = frame[frame["is_predicted"].fillna(value=False).astype(bool)]
    # for each label is_correct says whether it is the right one
    numbers = predicted[["prob", "is_correct"]].astype("Float64")
    stated, right = (numbers[name].to_numpy(dtype=float, na_value=float("nan")) for name in numbers)
    return stated, right
