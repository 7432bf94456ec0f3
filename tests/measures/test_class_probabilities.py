import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat.measures import class_probabilities


def test_shares_and_coverage():
    result = class_probabilities({"yes": math.log(0.3), "no": math.log(0.1)})
    assert result.probability == pytest.approx({"yes": 0.75, "no": 0.25})
    assert result.coverage == pytest.approx(0.4)


def test_labels_too_long_for_floats_are_still_compared():
    result = class_probabilities({"a": -20000.0, "b": -20000.0 - math.log(3)})
    assert result.probability == pytest.approx({"a": 0.75, "b": 0.25})
    assert result.coverage == 0


def test_impossible_labels_have_no_share():
    result = class_probabilities({"a": math.log(0.5), "b": -math.inf})
    assert result.probability == {"a": 1, "b": 0}
    nothing = class_probabilities({"a": -math.inf})
    assert math.isnan(nothing.probability["a"])
    assert nothing.coverage == 0


@pytest.mark.parametrize("missing", [-9999.0, -3.4028234663852886e38, math.nan])
def test_an_unknown_label_is_missing_and_not_zero(missing):
    result = class_probabilities({"a": math.log(0.2), "b": missing})
    assert result.probability["a"] == 1
    assert math.isnan(result.probability["b"])
    assert result.coverage == pytest.approx(0.2)
    assert math.isnan(class_probabilities({"b": missing}).coverage)


def test_no_labels_is_an_error():
    with pytest.raises(ValueError, match="no label"):
        class_probabilities({})


@given(st.dictionaries(st.text(), st.floats(-800, 0), min_size=1))
def test_probabilities_sum_to_one(sums):
    result = class_probabilities(sums)
    assert sum(result.probability.values()) == pytest.approx(1)
    assert list(result.probability) == list(sums)
