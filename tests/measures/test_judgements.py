import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat.measures import calibration


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
