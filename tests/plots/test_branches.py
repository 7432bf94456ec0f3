import pandas as pd
import pytest

from nbchat import plots
from nbchat.analysis.branch import Branch
from tests.frames.made import choice, entry, run_of
from tests.plots.drawn import branched, draw, legend


def lines(ax):
    return [text.get_text() for text in ax.texts]


def links(ax):
    """The lines that lead to branches; those of the legend are empty."""
    return [line for line in ax.lines if len(line.get_xdata()) == 3]


def test_each_branch_has_its_place_token_and_probability_and_how_it_goes_on():
    ax = plots.branches(branched())
    assert lines(ax) == [
        "The sky is blue.",
        "2: ␣was  p 0.25  …green.",
        "3: ␣not  p 0.125  …there.",
        "4: ␣$x_1$  p not known  …at all",
    ]
    assert ax.get_title() == "Tree of 3 branches"


def test_a_branch_stands_under_what_it_leaves():
    ax = plots.branches(branched())
    ends = [(line.get_xdata()[-1], line.get_ydata()[-1]) for line in links(ax)]
    starts = [(line.get_xdata()[0], round(line.get_ydata()[0])) for line in links(ax)]
    assert [y for _, y in ends] == [1, 2, 3]
    assert starts == [(0, 0), (0, 0), (1, 2)]


def test_ways_to_branch_differ_in_line_and_name():
    ax = plots.branches(branched())
    assert legend(ax) == ["exact, by token ids", "text", "samples"]
    assert len({line.get_linestyle() for line in links(ax)}) == 3


def test_one_way_looks_the_same_wherever_it_comes():
    frame = branched().assign(method="exact")
    assert {line.get_linestyle() for line in links(plots.branches(frame))} == {"-"}


def test_branches_of_a_reply_that_is_not_there_leave_it_all_the_same():
    ax = plots.branches(branched().iloc[1:])
    assert lines(ax)[0] == "the reply that they leave"
    assert len(links(ax)) == 3


def test_a_list_of_branches_will_do():
    reply = run_of(choice(entry("The", -0.1), entry(" sky", -0.2, (" sky", -0.2), (" sea", -1.4))))
    second = run_of(choice(entry("The", -0.1), entry(" sea", -1.4), entry(" is", -0.3)))
    third = run_of(choice(*(entry(text, -1.4) for text in ("The", " sea", " was", " red"))))
    ways = {"choice": 0, "method": "exact", "label": "Exact.", "token_id": None}
    first = Branch(parent=reply, position=1, alternative=" sea", runs=[second], **ways)
    next_one = Branch(parent=second, position=2, alternative=" was", runs=[third], **ways)
    expected = ["The sky", "1: ␣sea  p 0.247  …is", "2: ␣was  p not known  …red"]
    assert lines(plots.branches([first, next_one])) == expected
    assert lines(plots.branches(first)) == expected[:2]


def test_any_order_gives_the_same_tree_and_a_circle_is_no_hang():
    shuffled = branched().iloc[[3, 0, 1, 2]]
    assert sorted(lines(plots.branches(shuffled))) == sorted(lines(plots.branches(branched())))
    circle = branched().assign(parent_id=["c", "r", "r", "b"])
    with pytest.raises(ValueError, match="no branch"):
        plots.branches(circle)


def test_long_and_odd_texts_stay_inside():
    frame = branched()
    frame["text"] = [t + " and so on, $x_1$ <b> 你好 \n" * 40 for t in frame["text"]]
    ax = plots.branches(frame)
    draw(ax)
    for text in ax.texts:
        assert text.get_window_extent().x1 <= ax.figure.bbox.x1


def test_what_cannot_be_drawn_is_an_error_that_says_why():
    with pytest.raises(TypeError, match=r"branches, as nbchat.branch.*no column method"):
        plots.branches(branched().drop(columns="method"))
    for nothing in ([], pd.DataFrame(columns=branched().columns)):
        with pytest.raises(ValueError, match="no branch"):
            plots.branches(nothing)
