import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat.measures import risk_coverage

cases = st.lists(
    st.tuples(st.sampled_from([0.1, 0.4, 0.7, 0.9]), st.booleans()), min_size=1, max_size=6
)


def unzipped(pairs):
    confidence, correct = zip(*pairs, strict=True)
    return list(confidence), list(correct)


def plain(correct):
    """The definition, of cases in order from sure to unsure."""
    errors = np.cumsum(~np.array(correct))
    return errors / np.arange(1, len(correct) + 1)


def test_a_small_case_by_hand():
    curve = risk_coverage([0.9, 0.6, 0.8, 0.1], [True, True, False, False])
    # from sure to unsure: right, wrong, right, wrong
    assert curve.coverage.tolist() == [0.25, 0.5, 0.75, 1]
    assert curve.risk == pytest.approx([0, 1 / 2, 1 / 3, 1 / 2])
    assert curve.threshold.tolist() == [0.9, 0.8, 0.6, 0.1]
    assert curve.aurc == pytest.approx((1 / 2 + 1 / 3 + 1 / 2) / 4)
    # both wrong ones last: 0, 0, 1/3, 1/2
    assert curve.aurc_least == pytest.approx((1 / 3 + 1 / 2) / 4)


def test_a_confidence_that_tells_all_apart_leaves_no_excess():
    curve = risk_coverage([0.9, 0.8, 0.2, 0.1], [1, 1, 0, 0])
    assert curve.aurc == pytest.approx(curve.aurc_least)
    assert risk_coverage([0.5, 0.6], [1, 1]).aurc == 0
    assert risk_coverage([0.5, 0.6], [0, 0]).aurc == 1


def test_a_confidence_that_says_nothing_has_the_error_rate_everywhere():
    assert risk_coverage([0.5] * 4, [1, 0, 0, 0]).risk == pytest.approx([0.75] * 4)


@given(cases)
def test_ties_are_the_mean_over_all_their_orders(pairs):
    curves = [
        plain([correct for _, correct in order])
        for order in itertools.permutations(pairs)
        if all(a[0] >= b[0] for a, b in itertools.pairwise(order))
    ]
    assert risk_coverage(*unzipped(pairs)).risk == pytest.approx(np.mean(curves, axis=0))


@given(cases, st.randoms())
def test_the_order_of_cases_does_not_matter(pairs, random):
    shuffled = random.sample(pairs, len(pairs))
    assert risk_coverage(*unzipped(shuffled)).risk == pytest.approx(
        risk_coverage(*unzipped(pairs)).risk
    )


@given(cases, st.integers(2, 4))
def test_cases_given_several_times_end_at_the_same_risk(pairs, times):
    once, often = (risk_coverage(*unzipped(p)) for p in (pairs, pairs * times))
    assert often.risk[-1] == pytest.approx(once.risk[-1])
    assert often.risk[times - 1 :: times] == pytest.approx(once.risk)
    assert once.aurc_least <= once.aurc + 1e-12


def test_only_the_order_of_confidences_counts():
    correct = [1, 0, 1, 1, 0]
    stated = np.array([0.9, 0.8, 0.3, 0.2, 0.1])
    assert risk_coverage(np.log(stated) * 100, correct).aurc == risk_coverage(stated, correct).aurc


def test_cases_with_a_nan_are_left_out():
    padded = risk_coverage([0.9, math.nan, 0.1, 0.5], [1, 1, 0, math.nan])
    assert padded.risk.tolist() == [0, 0.5]
    nothing = risk_coverage([], [])
    assert (len(nothing.risk), math.isnan(nothing.aurc)) == (0, True)


def test_shapes_that_do_not_fit_are_an_error():
    with pytest.raises(ValueError, match="do not fit"):
        risk_coverage([0.5, 0.5], [1])
    with pytest.raises(ValueError, match="do not fit"):
        risk_coverage([[0.5, 0.5]], [1])
