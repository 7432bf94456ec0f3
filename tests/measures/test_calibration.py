import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat.measures import calibration, calibration_band


def test_a_small_case_by_hand():
    result = calibration([0.95, 0.95, 0.55, 0.25], [True, False, True, False])
    # bins (0.9, 1]: 0.5 against 0.95; (0.5, 0.6]: 1 against 0.55; (0.2, 0.3]: 0 against 0.25
    assert result.ece == pytest.approx((2 * 0.45 + 0.45 + 0.25) / 4)
    assert result.mce == pytest.approx(0.45)
    assert result.brier == pytest.approx((0.0025 + 0.9025 + 0.2025 + 0.0625) / 4)
    assert result.log_loss == pytest.approx(
        -(math.log(0.95) + math.log(0.05) + math.log(0.55) + math.log(0.75)) / 4
    )
    assert result.table["n"].tolist() == [0, 0, 1, 0, 0, 1, 0, 0, 0, 2]
    assert result.table["gap"][9] == pytest.approx(-0.45)
    assert math.isnan(result.table["accuracy"][0])


@pytest.mark.parametrize("tenth", range(11))
def test_a_border_belongs_to_the_bin_below(tenth):
    confidence = float(f"{tenth / 10:.1f}")
    table = calibration([confidence], [1]).table
    assert np.flatnonzero(table["n"]).tolist() == [max(0, tenth - 1)]


def test_several_classes():
    result = calibration([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3]], [0, 2])
    assert result.brier == pytest.approx((0.16 + 0.09 + 0.01 + 0.04 + 0.25 + 0.49) / 2)
    assert result.log_loss == pytest.approx(-(math.log(0.6) + math.log(0.3)) / 2)
    # the most likely class is right at 0.6 and wrong at 0.5
    assert result.ece == pytest.approx((0.4 + 0.5) / 2)


def test_certain_and_wrong_is_infinitely_bad():
    assert calibration([1.0], [0]).log_loss == math.inf
    assert calibration([1.0], [1]).log_loss == 0


def test_cases_with_a_nan_are_left_out():
    known = calibration([0.8, 0.3], [1, 0])
    padded = calibration([0.8, math.nan, 0.3, 0.5], [1, 1, 0, math.nan])
    assert padded[:4] == known[:4]
    assert padded.table["n"].sum() == 2


def test_nothing_known_is_nan():
    result = calibration([], [])
    assert all(math.isnan(value) for value in result[:4])
    assert result.table["n"].sum() == 0


@pytest.mark.parametrize(
    ("confidence", "correct", "bins", "word"),
    [
        ([1.2], [1], 10, "probability"),
        ([-0.1], [1], 10, "probability"),
        ([0.5, 0.5], [1], 10, "do not fit"),
        ([0.5], [1], 0, "bins"),
        ([[0.5, 0.5]], [2], 10, "classes"),
    ],
)
def test_wrong_input_is_an_error(confidence, correct, bins, word):
    with pytest.raises(ValueError, match=word):
        calibration(confidence, correct, bins)


cases = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1)


@given(cases, st.randoms(), st.integers(1, 20))
def test_errors_are_shares_and_need_no_order(pairs, random, bins):
    first = calibration(*zip(*pairs, strict=True), bins=bins)
    again = calibration(*zip(*random.sample(pairs, len(pairs)), strict=True), bins=bins)
    assert 0 <= first.ece <= first.mce + 1e-12 <= 1 + 2e-12
    assert first.table["n"].sum() == len(pairs)
    assert again[:3] == pytest.approx(first[:3])


def test_the_band_of_one_case_says_that_it_says_nothing():
    low, high = calibration_band([0.5])
    assert (low[4], high[4]) == (0, 1)
    assert np.isnan(low).sum() == np.isnan(high).sum() == 9


def test_the_band_narrows_with_the_number_of_cases():
    few, many = (calibration_band(np.full(n, 0.75)) for n in (20, 2000))
    for low, high in (few, many):
        assert low[7] < 0.75 < high[7]
    # binomial: 1.96 standard deviations of sqrt(0.75 · 0.25 / 2000) on each side
    assert many[1][7] - many[0][7] == pytest.approx(4 * 0.0097, rel=0.15)
    assert few[1][7] - few[0][7] > 5 * (many[1][7] - many[0][7])


def test_the_band_is_the_same_for_the_same_seed_and_needs_no_right_answers():
    stated = np.linspace(0.05, 0.95, 30)
    np.testing.assert_array_equal(calibration_band(stated), calibration_band([*stated, math.nan]))
    assert not np.array_equal(calibration_band(stated), calibration_band(stated, seed=1))
    assert np.isnan(calibration_band([])).all()
    with pytest.raises(ValueError, match="probability"):
        calibration_band([1.5])


def test_nineteen_of_twenty_calibrated_models_lie_in_the_band():
    rng = np.random.default_rng(1)
    stated = rng.uniform(size=400)
    low, high = calibration_band(stated, 5)
    inside = []
    for _ in range(200):
        accuracy = calibration(stated, rng.random(400) < stated, 5).table["accuracy"]
        inside += [(low <= accuracy) & (accuracy <= high)]
    assert 0.92 <= np.mean(inside) <= 0.985
