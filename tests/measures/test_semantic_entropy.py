import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat.measures import predictive_entropy, semantic_entropy


def test_predictive_entropy_is_the_mean_surprisal_of_the_samples():
    assert predictive_entropy([-2.0, -4.0]) == 3
    assert predictive_entropy([-2.0, -4.0], lengths=[1, 4]) == 1.5


def test_long_samples_are_not_taken_for_sentinels():
    assert predictive_entropy([-20000.0, -30000.0]) == 25000


@pytest.mark.parametrize("missing", [-9999.0, -3.4028234663852886e38, math.nan])
def test_unknown_samples_are_left_out(missing):
    assert predictive_entropy([-2.0, missing, -4.0], lengths=[1, 1, 1]) == 3
    assert semantic_entropy([-2.0, missing, -2.0], ["a", "a", "b"]) == pytest.approx(math.log(2))


def test_nothing_known_is_nan():
    assert math.isnan(predictive_entropy([]))
    assert math.isnan(predictive_entropy([math.nan]))
    assert math.isnan(semantic_entropy([], []))
    assert math.isnan(semantic_entropy(None, []))


def test_wrong_lengths_are_errors():
    with pytest.raises(ValueError, match="1 lengths for 2 samples"):
        predictive_entropy([-1.0, -2.0], lengths=[3])
    with pytest.raises(ValueError, match="positive"):
        predictive_entropy([-1.0], lengths=[0])
    with pytest.raises(ValueError, match="2 log probabilities for 1 samples"):
        semantic_entropy([-1.0, -2.0], ["a"])


def test_semantic_entropy_by_counts():
    expected = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert semantic_entropy(None, ["yes", "no", "yes", "yes"]) == pytest.approx(expected)


def test_semantic_entropy_weighs_by_probability():
    shares = [0.7, 0.3]
    expected = -sum(p * math.log(p) for p in shares)
    values = [math.log(0.25), math.log(0.1), math.log(0.15)]
    # 0.25 + 0.1 against 0.15, of 0.5 in all
    assert semantic_entropy(values, [0, 0, 1]) == pytest.approx(expected)


@given(st.floats(-50_000, -10_000), st.floats(0, 5))
def test_semantic_entropy_does_not_underflow(base, step):
    near = semantic_entropy([-1.0, -1.0 - step], ["a", "b"])
    far = semantic_entropy([base, base - step], ["a", "b"])
    assert far == pytest.approx(near, abs=1e-6)


@given(st.lists(st.tuples(st.floats(-100, 0), st.integers(0, 4)), min_size=1), st.randoms())
def test_semantic_entropy_is_bounded_and_needs_no_order(samples, random):
    values, clusters = zip(*samples, strict=True)
    entropy = semantic_entropy(values, clusters)
    assert -1e-12 <= entropy <= math.log(len(set(clusters))) + 1e-9
    values, clusters = zip(*random.sample(samples, len(samples)), strict=True)
    assert semantic_entropy(values, clusters) == pytest.approx(entropy, abs=1e-9)
