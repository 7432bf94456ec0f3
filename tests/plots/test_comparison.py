import math
from types import SimpleNamespace

import pandas as pd
import pytest

from nbchat import plots
from tests.plots.drawn import LN2, compared, draw, legend


def test_bars_of_bits_at_shared_tokens_alone():
    ax = plots.comparison(compared())
    drawn = {bars.get_label(): bars for bars in ax.containers}
    assert [bar.get_height() for bar in drawn["more surprising in b"]] == [0.5, 2.0]
    assert [bar.get_height() for bar in drawn["as or less surprising in b"]] == [-1.5]
    assert ax.get_ylabel() == "change in surprisal, b − a (bits)"
    assert ax.get_title() == (
        "Comparison: 3 shared tokens, +1.00 bits in all\n1 only in a, 1 only in b"
    )


def test_gaps_are_hatched_and_named_with_their_side():
    ax = plots.comparison(compared())
    names = [label.get_text() for label in ax.get_xticklabels()]
    assert names == ["␣The", "␣sky", "−␣is", "+␣was", "␣$x_1$"]
    drawn = {bars.get_label(): bars for bars in ax.containers}
    (a,), (b,) = drawn["only in a"], drawn["only in b"]
    assert (a.get_center()[0], b.get_center()[0]) == pytest.approx((2, 3))
    assert a.get_hatch() != b.get_hatch()
    ax.figure.canvas.draw()
    assert a.get_window_extent().height == pytest.approx(ax.get_window_extent().height)


def test_divergences_are_named_as_bounds_and_need_the_same_prefix():
    ax = plots.comparison(compared())
    bounds = ax.lines[0]
    assert bounds.get_label() == "divergence (JSD), at least"
    assert bounds.get_ydata() == pytest.approx([0.1 / LN2, 0.2 / LN2, 0.3 / LN2])
    other = compared().assign(has_same_prefix=False)
    assert not any("divergence" in label for label in legend(plots.comparison(other)))


def test_what_is_drawn_stays_below_the_legend():
    ax = plots.comparison(compared())
    ax.figure.canvas.draw()
    bars = next(b for b in ax.containers if b.get_label() == "more surprising in b")
    assert max(b.get_window_extent().y1 for b in bars) <= ax.get_legend().get_window_extent().y0


def test_something_with_a_frame_will_do():
    expected = plots.comparison(compared()).get_title()
    assert plots.comparison(SimpleNamespace(frame=compared())).get_title() == expected
    assert plots.comparison(SimpleNamespace(frame=compared)).get_title() == expected


@pytest.mark.long
def test_a_long_comparison_names_the_largest_changes():
    frame = pd.concat([compared()] * 100, ignore_index=True)
    ax = plots.comparison(frame)
    assert 5 <= len(ax.texts) <= 30
    assert "␣$x_1$" in [text.get_text() for text in ax.texts]
    draw(ax)


def test_an_unknown_change_has_no_bar():
    frame = compared()
    frame.loc[0, "delta_bits"] = math.nan
    ax = plots.comparison(frame)
    drawn = {bars.get_label(): bars for bars in ax.containers}
    assert [bar.get_height() for bar in drawn["more surprising in b"]] == [2.0]
    draw(plots.comparison(frame.iloc[[0]]))
    draw(plots.comparison(frame.iloc[[2]]))


def test_what_cannot_be_drawn_is_an_error_that_says_why():
    with pytest.raises(TypeError, match=r"what nbchat.compare gives.*no column op"):
        plots.comparison(compared().drop(columns="op"))
    with pytest.raises(TypeError, match="got str"):
        plots.comparison("a")
    with pytest.raises(ValueError, match="no tokens"):
        plots.comparison(compared().iloc[:0])
