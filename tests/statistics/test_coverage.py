"""How often intervals hold the truth: simulated studies, whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from nbchat import statistics
from nbchat.statistics.student_t import t_quantile

N_STUDIES = 4_000
NOMINAL = (0.93, 0.97)


def studies(n_items: int, repeats: int, a: float, b: float, seed: int = 3) -> np.ndarray:
    """Right or wrong answers (study, item, repeat); an item's share comes of Beta(a, b)."""
    rng = np.random.default_rng(seed)
    shares = rng.beta(a, b, (N_STUDIES, n_items, 1))
    return (rng.random((N_STUDIES, n_items, repeats)) < shares).astype(float)


def coverage(intervals: list[statistics.Interval], truth: float) -> float:
    return float(np.mean([found.lo <= truth <= found.hi for found in intervals]))


@pytest.mark.long
@pytest.mark.parametrize(
    ("n_items", "repeats", "a", "b"),
    [
        (30, 5, 1.0, 1.0),
        (60, 5, 2.0, 1.0),
        (120, 3, 0.4, 0.3),
        (40, 1, 1.0, 1.0),
        (200, 10, 0.5, 1),
    ],
)
def test_means_over_items_are_covered_as_promised(
    n_items: int, repeats: int, a: float, b: float
) -> None:
    found = [statistics.mean_interval(scores) for scores in studies(n_items, repeats, a, b)]
    assert NOMINAL[0] <= coverage(found, a / (a + b)) <= NOMINAL[1]


def test_pooled_repeats_are_covered_far_less() -> None:
    found = [
        statistics.proportion_interval(int(scores.sum()), scores.size)
        for scores in studies(60, 5, 0.2, 0.2)
    ]
    assert coverage(found, 0.5) < 0.7


@pytest.mark.long
def test_paired_differences_are_covered_as_promised() -> None:
    rng = np.random.default_rng(8)
    shares = rng.beta(1, 1, (N_STUDIES, 50, 1))
    better = shares**0.8
    a = (rng.random((N_STUDIES, 50, 4)) < better).astype(float)
    b = (rng.random((N_STUDIES, 50, 4)) < shares).astype(float)
    truth = 1 / 1.8 - 1 / 2
    found = [statistics.paired_difference(x, y) for x, y in zip(a, b, strict=True)]
    assert NOMINAL[0] <= coverage(found, truth) <= NOMINAL[1]


@pytest.mark.long
def test_the_bootstrap_of_groups_covers_as_promised_and_of_items_too_little() -> None:
    rng = np.random.default_rng(4)
    n, n_groups, size = 800, 30, 6
    of_groups = rng.normal(0, 1, (n, n_groups, 1))
    scores = (of_groups + rng.normal(0, 1, (n, n_groups, size))).reshape(n, -1)
    groups = np.repeat(np.arange(n_groups), size)
    found = [statistics.cluster_bootstrap(each, groups, n_draws=800) for each in scores]
    assert NOMINAL[0] - 0.005 <= coverage(found, 0.0) <= NOMINAL[1] + 0.005
    as_items = [statistics.mean_interval(each) for each in scores]
    assert coverage(as_items, 0.0) < 0.8


@pytest.mark.parametrize("share", [0.02, 0.5, 0.9, 0.99])
def test_the_exact_interval_never_covers_less_than_it_says(share: float) -> None:
    counts = np.random.default_rng(1).binomial(40, share, N_STUDIES)
    intervals = {
        int(c): statistics.proportion_interval(int(c), 40, method="exact") for c in set(counts)
    }
    assert coverage([intervals[int(count)] for count in counts], share) >= 0.94


@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("shape", [(12, 1), (12, 5)])
def test_all_right_or_all_wrong_is_no_certainty(value: float, shape: tuple[int, int]) -> None:
    scores = np.full(shape, value)
    for found in (statistics.mean_interval(scores), statistics.cluster_bootstrap(scores)):
        assert found.estimate == value
        assert found.method == "wilson"
        assert found.hi - found.lo == pytest.approx(0.2425, abs=1e-3)


def test_items_that_are_alike_are_no_certainty_either() -> None:
    scores = np.tile([1.0, 1.0, 0.0], (12, 1))
    for found in (statistics.mean_interval(scores), statistics.cluster_bootstrap(scores)):
        assert found.estimate == pytest.approx(2 / 3)
        assert found.method == "wilson"
        assert (found.lo, found.hi) == pytest.approx(proportion_confint(8, 12, method="wilson"))
    alone = statistics.mean_interval([[1.0, 1.0, 0.0, 1.0]])
    assert (alone.lo, alone.hi) == pytest.approx(proportion_confint(0.75, 1, method="wilson"))
    measured = statistics.mean_interval(np.full((12, 3), 0.25))  # which no chance has drawn
    assert (measured.lo, measured.hi, measured.method) == (0.25, 0.25, "t")


def test_repeats_that_agree_are_as_single_answers() -> None:
    single, repeated = np.array([1.0, 0.0, 0.0]), np.tile([[1.0], [0.0], [0.0]], (1, 4))
    found = statistics.mean_interval(repeated)
    assert found == statistics.mean_interval(single)
    assert (found.lo, found.hi) == pytest.approx(proportion_confint(1, 3, method="wilson"))


def test_shares_of_items_have_an_interval_within_0_and_1() -> None:
    found = statistics.mean_interval([0.0, 0.0, 0.6], of_shares=True)
    assert (found.lo, found.method) == (0.0, "t")
    assert statistics.mean_interval([0.0, 0.0, 0.6]).lo < 0
    assert statistics.mean_interval([0.5, 0.5, 0.5], of_shares=True).method == "wilson"


def test_the_smallest_difference_is_found_with_its_power() -> None:
    within, of_differences, n_items, repeats = 0.15, 0.02, 80, 4
    least = statistics.detectable_difference(
        n_items, repeats, of_differences=of_differences, within=within
    )
    rng = np.random.default_rng(2)
    sd = np.sqrt(of_differences + 2 * within / repeats)
    differences = rng.normal(least.difference, sd, (N_STUDIES, n_items))
    mean, error = differences.mean(axis=1), differences.std(axis=1, ddof=1) / np.sqrt(n_items)
    power = float(np.mean(np.abs(mean / error) > t_quantile(0.975, n_items - 1)))
    assert power == pytest.approx(0.8, abs=0.03)
    assert least.difference > least.twice_repeats > least.twice_items
