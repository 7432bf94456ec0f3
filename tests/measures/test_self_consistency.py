import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat.measures import normalised, self_consistency


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (" Paris.\n", "paris"),
        ("“PARIS”", "paris"),
        ("New\n  York!", "new york"),
        ("**42**", "42"),
        ("-5", "-5"),
        (".5", ".5"),
        ("...yes", "yes"),
        ("$5.", "$5"),
        ("5 %", "5 %"),
        ("\uff34okyo", "tokyo"),
        ("Straße", "strasse"),
        ("...", "..."),
        ("", ""),
    ],
)
def test_answers_that_mean_the_same_are_the_same(answer, expected):
    assert normalised(answer) == expected


@given(st.text())
def test_an_answer_is_normalised_once_and_for_all(answer):
    once = normalised(answer)
    assert normalised(once) == once
    assert normalised(f" {answer}\n") == once


def test_self_consistency_is_the_share_of_the_most_frequent_answer():
    found = self_consistency(["Paris.", "paris", None, "Rome"])
    assert found.answer == "paris"
    assert found.share == pytest.approx(2 / 3)
    assert found.counts == {"paris": 2, "rome": 1}


def test_another_equivalence_can_be_given():
    assert self_consistency(["1.0", "1", "2"], normalise=float).answer == 1.0


def test_equally_frequent_answers_go_by_the_first():
    assert self_consistency(["b", "a", "a", "b"])[:2] == ("b", 0.5)


def test_no_answers_have_no_share():
    answer, share, counts = self_consistency([None])
    assert answer is None
    assert math.isnan(share)
    assert counts == {}


@given(st.lists(st.sampled_from("abc"), min_size=1), st.integers(1, 4))
def test_answers_given_several_times_share_the_same(answers, times):
    assert self_consistency(answers * times).share == self_consistency(answers).share
