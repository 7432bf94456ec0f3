import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from nbchat import plots
from nbchat.analysis import MinimalPairs, Scores
from nbchat.frames import minimal_pair_accuracy
from tests.plots.drawn import draw

PAIRS = pd.DataFrame(
    {
        "good_logprob": [-1.0, -2.0, -3.0, -4.0, -5.0, np.nan],
        "bad_logprob": [-2.0, -3.0, -3.0, -3.5, -9.0, -1.0],
        "phenomenon": ["a", "a", "a", "b", "b", "$x_1$"],
        "length": [1, 2, 1, 2, 1, 2],
    }
)


def test_ties_are_neither_and_groups_keep_their_order():
    frame = minimal_pair_accuracy(PAIRS, ["phenomenon", "length"])
    assert frame["group"].tolist() == ["all", "a", "b", "$x_1$", "1", "2"]
    assert frame["n_pairs"].tolist() == [6, 3, 2, 1, 3, 3]
    assert frame["n_right"].tolist() == [3, 2, 1, 0, 2, 1]
    assert frame["n_ties"].tolist() == [1, 1, 0, 0, 1, 0]
    assert frame["n_unknown"].tolist() == [1, 0, 0, 1, 0, 1]
    assert frame["accuracy"].fillna(-1).tolist() == [0.75, 1, 0.5, -1, 1, 0.5]
    expected = binomtest(3, 4).proportion_ci(method="wilson")
    assert frame.loc[0, "accuracy_lo"] == pytest.approx(expected.low)
    assert frame.loc[0, "accuracy_hi"] == pytest.approx(expected.high)


def test_the_figure_has_a_line_for_each_group_and_says_what_it_counts():
    ax = plots.minimal_pairs(PAIRS, by="phenomenon")
    assert draw(ax)
    (dots,) = [line for line in ax.lines if line.get_marker() == "o"]
    assert np.nan_to_num(dots.get_xdata(), nan=-1).tolist() == [75, 100, 50, -1]
    words = [text.get_text() for text in ax.texts]
    assert words == ["3 of 4, 1 tie, 1 not known", "2 of 2, 1 tie", "1 of 2", "0 of 0, 1 not known"]
    assert draw(plots.minimal_pairs(PAIRS, by=["phenomenon", "length"]))


def test_what_cannot_be_drawn_says_why():
    with pytest.raises(ValueError, match="no column bad_logprob, kind"):
        plots.minimal_pairs(PAIRS.drop(columns="bad_logprob"), by="kind")
    with pytest.raises(ValueError, match="no pair"):
        plots.minimal_pairs(PAIRS.iloc[:0])


def test_what_the_function_gives_is_drawn_as_its_frame():
    frame = pd.DataFrame({"good_logprob": [-1.0, -2.0], "bad_logprob": [-2.0, -1.0]})
    judged = MinimalPairs(frame, Scores([]), Scores([]))
    assert plots.minimal_pairs(judged).get_title() == plots.minimal_pairs(frame).get_title()
    with pytest.raises(TypeError, match=r"what nbchat\.minimal_pairs gives, got str"):
        plots.minimal_pairs("pairs")
