import pytest
from matplotlib.colors import same_color

from nbchat import plots
from tests.plots.drawn import classified, draw

GIVEN = (["a", "a", "a", "b"], ["a", "a", "b", "b"])


def cells(ax):
    return [text.get_text() for text in ax.texts]


def labels(ax):
    return (
        [label.get_text() for label in ax.get_yticklabels()],
        [label.get_text() for label in ax.get_xticklabels()],
    )


def test_counts_and_shares_of_the_rows():
    ax = plots.confusion(*GIVEN)
    assert cells(ax) == ["2\n67%", "1\n33%", "0\n0%", "1\n100%"]
    assert labels(ax) == (["a", "b"], ["a", "b"])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("label given", "right label")
    assert ax.get_title() == "4 cases, 3 right (75%)"


def test_a_classified_frame_keeps_the_order_of_its_labels():
    ax = plots.confusion(classified(12, labels=("z", "a", "m")))
    assert labels(ax)[0] == ["z", "a", "m"]
    assert ax.get_title() == "12 cases, 8 right (67%)"


def test_no_answer_has_a_column_and_no_row():
    ax = plots.confusion(["a", "b"], ["a", None])
    assert labels(ax) == (["a", "b"], ["a", "b", "(none)"])
    assert ax.get_title() == "2 cases, 1 right (50%)"


def test_a_label_that_never_was_right_has_no_shares():
    assert cells(plots.confusion(["a"], ["b"])) == ["0\n0%", "1\n100%", "0", "0"]


def test_text_stands_out_from_its_cell():
    ax = plots.confusion(*GIVEN)
    dark, light = ax.texts[2], ax.texts[3]
    assert same_color(dark.get_color(), "white")
    assert same_color(light.get_color(), "black")


@pytest.mark.long
def test_cells_too_small_for_text_have_a_colour_bar_with_numbers():
    many = [f"label {i}" for i in range(60)]
    ax = plots.confusion(many, many)
    assert not ax.texts
    assert [other.get_ylabel() for other in ax.figure.axes[1:]] == ["share of the row (%)"]
    draw(ax)


def test_any_label_can_be_drawn():
    odd = ["$x_1$", "\\frac{1}{2}", "你好", "שלום", "x" * 99, "😀"]
    draw(plots.confusion(odd, odd[::-1]))


def test_what_cannot_be_drawn_is_an_error_that_says_why():
    with pytest.raises(ValueError, match="truth="):
        plots.confusion(classified().drop(columns="truth"))
    with pytest.raises(TypeError, match="no column is_predicted"):
        plots.confusion(classified().drop(columns="is_predicted"))
    with pytest.raises(ValueError, match="2 right labels and 1 given"):
        plots.confusion(["a", "b"], ["a"])
    with pytest.raises(ValueError, match="no case"):
        plots.confusion([None], ["a"])
