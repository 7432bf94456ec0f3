"""Figures of answers that are known to be right or wrong: calibration, risk and coverage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nbchat.plots.axes import counted, in_lines, legend_on_top, new_axes, points, setting, width_of
from nbchat.plots.subject import table_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[Any]

# beside the colour, so that lines are told apart without it
_DASHES = ("-", "-.", (0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1, 1, 1)))
_NARROW = 260  # points
#: of more answers than these the bootstrap draws fewer times: they say more
_MANY = 1000
CLASSIFIED = "what nbchat.classify gives"
NO_TRUTH = "there is no truth here: give nbchat.classify the right labels as truth="


def reliability(
    confidence: pd.DataFrame | ArrayLike,
    correct: ArrayLike | None = None,
    ax: Axes | None = None,
    *,
    bins: int = 10,
    temperature: float | None = None,
) -> Axes:
    """Draw how often answers were right beside how sure the model was (a reliability diagram).

    `confidence` is the frame of `nbchat.classify` with truth, of which each prompt's
    predicted label counts, or an array of probabilities (N,), with `correct` (N,) that is
    true where the answer was right. Each of the `bins` that is not empty has a point at its
    mean confidence and its accuracy, and above it the number of its cases. On the diagonal
    a model is right as often as it says. The band is where 95 % of such models would lie
    with as few cases (`measures.calibration_band`): a point inside may be chance. Expected
    and maximum calibration error stand in the title, and how much of the error, the accuracy and
    the AUROC is chance (`measures.calibration_interval`, by bootstrap). With `temperature` (what
    `measures.fit_temperature` found on other answers) a second line shows the same answers at
    it, and the title the log loss before and after. Raise ValueError where there is no truth or
    no case, TypeError for another frame.
    """
    from nbchat.measures import at_temperature, calibration, calibration_band

    stated, right = _judged(confidence, correct)
    unscaled = calibration(stated, right, bins)
    low, high = calibration_band(stated, bins)
    table = unscaled.table
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
    if temperature is not None:
        scaled = calibration(at_temperature(stated, temperature), right, bins)
        there = scaled.table["n"] > 0
        ax.plot(
            scaled.table["confidence"][there],
            scaled.table["accuracy"][there],
            marker="s",
            color="C2",
            linestyle=":",
            linewidth=1.6,
            label=f"at temperature {temperature:.3g}",
        )
    _count_cases(ax, table)
    ax.set_xlim(0, 1)
    ax.set_ylim(-0.02, 1.16)
    ax.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    ax.set_xlabel("confidence (probability of the answer)")
    ax.set_ylabel("accuracy (share that is right)")
    errors = f"expected calibration error {unscaled.ece:.3f}, largest {unscaled.mce:.3f}"
    if temperature is not None:
        errors = f"expected calibration error {unscaled.ece:.3f}, after scaling {scaled.ece:.3f}\n"
        errors += f"log loss {unscaled.log_loss:.3f} nats, after scaling {scaled.log_loss:.3f}"
    title = f"Calibration of {counted(int(table['n'].sum()), 'answer')}\n{errors}"
    ax.set_title(in_lines(ax, f"{title}\n{_intervals(stated, right, bins)}"), fontsize="medium")
    ax.legend(loc="upper left", bbox_to_anchor=(0.0, 0.86), fontsize="small")
    return ax


def _intervals(stated: Floats, right: Floats, bins: int) -> str:
    """Say between what the error, the accuracy and the AUROC lie, where they are known."""
    from nbchat.measures import calibration_interval

    resamples = 1000 if len(stated) <= _MANY else 200
    intervals = calibration_interval(stated, right, bins, resamples=resamples)
    names = {"error": intervals.ece, "accuracy": intervals.accuracy, "AUROC": intervals.auroc}
    parts = [f"{name} {low:.2f}–{high:.2f}" for name, (low, high) in names.items() if low == low]
    return f"95 % (bootstrap): {', '.join(parts)}"


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
    confidence: pd.DataFrame | Mapping[str, ArrayLike] | ArrayLike,
    correct: ArrayLike | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the share of wrong answers when only the surest are given, as their share grows.

    `confidence` and `correct` are those of `reliability`; a confidence need not be a
    probability here. Several scorers are compared as a mapping, or a frame, of their names to
    confidences (N,) of the same answers; those that all of them know are drawn. Beside the curves
    stand the best that any confidence could do with as many wrong answers, and what one does
    that tells nothing. The areas under the curves are given (`measures.risk_coverage`), less is
    better. Raise ValueError where there is no truth or no case, TypeError for another frame.
    """
    import numpy as np

    from nbchat.measures import risk_coverage as curve_of

    scorers, right = _scorers(confidence, correct)
    curves = {name: curve_of(stated, right) for name, stated in scorers.items()}
    least = curve_of(right, right)
    overall = float(least.risk[-1])
    ax = ax if ax is not None else new_axes(6.0, 4.2)
    for number, (name, curve) in enumerate(curves.items()):
        ax.plot(
            100 * curve.coverage,
            100 * curve.risk,
            color=f"C{number + 1}",
            linestyle=_DASHES[number % len(_DASHES)],
            marker="o" if len(curve.risk) <= 50 and len(curves) == 1 else None,
            markersize=3,
            label=name if len(curves) == 1 else f"{name} (area {curve.aurc:.3f})",
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
    highest = max(100 * float(max(np.max(curve.risk) for curve in curves.values())), 5.0)
    ax.set_xlim(0, 102)
    ax.set_ylim(-0.02 * highest, 1.05 * highest)
    is_narrow = width_of(ax) < _NARROW
    ax.set_xlabel("coverage (%)" if is_narrow else "coverage: share of the answers given (%)")
    ax.set_ylabel("risk (%)" if is_narrow else "risk: share of those that is wrong (%)")
    areas = f"at best {least.aurc:.3f}, in any order {overall:.3f}"
    if len(curves) == 1:
        (only,) = curves.values()
        areas = f"area {only.aurc:.3f}, {areas}"
    else:
        areas = f"areas: {areas}"
    title = f"Risk and coverage of {counted(len(right), 'answer')}\n{areas}"
    ax.set_title(in_lines(ax, title))
    legend_on_top(ax, ncols=3)
    # the legend stands above 100 %, which no share is
    ax.set_yticks([tick for tick in ax.get_yticks() if 0 <= tick <= 100])
    return ax


def _scorers(confidence: Any, correct: Any) -> tuple[dict[str, Floats], Floats]:
    """Give the confidences of each scorer and whether answers were right, those all know."""
    import numpy as np
    import pandas as pd

    is_several = isinstance(confidence, Mapping) or (
        isinstance(confidence, pd.DataFrame) and correct is not None
    )
    if not is_several:
        stated, right = _judged(confidence, correct)
        return {"these answers, surest first": stated}, right
    right = np.asarray(correct, dtype=np.float64)
    by_scorer = {str(name): _numbers(values) for name, values in confidence.items()}
    if not by_scorer:
        raise ValueError("there is no scorer to draw")
    for name, values in by_scorer.items():
        if right.ndim != 1 or values.shape != right.shape:
            raise ValueError(f"{name} {values.shape} and correct {right.shape} do not fit")
    known = ~np.isnan(right) & ~np.isnan(list(by_scorer.values())).any(axis=0)
    if not known.any():
        raise ValueError("there is no answer that every scorer knows, known to be right or wrong")
    return {name: values[known] for name, values in by_scorer.items()}, right[known]


def _numbers(values: Any) -> Floats:
    import pandas as pd

    return pd.Series(values).to_numpy(dtype=float, na_value=float("nan"))


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
