import math

import numpy as np
import pytest

from nbchat import frames, plots
from tests.frames.made import choice, entry, run_of
from tests.plots.drawn import draw

SHORT = [("The", 0.5), (" horse", 0.25), (" f", 0.5), ("ell", 0.5), (".", 0.5)]
LONG = [("The", 0.5), (" horse", 0.25), (" that", 0.5), (" ran", 0.5), (" fell", 0.125)]


def said(pieces, index=0):
    return choice(*(entry(t, math.log(p)) for t, p in pieces), index=index)


@pytest.fixture
def runs():
    return [run_of(said(SHORT)), run_of(said(LONG))]


def lines(ax):
    drawn = [line for line in ax.lines if line.get_marker() == "o"]
    return [list(zip(line.get_xdata(), line.get_ydata(), strict=True)) for line in drawn]


def test_words_are_bars_of_the_sums_of_their_tokens(runs):
    ax = plots.surprisal(runs[0], by="space")
    assert draw(ax)
    assert [bar.get_height() for bar in ax.containers[0]] == pytest.approx([1, 2, 3])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["The", "horse", "fell."]
    assert ax.get_xlabel() == "word"
    of_frame = plots.surprisal(frames.words(runs[0]))
    assert [bar.get_height() for bar in of_frame.containers[0]] == pytest.approx([1, 2, 3])


def test_several_texts_are_lines_by_words(runs):
    ax = plots.surprisal(runs)
    assert draw(ax)
    short, long = lines(ax)
    np.testing.assert_allclose(short, [(0, 1), (1, 2), (2, 3)])
    np.testing.assert_allclose(long, [(0, 1), (1, 2), (2, 1), (3, 1), (4, 3)])
    shown = [label.get_text() for label in ax.get_xticklabels()]
    assert shown == ["The", "horse", "fell.\nthat", "ran", "fell"]
    assert len(lines(plots.surprisal(runs, by="token"))[0]) == len(SHORT)


@pytest.mark.parametrize("align", ["fell", "Fell.", [2, 4]])
def test_they_stand_above_one_another_at_a_word(runs, align):
    ax = plots.surprisal(runs, align=align)
    assert draw(ax)
    short, long = lines(ax)
    assert short[-1] == pytest.approx((0, 3))
    assert long[-1] == pytest.approx((0, 3))
    assert short[0][0] == -2
    assert long[0][0] == -4
    assert [label.get_text() for label in ax.get_xticklabels()][-1] == "fell.\nfell"


@pytest.mark.parametrize(
    ("align", "words"),
    [("cat", "no word 'cat' in “The horse fell"), ([1], "1 numbers for 2"), ([0, 9], "no word 9")],
)
def test_a_word_that_is_not_there_is_an_error_that_names_the_text(runs, align, words):
    with pytest.raises(ValueError, match=words):
        plots.surprisal(runs, align=align)


def test_odd_texts_can_be_drawn():
    odd = [run_of(said([("$x_1$", 0.5), (" 🦊", 0.5), ("\n", 0.5)])) for _ in range(3)]
    assert draw(plots.surprisal(odd))
    long = [run_of(said([(f" w{i}", 0.5) for i in range(60)])) for _ in range(2)]
    assert draw(plots.surprisal(long, align="w30"))
