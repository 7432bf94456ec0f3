import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat.measures import entropy_top, log_margin, margin, rank, top_k_arrays, top_mass

SENTINELS = [-9999.0, -3.4028234663852886e38, -math.inf, math.nan]
HALF = np.log([0.5, 0.25, 0.125])
lists = st.lists(st.floats(-20, 0), max_size=8)


def test_by_hand():
    assert top_mass(HALF) == pytest.approx(0.875)
    assert entropy_top(HALF) == pytest.approx(math.log(2) * (0.5 + 0.5 + 0.375))
    assert margin(HALF) == pytest.approx(0.25)
    assert log_margin(HALF) == pytest.approx(math.log(2))
    assert rank(HALF, HALF[1]) == (2, 2)


def test_a_list_of_nothing():
    assert (top_mass([]), entropy_top([])) == (0, 0)
    assert math.isnan(margin([]))
    assert math.isnan(margin([-1.0]))
    outside, least = rank([], math.nan)
    assert math.isnan(outside)
    assert least == 1


def test_a_number_of_one_list_and_an_array_of_several():
    assert type(margin(HALF)) is float
    several = np.array([HALF, [-1.0, math.nan, math.nan]])
    np.testing.assert_allclose(top_mass(several), [0.875, math.exp(-1)])
    np.testing.assert_allclose(margin(several), [0.25, math.nan])
    found = rank(several, [HALF[2], math.nan])
    np.testing.assert_array_equal(found.rank, [3, math.nan])
    np.testing.assert_array_equal(found.rank_min, [3, 2])
    assert top_mass(several[None]).shape == (1, 2)


def test_ties_take_the_smaller_rank():
    assert rank([-1.0, -1.0, -2.0], -1.0).rank == 1
    assert rank([-1.0, -2.0, -2.0], -2.0).rank == 2


@pytest.mark.parametrize("sentinel", SENTINELS)
def test_a_sentinel_is_not_in_the_list(sentinel):
    padded = [sentinel, *HALF, sentinel]
    assert top_mass(padded) == pytest.approx(0.875)
    assert entropy_top(padded) == pytest.approx(entropy_top(HALF))
    assert margin(padded) == pytest.approx(0.25)
    outside = rank(padded, sentinel)
    assert math.isnan(outside.rank)
    assert outside.rank_min == 4


@given(lists, st.randoms())
def test_the_order_does_not_matter(values, random):
    shuffled = random.sample(values, len(values))
    for measure in (top_mass, entropy_top, margin, log_margin):
        assert measure(shuffled) == pytest.approx(measure(values), nan_ok=True)
    for own in values:
        assert rank(shuffled, own) == rank(values, own)


@given(st.lists(lists, min_size=1, max_size=6))
def test_they_are_those_of_the_frames(ragged):
    """The frames calculate on ragged rows; the definitions are the same."""
    ordered = [sorted(row, reverse=True) for row in ragged]
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in ordered])])
    flat = np.array([v for row in ordered for v in row], dtype=float)
    probs = np.exp(flat)
    first, second = top_k_arrays.first_two(flat, offsets)
    own = np.array([row[-1] if row else math.nan for row in ordered])
    np.testing.assert_allclose(
        [top_mass(row) for row in ragged], top_k_arrays.masses(probs, offsets)
    )
    np.testing.assert_allclose(
        [entropy_top(row) for row in ragged],
        top_k_arrays.listed_entropies(flat, probs, offsets),
        atol=1e-12,
    )
    np.testing.assert_allclose([log_margin(row) for row in ragged], first - second)
    np.testing.assert_array_equal(
        [rank(row, mine).rank for row, mine in zip(ragged, own, strict=True)],
        top_k_arrays.ranks(flat, offsets, own),
    )
