"""Published data: GPQA Diamond, 198 items by 5 repeats, two models."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from nbchat import statistics

FILE = Path(__file__).parents[1] / "data" / "gpqa_diamond_counts.csv"


@pytest.fixture(scope="module")
def scores() -> tuple[np.ndarray, np.ndarray]:
    """The scores of both models, 198 items by 5 repeats."""
    lines = [line for line in FILE.read_text().splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(lines))
    assert len(rows) == 198
    return tuple(
        np.array([[1.0] * int(row[name]) + [0.0] * (5 - int(row[name])) for row in rows])
        for name in ("gpt_5_nano", "gpt_5_4_mini")
    )  # type: ignore[return-value]


def in_percent(interval: statistics.Interval) -> list[float]:
    return [round(100 * value, 1) for value in interval[:3]]


def test_the_paired_difference_is_the_published_one(scores):
    assert in_percent(statistics.paired_difference(*scores)) == [5.9, 0.4, 11.3]


def test_the_unpaired_difference_is_the_published_one(scores):
    assert in_percent(statistics.unpaired_difference(*scores)) == [5.9, -2.1, 13.8]


def test_pooled_repeats_would_be_too_sure(scores):
    first = scores[0]
    over_items = statistics.mean_interval(first)
    pooled = statistics.proportion_interval(int(first.sum()), first.size)
    assert over_items.method == "t"
    assert over_items.hi - over_items.lo > 1.7 * (pooled.hi - pooled.lo)


def test_tests_of_the_difference_say_the_same(scores):
    by_t, by_swaps = statistics.t_test(*scores), statistics.permutation(*scores)
    assert by_t.p == pytest.approx(0.0363, abs=2e-4)
    assert by_swaps.p == pytest.approx(by_t.p, abs=0.01)
