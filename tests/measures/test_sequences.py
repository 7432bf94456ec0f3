import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat.measures import (
    bits_per_byte,
    length_normalised_probability,
    mean_nll,
    perplexity,
    sequence_logprob,
    surprisal,
)

LOWEST_FLOAT = -3.4028234663852886e38
logprobs = st.lists(st.floats(-50, 0), min_size=1, max_size=50)
sentinels = st.lists(st.sampled_from([-9999.0, -10004.2, LOWEST_FLOAT, -math.inf, math.nan]))


def test_surprisal_of_a_number_is_a_float_in_nats():
    value = surprisal(-1.5)
    assert type(value) is float
    assert value == 1.5
    assert surprisal(math.log(0.25)) / math.log(2) == pytest.approx(2)


def test_surprisal_of_an_array_keeps_its_shape():
    values = surprisal([[-1.0, -2.0], [0.0, -9999.0]])
    assert values.dtype == np.float64
    np.testing.assert_array_equal(values, [[1, 2], [0, np.nan]])
    assert not np.signbit(values[1, 0])


@pytest.mark.parametrize("sentinel", [-9999.0, -12000.0, LOWEST_FLOAT, -math.inf, math.nan])
def test_surprisal_of_a_sentinel_is_missing(sentinel):
    assert math.isnan(surprisal(sentinel))


def test_perplexity_is_the_inverse_of_the_geometric_mean():
    assert perplexity(np.log([0.5, 0.125])) == pytest.approx(4)
    assert perplexity([0.0, 0.0]) == 1


def test_a_sequence_by_hand():
    values = np.log([0.5, 0.125])
    assert sequence_logprob(values) == pytest.approx(math.log(0.0625))
    assert mean_nll(values) == pytest.approx(math.log(4))
    assert length_normalised_probability(values) == pytest.approx(0.25)
    assert not math.copysign(1, mean_nll([0.0])) < 0


@given(logprobs, sentinels)
def test_no_sentinel_enters_a_measure(values, missing):
    for measure in (perplexity, sequence_logprob, mean_nll, length_normalised_probability):
        assert measure(values + missing) == pytest.approx(measure(values))


@given(logprobs)
def test_a_sequence_repeated_is_as_likely_token_by_token(values):
    assert perplexity(values * 3) == pytest.approx(perplexity(values))
    assert length_normalised_probability(values) == pytest.approx(1 / perplexity(values))
    assert sequence_logprob(values * 3) == pytest.approx(3 * sequence_logprob(values))


def test_a_long_sequence_has_a_logprob_though_its_probability_underflows():
    assert sequence_logprob([-2.0] * 10_000) == -20_000
    assert length_normalised_probability([-2.0] * 10_000) == pytest.approx(math.exp(-2))


@given(logprobs, st.randoms())
def test_the_order_of_tokens_does_not_matter(values, random):
    shuffled = random.sample(values, len(values))
    assert perplexity(shuffled) == pytest.approx(perplexity(values))
    assert bits_per_byte(shuffled, 7) == pytest.approx(bits_per_byte(values, 7))


@given(logprobs)
def test_perplexity_lies_between_the_extremes(values):
    slack = 1 + 1e-9
    assert math.exp(-max(values)) / slack <= perplexity(values) <= math.exp(-min(values)) * slack


@pytest.mark.parametrize("values", [[], [-9999.0], [math.nan, LOWEST_FLOAT]])
def test_nothing_known_is_nan(values):
    for measure in (perplexity, sequence_logprob, mean_nll, length_normalised_probability):
        assert math.isnan(measure(values))
    assert math.isnan(bits_per_byte(values, 10))


def test_bits_per_byte_counts_bytes_not_tokens():
    assert bits_per_byte(np.log([0.5, 0.25]), 6) == pytest.approx(0.5)
    assert bits_per_byte([*np.log([0.5, 0.25]), -9999.0], 6) == pytest.approx(0.5)


def test_bits_per_byte_of_no_bytes_is_nan_and_of_fewer_an_error():
    assert math.isnan(bits_per_byte([-1.0], 0))
    with pytest.raises(ValueError, match="n_bytes"):
        bits_per_byte([-1.0], -1)


def test_a_perplexity_beyond_floats_is_infinite():
    assert perplexity([-9000.0]) == math.inf
