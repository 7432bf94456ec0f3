import io
import itertools
import math

import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import same_color
from matplotlib.figure import Figure

from nbchat import frames, plots
from tests.frames.made import choice, entry, run_of

LN2 = math.log(2)
ODD = [
    "$",
    " $x_1$",
    "_a_",
    "\\frac{1}{2}",
    "<b>&",
    "\n\n",
    "😀",
    "你好",
    "שלום",
    "العربية",
    "\u200b",
    "%",
    "\U0001fae8",
    "e\u0301",
    "\ue000",
    "^{2}",
    "x" * 80,
]


def reply(count=3, step=1.0):
    entries = [
        entry(f" w{i}", -LN2 * step * (i % 7), (f" w{i}", -LN2 * step * (i % 7)), (" z", -9.0))
        for i in range(count)
    ]
    return run_of(choice(*entries), usage={"prompt_tokens": 5, "completion_tokens": count})


def odd_reply():
    return run_of(choice(*(entry(text, -1.0, *((t, -2.0) for t in ODD)) for text in ODD)))


def draw(ax):
    # a missing glyph or markup that cannot be read is a warning or an error here
    with io.BytesIO() as picture:
        ax.figure.savefig(picture, format="png")
        return picture.getvalue()


def written(ax):
    labels = [*ax.get_xticklabels(), *ax.get_yticklabels(), *ax.texts]
    return [label.get_text() for label in labels]


def heights(ax):
    return [bar.get_height() for bar in ax.containers[0]]


class TestSurprisal:
    def test_a_bar_of_bits_for_each_token(self):
        ax = plots.surprisal(reply(3))
        assert heights(ax) == pytest.approx([0, 1, 2])
        assert [label.get_text() for label in ax.get_xticklabels()] == ["␣w0", "␣w1", "␣w2"]
        assert ax.get_ylabel() == "surprisal (bits)"
        assert ax.get_xlabel() == "token"
        assert ax.get_title() == "Surprisal of 3 tokens"
        assert "mean 1.00 bits" in [t.get_text() for t in ax.get_legend().get_texts()]

    def test_a_frame_gives_the_same_figure(self):
        run = reply(4)
        assert heights(plots.surprisal(frames.tokens(run))) == heights(plots.surprisal(run))

    def test_a_long_reply_has_its_peaks_written_and_not_every_token(self):
        ax = plots.surprisal(reply(500))
        assert len(heights(ax)) == 500
        peaks = [text.get_text() for text in ax.texts]
        assert 5 <= len(peaks) <= 30
        assert "␣w6" in peaks
        xs = sorted(text.xy[0] for text in ax.texts)
        points = ax.get_window_extent().width / ax.figure.dpi * 72 / 500
        assert min(b - a for a, b in itertools.pairwise(xs)) * points > 10
        assert ax.get_xlabel() == "token position"
        draw(ax)

    def test_labels_are_large_enough_to_read(self):
        for count in (1, 20, 60, 100):
            ax = plots.surprisal(reply(count))
            sizes = [text.get_fontsize() for text in [*ax.get_xticklabels(), *ax.texts]]
            assert min(sizes) >= 7

    def test_a_token_that_is_not_known_has_a_hatched_bar(self):
        ax = plots.surprisal(run_of(choice(entry("a", -1.0), entry("b", -9999.0))))
        assert heights(ax) == pytest.approx([1 / LN2, 0])
        (hatched,) = ax.containers[1]
        assert hatched.get_hatch()
        assert hatched.get_center()[0] == pytest.approx(1)
        labels = [text.get_text() for text in ax.get_legend().get_texts()]
        assert any("not known" in label for label in labels)
        assert "mean 1.44 bits" in labels

    def test_the_end_token_says_so_and_is_no_part_of_the_mean(self):
        end = entry("", -9.0, data=b"")
        ax = plots.surprisal(run_of(choice(entry("a", -LN2), end)))
        assert ax.get_xticklabels()[1].get_text() == "(end)"
        assert ax.get_legend().get_texts()[0].get_text() == "mean 1.00 bits"

    def test_a_reply_that_ended_at_once_can_be_drawn(self):
        draw(plots.surprisal(run_of(choice(entry("", -0.5, data=b"")))))

    def test_another_choice_and_a_refusal(self):
        run = run_of(
            choice(entry("a", -1.0)), choice(refusal=[entry("No", -1), entry("!", -1)], index=1)
        )
        assert len(heights(plots.surprisal(run))) == 1
        assert len(heights(plots.surprisal(run, choice=1))) == 2


class TestAlternatives:
    def test_bars_by_probability_and_one_for_what_nobody_saw(self):
        run = run_of(
            choice(
                entry("x", -1.0),
                entry("b", math.log(0.3), ("b", math.log(0.3)), ("a", math.log(0.5))),
            )
        )
        ax = plots.alternatives(run, position=1)
        listed, unseen = ax.containers
        assert [bar.get_width() for bar in listed] == pytest.approx([0.5, 0.3])
        assert unseen[0].get_width() == pytest.approx(0.2)
        assert unseen[0].get_hatch()
        assert [label.get_text() for label in ax.get_yticklabels()] == [
            "a",
            "b",
            "unseen (all others)",
        ]
        assert ax.get_title() == "Alternatives at position 1\nafter “x”"
        assert ax.get_xlabel() == "probability"
        assert ax.yaxis.get_inverted()

    def test_the_sampled_token_is_marked_in_words(self):
        ax = plots.alternatives(run_of(choice(entry("b", -2.0, ("b", -2.0), ("a", -1.0)))))
        assert [text.get_text() for text in ax.texts] == ["0.368", "0.135  sampled", "0.497"]
        assert not same_color(ax.patches[0].get_facecolor(), ax.patches[1].get_facecolor())

    def test_a_sampled_token_outside_the_list_counts_as_seen(self):
        ax = plots.alternatives(run_of(choice(entry("z", -2.0, ("a", -1.0)))))
        expected = 1 - math.exp(-1) - math.exp(-2)
        assert ax.containers[1][0].get_width() == pytest.approx(expected)
        assert "0.135  sampled, not listed" in written(ax)

    def test_long_lists_end_in_one_bar_and_nothing_is_lost(self):
        probs = [0.5 / 2**i for i in range(40)]
        listed = [(f"t{i}", math.log(p)) for i, p in enumerate(probs)]
        ax = plots.alternatives(run_of(choice(entry("t30", math.log(probs[30]), *listed))))
        widths = [bar.get_width() for bars in ax.containers for bar in bars]
        assert sum(widths) == pytest.approx(1)
        assert "14 more listed" in written(ax)
        assert "t30" in written(ax)

    def test_positions_count_from_the_end_too(self):
        run = reply(3)
        last = plots.alternatives(run, position=-1)
        assert "position 2" in last.get_title()
        for wrong in (3, -4):
            with pytest.raises(IndexError, match=f"no position {wrong}"):
                plots.alternatives(run, position=wrong)

    def test_a_frame_gives_the_same_figure(self):
        run = reply(4)
        assert written(plots.alternatives(frames.alternatives(run), 2)) == written(
            plots.alternatives(run, 2)
        )

    def test_an_unknown_probability_is_not_zero(self):
        ax = plots.alternatives(run_of(choice(entry("z", -9999.0, ("a", -1.0)))))
        assert "not known  sampled, not listed" in written(ax)


class TestUsage:
    def test_prompt_and_completion_stand_on_each_other(self):
        details = {
            "prompt_tokens_details": {"cached_tokens": 4},
            "completion_tokens_details": {"reasoning_tokens": 5},
        }
        run = run_of(usage={"prompt_tokens": 10, "completion_tokens": 20} | details)
        ax = plots.usage([run, run])
        assert [bars.get_label() for bars in ax.containers] == [
            "prompt, cached",
            "prompt",
            "reasoning",
            "completion",
        ]
        assert [bars[1].get_height() for bars in ax.containers] == [4, 6, 5, 15]
        assert [bars[1].get_y() for bars in ax.containers] == [0, 4, 10, 15]
        assert ax.get_title() == "Usage: 2 runs, 60 tokens"
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("run", "tokens")

    def test_unknown_usage_is_a_question_mark(self):
        ax = plots.usage([run_of(usage={"prompt_tokens": 1, "completion_tokens": 1}), run_of()])
        assert [(t.get_text(), t.xy) for t in ax.texts] == [("?", (1, 0))]
        assert "1 unknown" in ax.get_title()

    def test_known_cost_is_in_the_title(self):
        run = run_of(usage={"prompt_tokens": 1, "completion_tokens": 1}, cost_usd=0.25)
        assert "0.5 US dollars" in plots.usage([run, run]).get_title()
        assert "dollars" not in plots.usage([run, run_of()]).get_title()

    def test_any_number_of_runs_can_be_drawn(self):
        run = run_of(usage={"prompt_tokens": 1, "completion_tokens": 1})
        for count in (0, 1, 300):
            draw(plots.usage([run] * count))
        assert len(plots.usage([run] * 300).get_xticks()) <= 20

    def test_a_frame_gives_the_same_figure(self):
        run = run_of(usage={"prompt_tokens": 3, "completion_tokens": 4})
        assert heights(plots.usage(frames.usage(run))) == heights(plots.usage(run)) == [3]


def every_figure(run, **kwargs):
    return [
        plots.surprisal(run, **kwargs),
        plots.alternatives(run, **kwargs),
        plots.usage(run, **kwargs),
    ]


def test_any_token_can_be_drawn():
    for ax in every_figure(odd_reply()):
        draw(ax)
    ax = plots.surprisal(odd_reply())
    assert {"$", "␣$x_1$", "_a_"} <= set(written(ax))


def test_tokens_are_drawn_the_same_where_text_is_set_by_tex():
    with plt.rc_context({"text.usetex": True}):
        labels = plots.surprisal(odd_reply()).get_xticklabels()
    assert not any(label.get_usetex() for label in labels)
    assert not any(label.get_parse_math() for label in labels)


@pytest.mark.parametrize("draws", [plots.surprisal, plots.alternatives, plots.usage])
def test_given_axes_are_drawn_on_and_pyplot_is_left_alone(draws):
    plt.figure()
    before = plt.get_fignums(), plt.gca()
    ax = Figure().add_subplot()
    assert draws(reply(), ax=ax) is ax
    assert ax.has_data()
    assert (plt.get_fignums(), plt.gca()) == before
    first, second = plt.subplots(1, 2)[1]
    assert draws(reply(), ax=first) is first
    assert not second.has_data()


@pytest.mark.parametrize("draws", [plots.surprisal, plots.alternatives, plots.usage])
def test_without_axes_one_new_figure_is_made(draws):
    settings = dict(plt.rcParams)
    ax = draws(reply())
    assert isinstance(ax, Axes)
    assert plt.get_fignums() == [ax.figure.number]
    assert dict(plt.rcParams) == settings


def test_colours_are_those_of_the_style():
    with plt.style.context("dark_background"):
        for ax in every_figure(odd_reply()):
            ax.figure.canvas.draw()
            texts = [ax.title, ax.xaxis.label, *ax.get_xticklabels(), *ax.get_yticklabels()]
            assert all(same_color(text.get_color(), "white") for text in [*texts, *ax.texts])
            hatched = [patch for patch in ax.patches if patch.get_hatch()]
            assert all(same_color(patch.get_edgecolor()[:3], "white") for patch in hatched)


@pytest.mark.parametrize("draws", [plots.surprisal, plots.alternatives])
def test_what_cannot_be_drawn_is_an_error_that_says_why(draws):
    with pytest.raises(ValueError, match="logprobs=True"):
        draws(run_of(choice(text="Hello")))
    with pytest.raises(ValueError, match="here are 2"):
        draws([reply(), reply()])
    with pytest.raises(ValueError, match=r"no choice 3.* there is 0"):
        draws(reply(), choice=3)
    with pytest.raises(TypeError, match=r"not a .* frame: it has no column"):
        draws(frames.choices(reply()))
