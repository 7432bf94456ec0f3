import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat.measures import entropy_bounds, top_k_arrays

NAN = np.nan
ragged = st.lists(st.lists(st.floats(-20, -0.1), max_size=6), min_size=1, max_size=8)


def flat(lists):
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in lists])])
    return np.array([v for row in lists for v in row], dtype=np.float64), offsets


@given(ragged)
def test_sums_are_those_of_each_row(lists):
    values, offsets = flat(lists)
    np.testing.assert_allclose(top_k_arrays.row_sums(values, offsets), [sum(row) for row in lists])
    assert top_k_arrays.row_numbers(offsets).tolist() == [
        i for i, row in enumerate(lists) for _ in row
    ]


@given(ragged)
def test_running_sums_start_anew_in_each_row(lists):
    values, offsets = flat(lists)
    expected = [v for row in lists for v in np.cumsum(row)]
    np.testing.assert_allclose(top_k_arrays.running_sums(values, offsets), expected)


def test_what_is_unknown_counts_for_nothing():
    logprobs, offsets = flat([[-1.0, NAN], [NAN], [], [-2.0, -3.0]])
    probs = np.exp(logprobs)
    assert top_k_arrays.known_counts(logprobs, offsets).tolist() == [1, 0, 0, 2]
    np.testing.assert_allclose(
        top_k_arrays.masses(probs, offsets), [np.exp(-1), 0, 0, np.exp(-2) + np.exp(-3)]
    )
    np.testing.assert_allclose(
        top_k_arrays.listed_entropies(logprobs, probs, offsets),
        [np.exp(-1), 0, 0, 2 * np.exp(-2) + 3 * np.exp(-3)],
    )
    assert top_k_arrays.smallest(logprobs, offsets).tolist() == [-1, 0, 0, -3]
    np.testing.assert_allclose(top_k_arrays.running_sums(probs, offsets)[1], np.exp(-1))


def test_ties_take_the_smaller_rank():
    logprobs, offsets = flat([[-1.0, -2.0, -2.0, -3.0], [-1.0], []])
    assert top_k_arrays.ranks(logprobs, offsets, np.array([-2.0, -1.0, -1.0])).tolist() == [2, 1, 1]
    assert np.isnan(top_k_arrays.ranks(logprobs, offsets, np.full(3, NAN))).all()


def test_the_first_two_of_each_row():
    logprobs, offsets = flat([[-1.0, -2.0, -3.0], [-4.0], [], [-5.0, NAN]])
    first, second = top_k_arrays.first_two(logprobs, offsets)
    np.testing.assert_array_equal(first, [-1, -4, NAN, -5])
    np.testing.assert_array_equal(second, [-2, NAN, NAN, NAN])


@given(ragged, st.integers(10, 1000))
def test_entropy_intervals_are_those_of_single_rows(lists, vocab_size):
    logprobs, offsets = flat(lists)
    probs = np.exp(logprobs)
    lower, upper = top_k_arrays.entropy_intervals(
        top_k_arrays.masses(probs, offsets),
        top_k_arrays.listed_entropies(logprobs, probs, offsets),
        top_k_arrays.smallest(logprobs, offsets),
        vocab_size - top_k_arrays.known_counts(logprobs, offsets).astype(float),
    )
    expected = [entropy_bounds(row, vocab_size) for row in lists]
    assert list(zip(lower, upper, strict=True)) == [pytest.approx(pair) for pair in expected]
