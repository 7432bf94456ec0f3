from __future__ import annotations

import itertools

import numpy as np
import pytest

from nbchat import statistics
from nbchat.statistics.intervals import as_table


@pytest.mark.parametrize(("n", "c", "k"), [(5, 2, 1), (5, 2, 3), (6, 6, 4), (6, 0, 2), (4, 1, 4)])
def test_pass_at_k_and_pass_hat_k_are_shares_of_all_draws(n: int, c: int, k: int) -> None:
    tries = [1] * c + [0] * (n - c)
    draws = list(itertools.combinations(tries, k))
    assert statistics.pass_at_k([n], [c], k)[0] == pytest.approx(np.mean([any(d) for d in draws]))
    assert statistics.pass_hat_k([n], [c], k)[0] == pytest.approx(np.mean([all(d) for d in draws]))


def test_too_few_tries_for_k_are_missing() -> None:
    assert np.isnan(statistics.pass_at_k([2, 5], [1, 1], 3)).tolist() == [True, False]
    with pytest.raises(ValueError, match="more right tries than tries"):
        statistics.pass_at_k([2], [3], 1)
    with pytest.raises(ValueError, match="k must be 1 or more"):
        statistics.pass_hat_k([2], [1], 0)


def test_variance_components_are_without_bias() -> None:
    rng = np.random.default_rng(6)
    items = rng.normal(0, 2, (4_000, 1))
    scores = items + rng.normal(0, 3, (4_000, 4))
    scores[rng.random(scores.shape) < 0.3] = np.nan
    found = statistics.variance_components(scores)
    assert found.between == pytest.approx(4, rel=0.1)
    assert found.within == pytest.approx(9, rel=0.05)
    assert found.reliability == pytest.approx(4 / 13, rel=0.1)


def test_without_repeats_nothing_is_known_of_the_variance_within() -> None:
    found = statistics.variance_components([1.0, 2.0, 4.0])
    assert np.isnan(found.within)
    assert found.between == pytest.approx(np.var([1, 2, 4], ddof=1))


def test_agreement_is_the_share_of_equal_pairs() -> None:
    found = statistics.agreement([["a", "a", "b"], ["a", None, None], [1, 1, 1]])
    assert found[[0, 2]].tolist() == pytest.approx([1 / 3, 1])
    assert np.isnan(found[1])


def test_missing_scores_are_left_out_and_bounded() -> None:
    scores = [[1, np.nan], [0, 1], [np.nan, np.nan]]
    assert statistics.item_means(scores)[:2].tolist() == [1.0, 0.5]
    assert statistics.mean_interval(scores).n == 2
    assert statistics.missing_bounds(scores) == pytest.approx((1 / 3, 5 / 6))


@pytest.mark.parametrize("scores", [[], [[np.nan]], [0.5], [[0.5, 0.7]]])
def test_without_two_items_there_is_no_interval(scores: list[float]) -> None:
    found = statistics.mean_interval(scores)
    assert found.method == "none"
    assert np.isnan([found.lo, found.hi]).all()


def test_items_that_do_not_fit_are_refused() -> None:
    for compare in (statistics.paired_difference, statistics.permutation, statistics.t_test):
        with pytest.raises(ValueError, match="2 and 1 items do not fit"):
            compare([1, 2], [1])
    with pytest.raises(ValueError, match="3 dimensions"):
        as_table(np.zeros((2, 2, 2)))
    with pytest.raises(ValueError, match="0 or 1"):
        statistics.mcnemar([0.5], [1])
    with pytest.raises(ValueError, match="level must be between 0 and 1"):
        statistics.mean_interval([1, 2], level=1.0)


@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("groups", [None, [*"aabbccddeeff"]])
def test_items_that_never_differ_are_no_certainty_that_they_do_not(
    value: float, groups: list[str] | None
) -> None:
    found = statistics.paired_difference(np.full(12, value), np.zeros(12), groups=groups)
    n = 12 if groups is None else 6
    reach = statistics.proportion_interval(0, n).hi
    assert found.n == n
    assert found[:3] == pytest.approx((value, value - reach, min(1.0, value + reach)))


def test_groups_widen_a_difference_as_their_bootstrap_does() -> None:
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(20), 5)
    a = rng.normal(0, 1, 100) + np.repeat(rng.normal(0, 1, 20), 5)
    by_groups = statistics.paired_difference(a, np.zeros(100), groups=groups)
    assert by_groups == statistics.cluster_bootstrap(a, groups)
    plain = statistics.paired_difference(a, np.zeros(100))
    assert by_groups.hi - by_groups.lo > 1.4 * (plain.hi - plain.lo)
