"""Tables of scores: means over items with intervals, and what is missing, counted and bounded."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from nbchat.api.json_values import is_whole_number, shown
from nbchat.errors import CheckError
from nbchat.sweep.score_columns import (
    STATUSES,
    as_names,
    axes_of,
    checked_columns,
    checked_frame,
    checked_level,
    checked_scores,
)

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from nbchat.statistics import Interval

    Floats = NDArray[Any]

Method = Literal["auto", "exact", "bootstrap"]
_METHODS = ("auto", "exact", "bootstrap")


def table(
    scores: pd.DataFrame,
    by: str | Sequence[str] | None = None,
    score: str | Sequence[str] | None = None,
    *,
    level: float = 0.95,
    interval: Method = "auto",
    groups: str | None = None,
    k: int | Sequence[int] = (),
    seed: int = 0,
) -> pd.DataFrame:
    """Give the mean of each score with its interval, a row for each combination of `by`.

    `scores` is what `sweep.scores()` gives, or a frame like it: a row for each answer, with a
    column ``item``. `by` names axes or columns, all axes if not given, ``()`` for one row of all.
    `score` names the scores, all if not given.

    - ``mean``, ``lo``, ``hi``: the mean of each item's answers first, then over items, since
      repeats of an item are no items. The interval at `level` is Student's t over items; Wilson's
      where each item has one answer that is right or wrong (0 or 1), and where all are right or all
      wrong; with `interval="exact"` that of Clopper and Pearson in the place of Wilson's; with
      `groups`, a column of what belongs together, or `interval="bootstrap"` a bootstrap of whole
      groups, the same for the same `seed`. ``method`` says which it is
      (`nbchat.statistics.mean_interval`, `proportion_interval`, `cluster_bootstrap`)
    - ``n_items``: items, or groups, that the interval is over; ``n_rows``: rows of the plan;
      ``missing``: those of them without a score, which are in no mean, and what became of all:
      ``answered``, ``truncated``, ``refused``, ``error``, ``not_sent``
    - ``if_wrong``, ``if_right``: the mean if all that is missing were wrong, and if it were right;
      NaN where the score is not one of right and wrong
    - ``between``, ``within``: the variance of items' true means, and of an item's answers around
      its mean (`nbchat.statistics.variance_components`)
    - with `k`: ``pass@k``, the chance that one of k answers is right, and ``pass^k``, that all are,
      without bias, each with ``_lo`` and ``_hi`` over items (`nbchat.statistics.pass_at_k`,
      `pass_hat_k`)

    Raise CheckError for a column, a score or a method that is not there.
    Source: Miller, Adding Error Bars to Evals, arXiv 2411.00640 (2024).
    """
    import pandas as pd

    frame = checked_frame(scores)
    names = axes_of(frame) if by is None else as_names(by)
    checked_columns(frame, "by", names)
    if groups is not None:
        checked_columns(frame, "groups", [groups])
    _check_method(interval)
    tries = _checked_k(k)
    checked_level(level)
    rows = [
        {
            **point,
            "score": name,
            **_figures(part, name, level, interval, groups, seed),
            **_passes(part, name, tries, level),
        }
        for name in checked_scores(frame, score)
        for point, part in parts_of(frame, names)
    ]
    return pd.DataFrame(rows)


def agreement(scores: pd.DataFrame, of: str, by: str | Sequence[str] | None = None) -> pd.DataFrame:
    """Give how far the repeats of each item agree, a row for each item and combination of `by`.

    `scores` as in `table`; `of` names a score, or another column, as of texts. ``agreement`` is
    the share of pairs of an item's answers that are equal (`nbchat.statistics.agreement`), NaN
    where there are fewer than two; ``n`` counts its answers that have a value, ``missing`` the
    others; ``commonest`` is the value that most of them have, the first of several.
    """
    import pandas as pd

    frame = checked_frame(scores)
    names = axes_of(frame) if by is None else as_names(by)
    checked_columns(frame, "of", [of])
    checked_columns(frame, "by", names)
    from nbchat import statistics

    rows: list[dict[Hashable, Any]] = []
    for point, part in parts_of(frame, names):
        for item, values in part.groupby("item", sort=False)[of]:
            known = values.dropna().tolist()
            (share,) = statistics.agreement([known])
            rows.append({
                **point,
                "item": item,
                "of": of,
                "agreement": share,
                "n": len(known),
                "missing": len(values) - len(known),
                "commonest": max(known, key=known.count) if known else None,
            })  # fmt: skip
    return pd.DataFrame(rows)


def parts_of(
    frame: pd.DataFrame, names: Sequence[str]
) -> Iterator[tuple[dict[Hashable, Any], pd.DataFrame]]:
    """Give each combination of these columns' values, in the order they come in, and its rows."""
    if not names:
        yield {}, frame
        return
    for values, part in frame.groupby(list(names), sort=False, dropna=False, observed=True):
        yield dict(zip(names, values, strict=True)), part


def array_of(part: pd.DataFrame, name: str, items: Sequence[Any] | None = None) -> Floats:
    """Give a score as an array of items (those that are named, else all) by answers.

    NaN is what is missing, and what fills an item up that has fewer rows than others.
    """
    import numpy as np
    import pandas as pd

    codes, there = pd.factorize(part["item"] if items is None else _placed(part, items))
    order = range(len(there)) if items is None else there
    n = len(there) if items is None else len(items)
    places = part.groupby("item", sort=False).cumcount().to_numpy()
    values = np.full((n, int(places.max()) + 1 if len(places) else 1), np.nan)
    values[np.asarray(order, dtype=int)[codes], places] = part[name].to_numpy(
        dtype=float, na_value=np.nan
    )
    return values


def _placed(part: pd.DataFrame, items: Sequence[Any]) -> Any:
    return part["item"].map({item: place for place, item in enumerate(items)})


def _figures(
    part: pd.DataFrame, name: str, level: float, method: Method, groups: str | None, seed: int
) -> dict[str, Any]:
    from nbchat import statistics

    values = array_of(part, name)
    is_known = part[name].notna()
    labels = None if groups is None else part.groupby("item", sort=False)[groups].first().to_list()
    interval = _interval(values, level, method, labels, seed)
    variances = statistics.variance_components(values)
    wrong, right = if_missing(part, name)
    return {
        "mean": interval.estimate,
        "lo": interval.lo,
        "hi": interval.hi,
        "method": interval.method,
        "n_items": interval.n,
        "n_rows": len(part),
        "missing": int((~is_known).sum()),
        **_counts(part, is_known),
        "if_wrong": wrong,
        "if_right": right,
        "between": variances.between,
        "within": variances.within,
    }


def _interval(
    values: Floats, level: float, method: Method, groups: Sequence[Any] | None, seed: int
) -> Interval:
    from nbchat import statistics

    if groups is not None or method == "bootstrap":
        return statistics.cluster_bootstrap(values, groups, level=level, seed=seed)
    interval = statistics.mean_interval(values, level)
    if method == "exact" and interval.method == "wilson":
        n_right = round(interval.estimate * interval.n)
        if abs(n_right - interval.estimate * interval.n) > 1e-9:  # no count, but shares of items
            return interval
        return statistics.proportion_interval(n_right, interval.n, level, "exact")
    return interval


def if_missing(part: pd.DataFrame, name: str) -> tuple[float, float]:
    """Give the mean over items if all that is missing were wrong, and if all were right.

    NaN where the scores that are there are not all 0 or 1, or where there are none.
    """
    known = part[name].dropna()
    if not len(known) or not known.isin((0, 1)).all():
        return float("nan"), float("nan")
    means = [
        part[name].astype(float).fillna(value).groupby(part["item"], sort=False).mean().mean()
        for value in (0.0, 1.0)
    ]
    return float(means[0]), float(means[1])


def _counts(part: pd.DataFrame, is_known: pd.Series[bool]) -> Mapping[str, int]:
    if "status" not in part:  # a frame of the user's: what has a score was answered
        return {"answered": int(is_known.sum())}
    counts = part["status"].value_counts().to_dict()
    return {status: int(counts.get(status, 0)) for status in STATUSES}


def _passes(part: pd.DataFrame, name: str, tries: Sequence[int], level: float) -> dict[str, float]:
    import numpy as np

    from nbchat import statistics

    if not tries:
        return {}
    values = array_of(part, name)
    known = values[~np.isnan(values)]
    if not np.isin(known, (0.0, 1.0)).all():
        raise CheckError(
            f"pass@k is of answers that are right or wrong (1 or 0), and {name} has other numbers.",
            field="k",
        )
    n, right = (~np.isnan(values)).sum(axis=1), np.nansum(values, axis=1).astype(int)
    columns: dict[str, float] = {}
    for k in tries:
        for sign, chance in (("@", statistics.pass_at_k), ("^", statistics.pass_hat_k)):
            interval = statistics.mean_interval(chance(n, right, k), level, of_shares=True)
            columns |= {f"pass{sign}{k}": interval.estimate}
            columns |= {f"pass{sign}{k}_lo": interval.lo, f"pass{sign}{k}_hi": interval.hi}
    return columns


def _checked_k(k: int | Sequence[int]) -> list[int]:
    tries: Any = [k] if is_whole_number(k) else k
    if not isinstance(tries, (list, tuple, range)) or not all(map(_is_count, tries)):
        rule = "must be a whole number, 1 or more, or a list of these"
        raise CheckError(f"k is {shown(k)}, but it {rule}.", field="k", value=k, rule=rule)
    return [int(each) for each in tries]


def _is_count(value: Any) -> bool:
    return is_whole_number(value) and value >= 1


def _check_method(method: str) -> None:
    if method not in _METHODS:
        rule = f"must be one of {', '.join(_METHODS)}"
        raise CheckError(
            f"interval is {shown(method)}, but it {rule}.",
            field="interval",
            value=method,
            rule=rule,
        )
