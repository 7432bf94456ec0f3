"""Comparisons along an axis, paired by item: differences, tests, and which items they rest on."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import msgspec

from nbchat.errors import CheckError
from nbchat.plots.axis_values import value_name
from nbchat.sweep.difference_words import sentences_of
from nbchat.sweep.score_columns import (
    as_names,
    axes_of,
    checked_columns,
    checked_frame,
    checked_level,
    checked_scores,
)
from nbchat.sweep.tables import array_of, if_missing, parts_of

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from nbchat.statistics import Test

    Floats = NDArray[Any]


#: rows of the frame that HTML has
_MOST_ROWS = 60


class _Pair(msgspec.Struct, frozen=True):
    """Two values of the axis at one point of the rest: their rows, and their scores by item."""

    point: dict[Hashable, Any]
    score: str
    a: Any
    b: Any
    rows_a: Any
    rows_b: Any
    items: list[Any]
    scores_a: Any
    scores_b: Any


class Differences:
    """Differences between the values of an axis: `frame()`, and by item, `flips()`."""

    def __init__(self, axis: str, by: Sequence[str], frame: pd.DataFrame, pairs: list[_Pair]):
        #: the sweep that was compared; None of a frame of scores, which has no answers behind it
        self.sweep: Any = None
        self.axis = axis
        self.by = list(by)
        self._frame = frame
        self._pairs = pairs

    @property
    def scores(self) -> list[str]:
        """The scores that were compared."""
        return list(dict.fromkeys(self._frame["score"]))

    def frame(self) -> pd.DataFrame:
        """Give a row for each pair; `nbchat.sweep.compare` says what the columns are."""
        return self._frame.copy()

    def flips(self, a: Any = None, b: Any = None) -> pd.DataFrame:
        """Give a row for each item that differs between two values, the largest difference first.

        `a` and `b` choose a pair, all pairs if not given. ``a_score`` and ``b_score`` are the
        item's means, ``higher`` is the value that has the higher one; ``a_rows``, ``b_rows`` and
        ``a_runs``, ``b_runs`` are lists of the ids of its rows and runs:
        ``nbchat.inspect(run_id)`` shows one. Raise CheckError where there is no such pair.
        """
        import pandas as pd

        wanted = [value for value in (a, b) if value is not None]
        pairs = [one for one in self._pairs if all(each in (one.a, one.b) for each in wanted)]
        if not pairs:
            there = ", ".join(
                dict.fromkeys(value_name(at) for one in self._pairs for at in (one.a, one.b))
            )
            names = " and ".join(map(value_name, wanted))
            raise CheckError(
                f"There is no pair of {names}: {self.axis} has {there}.",
                field=self.axis,
                value=wanted,
            )
        rows = [row for pair in pairs for row in _flips_of(pair)]
        columns = [*self.by, *_FLIP_COLUMNS]
        return pd.DataFrame(rows, columns=columns)

    def __repr__(self) -> str:
        sentences = self._sentences()
        start = " " if len(sentences) == 1 else "\n  "
        return f"<Differences along {self.axis}:{start}" + ";\n  ".join(sentences) + ">"

    def _repr_html_(self) -> str:
        from html import escape

        lines = "<br>".join(map(escape, self._sentences()))
        named = {
            name: [value_name(value) for value in self._frame[name]]
            for name in (*self.by, "a", "b")
        }
        table = self._frame.assign(**named).to_html(
            index=False,
            na_rep="",
            max_rows=_MOST_ROWS,
            show_dimensions=len(self._frame) > _MOST_ROWS,
        )
        return f"<div><p>{lines}</p>{table}</div>"

    def _sentences(self) -> list[str]:
        return sentences_of(self._frame, self.by)


_FLIP_COLUMNS = (
    "score",
    "a",
    "b",
    "item",
    "a_score",
    "b_score",
    "higher",
    "a_rows",
    "b_rows",
    "a_runs",
    "b_runs",
)


def compare(
    scores: pd.DataFrame,
    axis: str,
    score: str | Sequence[str] | None = None,
    *,
    by: str | Sequence[str] = (),
    margin: float | None = None,
    level: float = 0.95,
    groups: str | None = None,
    seed: int = 0,
) -> Differences:
    """Compare the values of an axis with one another, paired by item.

    `scores` is what `sweep.scores()` gives, or a frame like it. Each pair of values of `axis` is
    compared on the items, and points of the other axes, that both have a score of; with `by` at
    each value of these columns apart. The frame has a row for each pair, with

    - ``difference``, ``lo``, ``hi``, ``method``: the mean over items of a - b, each item's mean
      first, and its interval at `level` (`nbchat.statistics.paired_difference`); with `groups`, a
      column of what belongs together, by a bootstrap of whole groups
    - ``p``, ``test``: exact McNemar where each item has one answer that is right or wrong (0 or 1),
      else a paired permutation of items, or of `groups`, the same for the same `seed`
      (`nbchat.statistics.mcnemar`, `permutation`); ``p_holm``: for all pairs of this score
      together (Holm)
    - ``a_higher``, ``b_higher``: flips, items whose mean is higher at a, and at b;
      ``n_items``: items, or groups, that were compared
    - ``verdict``: "a", "b": that one is higher, by `p_holm` at 1 - `level`; "tied": the interval
      lies within ± `margin`; else "open", which is not the same as tied
    - ``missing``: rows of both without a score; ``if_least``, ``if_most``: the difference if they
      were all as bad for a as can be, and as good, where scores are right or wrong

    `Differences.flips` gives the items, with the ids of their rows and runs. Raise CheckError
    for an axis with fewer than two values, and for a column or score that is not there.
    """
    import pandas as pd

    from nbchat import statistics

    frame = checked_frame(scores)
    names = as_names(by)
    checked_columns(frame, "axis", [axis])
    checked_columns(frame, "by", names)
    checked_columns(frame, "groups", [groups] if groups is not None else [])
    checked_level(level)
    _check_margin(margin)
    if frame[axis].nunique(dropna=False) < 2:
        raise CheckError(
            f"axis: {axis} has one value, and there is nothing to compare it with.",
            field="axis",
            value=axis,
        )
    rest = [name for name in axes_of(frame) if name not in (axis, *names)]
    rows, pairs = [], []
    for name in checked_scores(frame, score):
        made = [
            pair
            for point, part in parts_of(frame, names)
            for pair in _pairs_of(part, axis, name, rest, point)
        ]
        facts = [_facts(pair, level, groups, seed) for pair in made]
        holm = statistics.holm([fact["p"] for fact in facts])
        for fact, together in zip(facts, holm, strict=True):
            fact["p_holm"] = float(together)
            fact["margin"] = margin
            fact["verdict"] = _verdict(fact, margin, level)
        rows += [
            {**pair.point, "score": name, "a": pair.a, "b": pair.b, **fact}
            for pair, fact in zip(made, facts, strict=True)
        ]
        pairs += made
    return Differences(axis, names, pd.DataFrame(rows), pairs)


def _pairs_of(
    part: pd.DataFrame, axis: str, name: str, rest: Sequence[str], point: dict[Hashable, Any]
) -> Iterator[_Pair]:
    for (at_a, rows_a), (at_b, rows_b) in combinations(parts_of(part, [axis]), 2):
        items, scores_a, scores_b = _paired(rows_a, rows_b, name, rest)
        yield _Pair(
            point,
            name,
            at_a[axis],
            at_b[axis],
            rows_a,
            rows_b,
            items,
            scores_a,
            scores_b,
        )


def _paired(
    rows_a: pd.DataFrame, rows_b: pd.DataFrame, name: str, rest: Sequence[str]
) -> tuple[list[Any], Floats, Floats]:
    """Give the items that both have a score of at the same points of the rest, and the scores."""
    keys = ["item", *rest]
    both = _known_keys(rows_a, name, keys) & _known_keys(rows_b, name, keys)
    shared_a, shared_b = (_of_keys(rows, keys, both) for rows in (rows_a, rows_b))
    items = list(dict.fromkeys(shared_a["item"]))
    return items, array_of(shared_a, name, items), array_of(shared_b, name, items)


def flipped(
    rows_a: pd.DataFrame, rows_b: pd.DataFrame, score: str, rest: Sequence[str] = ()
) -> dict[Any, tuple[float, float]]:
    """Give item -> its means in two frames of rows, of those that differ, as `flips` has them.

    `rest` are the axes by which rows are paired beside the item. The largest difference is first.
    """
    import numpy as np

    from nbchat import statistics

    items, scores_a, scores_b = _paired(rows_a, rows_b, score, rest)
    means_a, means_b = (statistics.item_means(each) for each in (scores_a, scores_b))
    order = np.argsort(-np.abs(means_a - means_b), kind="stable")
    return {
        items[at]: (float(means_a[at]), float(means_b[at]))
        for at in order
        if means_a[at] != means_b[at]
    }


def _known_keys(rows: pd.DataFrame, name: str, keys: list[str]) -> set[tuple[Any, ...]]:
    """Give the items, with their points of the other axes, that have a score."""
    known = rows[rows[name].notna()]
    return set(_keys(known, keys))


def _of_keys(rows: pd.DataFrame, keys: list[str], wanted: set[tuple[Any, ...]]) -> pd.DataFrame:
    return rows[[key in wanted for key in _keys(rows, keys)]]


def _keys(rows: pd.DataFrame, names: list[str]) -> Iterator[tuple[Any, ...]]:
    """Give these columns of each row, with None where a value is not set: no NaN is another one."""
    cells = rows[names].astype(object)
    return cells.where(cells.notna(), None).itertuples(index=False, name=None)


def _facts(pair: _Pair, level: float, groups: str | None, seed: int) -> dict[str, Any]:
    from nbchat import statistics

    labels = _groups_of(pair, groups)
    a, b = pair.scores_a, pair.scores_b
    difference = statistics.paired_difference(a, b, level, groups=labels, seed=seed)
    test = _test(a, b, labels, seed)
    means_a, means_b = statistics.item_means(a), statistics.item_means(b)
    least, most = _if_missing(pair)
    return {
        "difference": difference.estimate,
        "lo": difference.lo,
        "hi": difference.hi,
        "method": difference.method,
        "n_items": difference.n,
        "p": test.p,
        "p_holm": float("nan"),
        "test": test.name,
        "a_mean": _mean(means_a),
        "b_mean": _mean(means_b),
        "a_higher": int((means_a > means_b).sum()),
        "b_higher": int((means_a < means_b).sum()),
        "missing": sum(int(rows[pair.score].isna().sum()) for rows in (pair.rows_a, pair.rows_b)),
        "if_least": least,
        "if_most": most,
    }


def _test(a: Floats, b: Floats, groups: Sequence[Any] | None, seed: int) -> Test:
    import numpy as np

    from nbchat import statistics

    if not len(a):
        return statistics.Test(float("nan"), "none", 0)
    if groups is not None:  # what belongs together is swapped together
        by_item = statistics.item_means(a) - statistics.item_means(b)
        places = np.unique([str(label) for label in groups], return_inverse=True)[1]
        sums = np.bincount(places, weights=by_item)
        return statistics.permutation(sums, np.zeros(len(sums)), seed=seed)
    is_single = a.shape[1] == b.shape[1] == 1
    if is_single and np.isin(a, (0.0, 1.0)).all() and np.isin(b, (0.0, 1.0)).all():
        return statistics.mcnemar(a[:, 0], b[:, 0])
    return statistics.permutation(a, b, seed=seed)


def _groups_of(pair: _Pair, groups: str | None) -> list[Any] | None:
    if groups is None:
        return None
    by_item = pair.rows_a.groupby("item", sort=False)[groups].first()
    return [by_item[item] for item in pair.items]


def _if_missing(pair: _Pair) -> tuple[float, float]:
    """Give the difference if all that is missing were wrong for a and right for b, and reversed."""
    wrong_a, right_a = if_missing(pair.rows_a, pair.score)
    wrong_b, right_b = if_missing(pair.rows_b, pair.score)
    return wrong_a - right_b, right_a - wrong_b


def _verdict(fact: dict[str, Any], margin: float | None, level: float) -> str:
    if margin is not None and fact["lo"] >= -margin and fact["hi"] <= margin:
        return "tied"
    if fact["p_holm"] <= 1 - level:
        return "a" if fact["difference"] > 0 else "b"
    return "open"


def _flips_of(pair: _Pair) -> list[dict[Hashable, Any]]:
    import numpy as np

    from nbchat import statistics

    means_a, means_b = (statistics.item_means(each) for each in (pair.scores_a, pair.scores_b))
    order = np.argsort(-np.abs(means_a - means_b), kind="stable")
    ids = {
        f"{side}_{plural}": _ids(rows, column)
        for side, rows in (("a", pair.rows_a), ("b", pair.rows_b))
        for plural, column in (("rows", "row_id"), ("runs", "run_id"))
    }
    return [
        {
            **pair.point,
            "score": pair.score,
            "a": pair.a,
            "b": pair.b,
            "item": pair.items[at],
            "a_score": float(means_a[at]),
            "b_score": float(means_b[at]),
            "higher": pair.a if means_a[at] > means_b[at] else pair.b,
            **{name: by_item.get(pair.items[at], []) for name, by_item in ids.items()},
        }
        for at in order
        if means_a[at] != means_b[at]
    ]


def _ids(rows: pd.DataFrame, column: str) -> dict[Any, list[str]]:
    if column not in rows:
        return {}
    return {
        item: [one for one in ids if isinstance(one, str)]
        for item, ids in rows.groupby("item", sort=False)[column]
    }


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _check_margin(margin: float | None) -> None:
    if margin is not None and not margin > 0:
        rule = "must be a number above 0, in the score's unit"
        raise CheckError(
            f"margin is {margin}, but it {rule}.", field="margin", value=margin, rule=rule
        )
