import math

import numpy as np
import pytest

from nbchat import frames, plots
from tests.frames.made import choice, entry, run_of
from tests.plots.drawn import LN2, draw, odd_reply, reply


def values(ax):
    return ax.images[0].get_array()


def rows(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def test_a_row_for_each_run_and_a_cell_for_each_token():
    ax = plots.strip([reply(3), reply(2)])
    np.testing.assert_allclose(values(ax).filled(-1), [[0, 1, 2], [0, 1, -1]])
    assert rows(ax) == ["1", "2"]
    assert ax.get_title() == "2 replies of up to 3 tokens"
    assert [text.get_text() for text in ax.texts] == ["␣w0", "␣w1", "␣w2", "␣w0", "␣w1"]


def test_the_colour_bar_says_what_it_shows():
    for value, label in [("surprisal_bits", "surprisal (bits)"), ("prob", "probability")]:
        ax = plots.strip([reply(3)], value)
        assert ax.figure.axes[1].get_ylabel() == label
    assert values(ax).max() == 1
    assert ax.images[0].get_clim() == (0, 1)


def test_choices_have_rows_of_their_own_and_so_has_a_run_given_twice():
    run = run_of(choice(entry("a", -1.0)), choice(entry("b", -1.0), entry("c", -1.0), index=1))
    assert values(plots.strip(run)).shape == (2, 2)
    assert values(plots.strip([run, run])).shape == (4, 2)


def test_names_stand_beside_the_rows():
    assert rows(plots.strip([reply(2), reply(2)], names=["$T_0$", "T 1"])) == ["$T_0$", "T 1"]
    with pytest.raises(ValueError, match="1 name for 2 replies"):
        plots.strip([reply(2), reply(2)], names=["one"])


def test_what_is_not_known_is_hatched_and_has_no_colour():
    ax = plots.strip(run_of(choice(entry("a", -LN2), entry("b", -9999.0))))
    assert values(ax).mask.tolist() == [[False, True]]
    (cell,) = ax.patches
    assert cell.get_hatch()
    assert cell.get_x() == 0.5


def test_ranks_outside_the_list_are_not_known():
    run = run_of(choice(entry("a", -1.0, ("a", -1.0)), entry("z", -9.0, ("a", -1.0))))
    assert values(plots.strip(run, "rank")).mask.tolist() == [[False, True]]


def test_another_value_is_refused_with_those_that_there_are():
    with pytest.raises(ValueError, match="surprisal_bits, rank"):
        plots.strip(reply(2), "token")


def test_a_frame_gives_the_same_figure():
    run = reply(4)
    np.testing.assert_array_equal(values(plots.strip(frames.tokens(run))), values(plots.strip(run)))


@pytest.mark.long
def test_any_shape_can_be_drawn():
    everything_unknown = run_of(choice(entry("a", -9999.0)))
    for runs in (reply(1), reply(3000), [reply(5)] * 80, odd_reply(), everything_unknown):
        draw(plots.strip(runs))
    assert math.isnan(frames.tokens(everything_unknown)["prob"][0])
