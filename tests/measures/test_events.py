import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat.measures import event_logprob


def test_the_end_is_the_sum_over_all_end_tokens():
    row = {"a": math.log(0.5), "<|im_end|>": math.log(0.3), "<|endoftext|>": math.log(0.2)}
    found = event_logprob(row, {"<|im_end|>", "<|endoftext|>"})
    assert found == pytest.approx((math.log(0.5), math.log(0.5)))


def test_an_end_that_is_not_listed_makes_an_interval():
    row = {"a": math.log(0.5), "x": math.log(0.3), "b": math.log(0.1)}
    found = event_logprob(row, ["x", "y"])
    assert found == pytest.approx((math.log(0.3), math.log(0.4)))
    found = event_logprob(row, ["y", "z", "w"])  # no more than the row leaves
    assert found.lower == -math.inf
    assert found.upper == pytest.approx(math.log(0.1))
    assert event_logprob({}, ["y"]) == (-math.inf, 0)
    assert event_logprob({"a": 0.0}, ["y"]) == (-math.inf, -math.inf)
    with pytest.raises(ValueError, match="at least one token"):
        event_logprob(row, [])


@given(st.data(), st.integers(2, 20), st.integers(1, 20))
def test_the_sum_of_the_whole_row_lies_between(data, size, k):
    p = np.array(data.draw(st.lists(st.floats(1e-6, 1), min_size=size, max_size=size)))
    p = p / p.sum()
    event = data.draw(st.sets(st.integers(0, size - 1), min_size=1))
    row = {int(i): math.log(p[i]) for i in np.argsort(-p)[:k]}
    lower, upper = event_logprob(row, event)
    exact = math.log(sum(p[i] for i in event))
    assert lower - 1e-9 <= exact <= upper + 1e-9
    if k >= size:
        assert lower == pytest.approx(upper, abs=1e-9)
