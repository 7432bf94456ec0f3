"""Differences of pairs in sentences: the first of them, and how many are left out."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

from nbchat.plots.axes import counted
from nbchat.plots.axis_values import value_name
from nbchat.plots.glyphs import shortened

if TYPE_CHECKING:
    import pandas as pd

#: pairs that are told of, and characters of a value in a sentence
_MOST_PAIRS, _LONGEST_NAME = 20, 60


def sentences_of(frame: pd.DataFrame, by: Sequence[str]) -> list[str]:
    """Say of the first pairs of a frame of differences how they differ, and how many are left."""
    sentences = [
        _sentence(row, ", ".join(f"{name} {_name(row[name])}" for name in by))
        for row in frame.head(_MOST_PAIRS).to_dict("records")
    ]
    if left := len(frame) - len(sentences):
        sentences.append(f"… {counted(left, 'pair')} more: frame() has all")
    return sentences


def _sentence(row: dict[Hashable, Any], point: str) -> str:
    at = f" at {point}" if point else ""
    a, b = _name(row["a"]), _name(row["b"])
    names = f"{row['score']}, {a} - {b}{at}"
    if not row["n_items"]:
        return f"{names}: no item has a score at both"
    verdict = {
        "a": f"{a} is higher",
        "b": f"{b} is higher",
        "tied": f"tied within {row['margin']:g}" if row["verdict"] == "tied" else "",
        "open": "not told apart",
    }[row["verdict"]]
    missing = counted(int(row["missing"]), "row")
    lacking = f", {missing} without a score left out" if row["missing"] else ""
    return (
        f"{names}: {row['difference']:+.3g} [{row['lo']:.3g}, {row['hi']:.3g}], "
        f"p {row['p_holm']:.3g} (Holm): {verdict}; flips +{row['a_higher']:,} "
        f"-{row['b_higher']:,} of {row['n_items']:,}{lacking}"
    )


def _name(value: Any) -> str:
    return shortened(value_name(value), _LONGEST_NAME)
