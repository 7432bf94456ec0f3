"""How often a model finds the better sentence of a pair likelier, in all and by group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from nbchat.measures import wilson

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

GOOD, BAD = "good_logprob", "bad_logprob"
ALL = "all"


def minimal_pair_accuracy(
    pairs: pd.DataFrame, by: str | Sequence[str] | None = None, level: float = 0.95
) -> pd.DataFrame:
    """Give one row for all pairs, and one for each group of each column of `by`.

    `pairs` has a row for each pair with `good_logprob` and `bad_logprob`, the sums of the log
    probabilities of the better and the worse sentence (nats); `by` are its columns to group by.
    Columns: `by` (string, "all" for all), `group` (string), `n_pairs`, `n_right` (the better one
    is likelier), `n_ties`, `n_unknown` (one of the two is NA) (all Int64), `accuracy` (float64,
    right ones of those that are no ties), `accuracy_lo`, `accuracy_hi` (its Wilson interval at
    `level`). Ties are neither right nor wrong. Raise ValueError where a column is missing.
    """
    columns = [by] if isinstance(by, str) else list(by or ())
    lacking = [name for name in (GOOD, BAD, *columns) if name not in pairs]
    if lacking:
        raise ValueError(f"the pairs have no column {', '.join(map(str, lacking))}")
    rows = [_row(ALL, ALL, pairs, level)]
    for column in columns:
        rows += _groups(column, pairs, level)
    counts = ("n_pairs", "n_right", "n_ties", "n_unknown")
    return pd.DataFrame(rows).astype(
        {"by": "string", "group": "string", **dict.fromkeys(counts, "Int64")}
    )


def _groups(column: str, pairs: pd.DataFrame, level: float) -> Iterator[dict[str, Any]]:
    for name, group in pairs.groupby(column, sort=False, dropna=False, observed=True):
        yield _row(column, str(name), group, level)


def _row(by: str, group: str, pairs: pd.DataFrame, level: float) -> dict[str, Any]:
    margin = (pairs[GOOD].astype("float64") - pairs[BAD].astype("float64")).dropna()
    n_right, n_ties = int((margin > 0).sum()), int((margin == 0).sum())
    n_judged = len(margin) - n_ties
    low, high = wilson(n_right, n_judged, level)
    return {
        "by": by,
        "group": group,
        "n_pairs": len(pairs),
        "n_right": n_right,
        "n_ties": n_ties,
        "n_unknown": len(pairs) - len(margin),
        "accuracy": n_right / n_judged if n_judged else float("nan"),
        "accuracy_lo": low,
        "accuracy_hi": high,
    }
