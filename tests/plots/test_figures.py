"""What every figure keeps to."""

import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import same_color
from matplotlib.figure import Figure

from nbchat import frames, plots
from tests.frames.made import choice, run_of
from tests.plots.drawn import (
    agreed,
    branched,
    classified,
    compared,
    differing,
    draw,
    odd_reply,
    paired,
    reply,
    swept,
    written,
)

OF_ONE_CHOICE = [plots.surprisal, plots.entropy, plots.alternatives, plots.temperatures]
OF_RUNS = [
    *OF_ONE_CHOICE,
    plots.ranks,
    plots.coverage,
    plots.strip,
    plots.usage,
    plots.cost,
    plots.latency,
]
OF_OTHERS = {
    plots.reliability: classified,
    plots.risk_coverage: classified,
    plots.confusion: classified,
    plots.comparison: compared,
    plots.branches: branched,
    plots.minimal_pairs: paired,
    plots.sweep: swept,
    plots.grid: swept,
    plots.agreement: agreed,
    plots.differences: differing,
}
FIGURES = [*OF_RUNS, *OF_OTHERS]


def source(draws, run=reply):
    return OF_OTHERS[draws]() if draws in OF_OTHERS else run()


def test_every_figure_is_here():
    names = {draws.__name__ for draws in FIGURES}
    assert names == set(plots.__all__) - {"heatmap"}, (
        f"{sorted(names ^ (set(plots.__all__) - {'heatmap'}))}: write a new figure into OF_RUNS "
        "here (it takes a run), or into OF_OTHERS with what it takes"
    )


@pytest.mark.long
@pytest.mark.parametrize("draws", FIGURES)
def test_any_token_can_be_drawn(draws):
    draw(draws(source(draws, odd_reply)))


def test_tokens_stand_as_they_are():
    assert {"$", "␣$x_1$", "_a_"} <= set(written(plots.surprisal(odd_reply())))


@pytest.mark.parametrize("draws", FIGURES)
def test_tokens_are_drawn_the_same_where_text_is_set_by_tex(draws):
    with plt.rc_context({"text.usetex": True}):
        ax = draws(source(draws, odd_reply))
        labels = [*ax.get_xticklabels(), *ax.get_yticklabels(), *ax.texts]
        if ax.get_legend():
            labels += ax.get_legend().get_texts()
    # numbers are set by TeX, as they are where nbchat draws nothing
    strange = [t for t in labels if set(t.get_text()) & set("$_\\^") and "math" not in t.get_text()]
    assert not any(label.get_usetex() or label.get_parse_math() for label in strange)


@pytest.mark.parametrize("draws", FIGURES)
def test_given_axes_are_drawn_on_and_pyplot_is_left_alone(draws):
    plt.figure()
    before = plt.get_fignums(), plt.gca()
    ax = Figure().add_subplot()
    assert draws(source(draws), ax=ax) is ax
    assert ax.has_data() or ax.texts
    assert (plt.get_fignums(), plt.gca()) == before
    first, second = plt.subplots(1, 2)[1]
    assert draws(source(draws), ax=first) is first
    assert not second.has_data()


@pytest.mark.parametrize("draws", FIGURES)
def test_without_axes_one_new_figure_is_made(draws):
    settings = dict(plt.rcParams)
    ax = draws(source(draws))
    assert isinstance(ax, Axes)
    assert plt.get_fignums() == [ax.figure.number]
    assert dict(plt.rcParams) == settings


@pytest.mark.parametrize("draws", FIGURES)
def test_a_figure_has_a_title_and_its_axes_have_names(draws):
    ax = draws(source(draws))
    assert ax.get_title()
    if draws is not plots.branches:
        assert ax.get_xlabel()
        assert ax.get_ylabel()


@pytest.mark.long
@pytest.mark.parametrize("draws", FIGURES)
def test_colours_are_those_of_the_style(draws):
    in_cells = (plots.confusion, plots.strip, plots.grid, plots.agreement)
    with plt.style.context("dark_background"):
        ax = draws(source(draws, odd_reply))
        ax.figure.canvas.draw()
        texts = [ax.title, ax.xaxis.label, *ax.get_xticklabels(), *ax.get_yticklabels()]
        texts += [] if draws in in_cells else ax.texts
        assert all(same_color(text.get_color(), "white") for text in texts)
        hatched = [patch for patch in ax.patches if patch.get_hatch()]
        assert all(same_color(patch.get_edgecolor()[:3], "white") for patch in hatched)


@pytest.mark.long
@pytest.mark.parametrize("draws", FIGURES)
@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_nothing_is_cut_off(draws, style):
    with plt.style.context(style):
        ax = draws(source(draws, odd_reply))
        ax.figure.canvas.draw()
        drawn, whole = ax.get_tightbbox(), ax.figure.bbox
        assert drawn.x0 >= whole.x0 - 1
        assert drawn.x1 <= whole.x1 + 1
        assert drawn.y0 >= whole.y0 - 1
        assert drawn.y1 <= whole.y1 + 1


@pytest.mark.parametrize("draws", OF_ONE_CHOICE)
def test_a_choice_that_cannot_be_drawn_is_an_error_that_says_why(draws):
    with pytest.raises(ValueError, match="logprobs=True"):
        draws(run_of(choice(text="Hello")))
    if draws is not plots.surprisal:  # it draws several texts above one another
        with pytest.raises(ValueError, match="here are 2"):
            draws([reply(), reply()])
    with pytest.raises(ValueError, match=r"no choice 3.* there is 0"):
        draws(reply(), choice=3)


@pytest.mark.parametrize("draws", OF_RUNS)
def test_another_frame_is_an_error_that_says_why(draws):
    with pytest.raises(TypeError, match=r"not a .* frame: it has no column"):
        draws(frames.choices(reply()))
    with pytest.raises(TypeError, match="expected a run"):
        draws(b"reply")


@pytest.mark.parametrize("draws", [plots.ranks, plots.coverage, plots.strip])
def test_runs_without_log_probabilities_are_an_error_that_says_how_to_ask(draws):
    with pytest.raises(ValueError, match="logprobs=True"):
        draws(run_of(choice(text="Hello")))
