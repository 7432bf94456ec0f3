"""Against scipy and scikit-learn, and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import binomtest
from sklearn.metrics import log_loss, roc_auc_score

from nbchat.measures import (
    at_temperature,
    auroc,
    calibration,
    calibration_interval,
    fit_temperature,
    wilson,
)

CASES = st.lists(
    st.tuples(st.sampled_from([0.1, 0.2, 0.5, 0.7, 0.9]), st.booleans()), min_size=2, max_size=40
)


def simulated(n: int, *, sharpness: float = 1.0, seed: int = 0):
    rng = np.random.default_rng(seed)
    p = rng.uniform(0.05, 0.95, n)
    right = rng.random(n) < p
    odds = (p / (1 - p)) ** sharpness
    return odds / (1 + odds), right


class TestWilson:
    @pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
    @pytest.mark.parametrize(("k", "n"), [(0, 1), (0, 10), (3, 10), (10, 10), (517, 1000)])
    def test_it_is_that_of_scipy(self, k, n, level):
        expected = binomtest(k, n).proportion_ci(level, method="wilson")
        assert wilson(k, n, level) == pytest.approx((expected.low, expected.high), abs=1e-12)

    def test_of_nothing_nothing_is_known(self):
        assert wilson(0, 0) == (0, 1)

    @pytest.mark.parametrize(("k", "n"), [(-1, 3), (4, 3)])
    def test_more_than_there_are_is_an_error(self, k, n):
        with pytest.raises(ValueError, match="from 0 to the 3 cases"):
            wilson(k, n)

    @pytest.mark.parametrize("level", [0, 1, 95, math.nan])
    def test_a_level_is_a_share(self, level):
        with pytest.raises(ValueError, match="level must be between 0 and 1"):
            wilson(1, 2, level)


class TestAuroc:
    def test_by_hand(self):
        # right: .9 .5; wrong: .5 .1; pairs: win, win, half, win
        assert auroc([0.9, 0.5, 0.5, 0.1], [1, 1, 0, 0]) == 3.5 / 4

    @given(CASES)
    def test_it_is_that_of_scikit_learn(self, cases):
        p, right = map(np.array, zip(*cases, strict=True))
        if len(set(right.tolist())) == 1:
            assert math.isnan(auroc(p, right))
        else:
            assert auroc(p, right) == pytest.approx(roc_auc_score(right, p))
            assert auroc(np.append(p, np.nan), np.append(right, True)) == auroc(p, right)

    def test_shapes_have_to_fit(self):
        with pytest.raises(ValueError, match="do not fit"):
            auroc([0.1, 0.2], [1])


class TestIntervals:
    def test_they_hold_the_figures_and_the_truth_of_a_calibrated_model(self):
        p, right = simulated(2000)
        found = calibration_interval(p, right, resamples=200)
        own = calibration(p, right)
        assert found.brier[0] < own.brier < found.brier[1]
        assert found.accuracy[0] < right.mean() < found.accuracy[1]
        assert found.auroc[0] < auroc(p, right) < found.auroc[1]
        assert found.ece[0] < found.ece[1]
        # near the textbook's: the share of a binomial
        half = 1.96 * math.sqrt(right.mean() * (1 - right.mean()) / len(right))
        assert np.diff(found.accuracy)[0] / 2 == pytest.approx(half, rel=0.15)

    def test_repeats_of_an_item_are_no_new_items(self):
        p, right = simulated(100, seed=1)
        once = calibration_interval(p, right, resamples=300)
        five = [np.repeat(x, 5) for x in (p, right, np.arange(100))]
        together = calibration_interval(five[0], five[1], items=five[2], resamples=300)
        apart = calibration_interval(five[0], five[1], resamples=300)
        np.testing.assert_allclose(together, once)
        assert np.diff(apart.accuracy) < 0.6 * np.diff(together.accuracy)

    @pytest.mark.long
    def test_the_seed_decides(self):
        p, right = simulated(50)
        assert calibration_interval(p, right, seed=3) == calibration_interval(p, right, seed=3)
        assert calibration_interval(p, right, seed=3) != calibration_interval(p, right, seed=4)

    def test_a_wider_level_is_a_wider_interval(self):
        p, right = simulated(80)
        low, high = (calibration_interval(p, right, level=x, resamples=200) for x in (0.5, 0.99))
        assert all(np.diff(a) < np.diff(b) for a, b in zip(low, high, strict=True))

    def test_what_cannot_be_is_nan_or_an_error(self):
        assert np.isnan(calibration_interval([], []).ece).all()
        assert np.isnan(calibration_interval([0.5, 0.7], [1, 1]).auroc).all()
        assert calibration_interval([0.5, math.nan], [1, 1]).accuracy == (1, 1)
        for bad in ({"level": 95}, {"resamples": 0}, {"items": [1]}, {"bins": 0}):
            with pytest.raises(ValueError, match=f"{next(iter(bad))}"):
                calibration_interval([0.5, 0.7], [1, 0], **bad)


class TestTemperature:
    @pytest.mark.parametrize("sharpness", [0.4, 1.0, 2.5])
    def test_it_is_the_least_log_loss_that_scipy_finds(self, sharpness):
        p, right = simulated(400, sharpness=sharpness)
        found = fit_temperature(p, right)

        def loss(log_t):
            odds = (p / (1 - p)) ** math.exp(-log_t)
            return log_loss(right, odds / (1 + odds))

        expected = minimize_scalar(loss, bounds=(-3, 3), method="bounded", options={"xatol": 1e-9})
        assert found.temperature == pytest.approx(math.exp(expected.x), rel=1e-4)
        assert found.log_loss_after == pytest.approx(expected.fun)
        assert found.log_loss_before == pytest.approx(loss(0))
        assert found.temperature == pytest.approx(sharpness, rel=0.25)
        after = calibration(at_temperature(p, found.temperature), right)
        assert after.log_loss == pytest.approx(found.log_loss_after)

    def test_of_several_classes(self):
        rng = np.random.default_rng(5)
        true = rng.dirichlet([1, 1, 1, 1], 500)
        classes = [int(rng.choice(4, p=row)) for row in true]
        sharp = true**3 / (true**3).sum(axis=1, keepdims=True)
        found = fit_temperature(sharp, classes)
        assert found.temperature == pytest.approx(3, rel=0.2)
        scaled = at_temperature(sharp, found.temperature)
        np.testing.assert_allclose(scaled.sum(axis=1), 1)
        assert log_loss(classes, scaled) == pytest.approx(found.log_loss_after)
        assert log_loss(classes, sharp) == pytest.approx(found.log_loss_before)

    def test_two_classes_are_right_and_wrong(self):
        p, right = simulated(60)
        table = np.stack([1 - p, p], axis=1)
        assert fit_temperature(table, right.astype(int)) == pytest.approx(fit_temperature(p, right))

    def test_answers_that_are_all_right_make_it_ever_surer(self):
        assert fit_temperature([0.6, 0.7], [1, 1]).temperature == pytest.approx(0.01)
        assert fit_temperature([0.6, 0.7], [0, 0]).temperature == pytest.approx(100)

    def test_what_had_probability_0_is_not_mended(self):
        found = fit_temperature([0.0, 0.5], [1, 0])
        assert math.isnan(found.temperature)
        assert found.log_loss_before == math.inf
        assert math.isnan(fit_temperature([], []).temperature)
        # a class without probability that was not right does no harm
        assert math.isfinite(fit_temperature([[0.0, 0.4, 0.6]], [1]).log_loss_after)
        with pytest.raises(ValueError, match="above 0"):
            at_temperature([0.5], 0)
