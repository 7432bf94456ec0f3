"""The statistics beside scipy and statsmodels, which other hands wrote."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as their_mcnemar
from statsmodels.stats.inter_rater import cohens_kappa as their_kappa
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from nbchat import statistics
from nbchat.statistics.student_t import beta_quantile, regularised_beta, t_quantile, t_tail
from tests.fuzzing import examples

RNG = np.random.default_rng(5)


@pytest.mark.parametrize("df", [1, 2, 4.5, 30, 197, 5000])
@pytest.mark.parametrize("share", [0.0005, 0.025, 0.3, 0.5, 0.9, 0.975, 0.9999])
def test_quantiles_of_t_are_those_of_scipy(df: float, share: float) -> None:
    assert t_quantile(share, df) == pytest.approx(stats.t.ppf(share, df), rel=1e-9, abs=1e-9)
    assert t_tail(1.7, df) == pytest.approx(stats.t.sf(1.7, df), rel=1e-10)


@examples(60)
@given(st.floats(0.5, 400), st.floats(0.5, 400), st.floats(0.001, 0.999))
def test_the_beta_distribution_is_that_of_scipy(a: float, b: float, x: float) -> None:
    assert regularised_beta(a, b, x) == pytest.approx(stats.beta.cdf(x, a, b), rel=1e-8, abs=1e-12)
    assert beta_quantile(x, a, b) == pytest.approx(stats.beta.ppf(x, a, b), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(("successes", "n"), [(0, 7), (7, 7), (3, 11), (80, 100), (1, 1)])
def test_intervals_of_shares_are_those_of_statsmodels(successes: int, n: int) -> None:
    for ours, theirs in (("wilson", "wilson"), ("exact", "beta")):
        found = statistics.proportion_interval(successes, n, method=ours)
        expected = proportion_confint(successes, n, method=theirs)
        assert (found.lo, found.hi) == pytest.approx(expected, abs=1e-9)


def test_means_have_the_t_interval_of_scipy() -> None:
    values = RNG.normal(3, 2, 25)
    found = statistics.mean_interval(values)
    expected = stats.t.interval(0.95, 24, values.mean(), stats.sem(values))
    assert (found.lo, found.hi) == pytest.approx(expected)


def test_a_difference_of_items_that_are_alike_is_that_of_statsmodels() -> None:
    found = statistics.unpaired_difference(np.ones(12), np.zeros((9, 2)))
    expected = confint_proportions_2indep(12, 12, 0, 9, method="newcomb", compare="diff")
    assert (found.lo, found.hi) == pytest.approx(expected)
    assert found.hi == pytest.approx(1.0)
    assert found.method == "wilson"


def test_differences_are_those_of_scipy() -> None:
    a, b = RNG.normal(0, 1, 30), RNG.normal(0.4, 2, 30)
    for ours, theirs in (
        (statistics.paired_difference(a, b), stats.ttest_rel(a, b)),
        (statistics.unpaired_difference(a, b), stats.ttest_ind(a, b, equal_var=False)),
    ):
        expected = theirs.confidence_interval(0.95)
        assert (ours.lo, ours.hi) == pytest.approx((expected.low, expected.high))
    assert statistics.t_test(a, b).p == pytest.approx(stats.ttest_rel(a, b).pvalue)


@pytest.mark.parametrize("counts", [(3, 9), (0, 0), (0, 5), (12, 12), (1, 40)])
def test_mcnemar_is_that_of_statsmodels(counts: tuple[int, int]) -> None:
    only_a, only_b = counts
    a = [1] * only_a + [0] * only_b + [1, 0, 1]
    b = [0] * only_a + [1] * only_b + [1, 0, 1]
    found = statistics.mcnemar(a, b)
    table = [[2, only_a], [only_b, 1]]
    expected = their_mcnemar(table, exact=True).pvalue if only_a + only_b else 1.0
    assert found.p == pytest.approx(expected)
    assert found.n == only_a + only_b


def test_a_permutation_of_few_items_is_exact_as_scipys() -> None:
    a, b = RNG.normal(0, 1, 9), RNG.normal(0.8, 1, 9)
    expected = stats.permutation_test(
        (a, b),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
    ).pvalue
    assert statistics.permutation(a, b).p == pytest.approx(expected)


def test_a_permutation_of_many_items_is_near_and_the_same_each_time() -> None:
    a = RNG.normal(0, 1, 60)
    b = a - RNG.normal(0.25, 1, 60)
    found = statistics.permutation(a, b)
    assert found.p == pytest.approx(stats.ttest_rel(a, b).pvalue, abs=0.02)
    assert statistics.permutation(a, b) == found


@examples(40)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_that_of_statsmodels(p: list[float]) -> None:
    with patch("gc.collect"):  # which it calls each time: a second where there is much to look at
        expected = multipletests(p, method="holm")[1]
    assert statistics.holm(p) == pytest.approx(expected)


def test_holm_leaves_out_what_is_no_test() -> None:
    found = statistics.holm([0.01, np.nan, 0.04])
    assert found[[0, 2]] == pytest.approx([0.02, 0.04])
    assert np.isnan(found[1])


def test_kappa_is_that_of_statsmodels() -> None:
    a, b = RNG.integers(0, 3, 80), RNG.integers(0, 3, 80)
    table = np.zeros((3, 3))
    np.add.at(table, (a, b), 1)
    assert statistics.cohens_kappa(a, b) == pytest.approx(their_kappa(table).kappa)


def test_the_bootstrap_is_near_scipys() -> None:
    values = RNG.exponential(1, 120)
    found = statistics.cluster_bootstrap(values)
    theirs = stats.bootstrap((values,), np.mean, method="percentile", rng=3, n_resamples=5000)
    expected = theirs.confidence_interval
    assert (found.lo, found.hi) == pytest.approx((expected.low, expected.high), abs=0.02)
