import itertools
import math

import numpy as np
import pytest

from nbchat import frames, plots
from tests.frames.made import choice, entry, run_of
from tests.plots.drawn import LN2, draw, heights, legend, reply


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

    @pytest.mark.long
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


def halves(count, **facts):
    """Positions at which two tokens share 0.75, and the rest is unseen."""
    listed = [("a", math.log(0.5)), ("b", math.log(0.25))]
    return run_of(choice(*(entry("a", math.log(0.5), *listed) for _ in range(count))), **facts)


class TestEntropy:
    def test_a_bar_from_bound_to_bound_in_bits(self):
        run = halves(2, vocab_size=6)
        ax = plots.entropy(run)
        tokens = frames.tokens(run)
        (bars,) = ax.containers
        assert [bar.get_y() for bar in bars] == pytest.approx(tokens["entropy_lo"] / LN2)
        tops = [bar.get_y() + bar.get_height() for bar in bars]
        assert tops == pytest.approx(tokens["entropy_hi"] / LN2)
        assert legend(ax) == ["between its bounds"]
        assert not ax.lines  # nothing is drawn between the bounds
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("token", "entropy (bits)")
        assert ax.get_title() == "Entropy at 2 positions"

    def test_a_whole_row_has_a_line_at_the_exact_value(self):
        listed = [("a", math.log(0.5)), ("b", math.log(0.25)), ("c", math.log(0.25))]
        ax = plots.entropy(run_of(choice(entry("a", math.log(0.5), *listed)), vocab_size=3))
        (lines,) = ax.collections
        np.testing.assert_allclose(lines.get_segments()[0][:, 1], 1.5)
        assert not ax.containers
        assert legend(ax) == ["exact"]

    def test_without_a_vocabulary_an_arrow_stands_on_the_lower_bound(self):
        run = halves(3)
        ax = plots.entropy(run)
        (arrows,) = ax.lines
        assert arrows.get_linestyle() == "None"
        assert arrows.get_ydata() == pytest.approx(frames.tokens(run)["entropy_lo"] / LN2)
        assert legend(ax) == ["at least (vocabulary unknown)"]

    def test_all_three_stand_side_by_side(self):
        listed = [("a", math.log(0.5)), ("b", math.log(0.25))]
        whole = entry("a", math.log(0.5), ("a", math.log(0.5)), ("b", math.log(0.5)))
        part = entry("a", -LN2, *listed)
        frame = frames.tokens(run_of(choice(part, whole, part), vocab_size=9))
        frame.loc[2, "entropy_hi"] = math.nan
        ax = plots.entropy(frame)
        assert sorted(legend(ax)) == [
            "at least (vocabulary unknown)",
            "between its bounds",
            "exact",
        ]

    @pytest.mark.long
    def test_what_is_drawn_stays_below_the_legend(self):
        for count in (1, 12, 400):
            ax = plots.entropy(halves(count, vocab_size=1000))
            ax.figure.canvas.draw()
            tops = [bar.get_window_extent().y1 for bar in ax.containers[0]]
            assert max(tops) <= ax.get_legend().get_window_extent().y0

    @pytest.mark.long
    @pytest.mark.parametrize("count", [1, 2, 40, 3000])
    def test_any_length_can_be_drawn(self, count):
        draw(plots.entropy(halves(count, vocab_size=1000)))

    def test_a_position_of_nothing_known_can_be_drawn(self):
        draw(plots.entropy(run_of(choice(entry("a", -9999.0)))))


def test_a_long_reply_is_one_object_and_not_one_for_each_token():
    run = run_of(choice(*(entry("a", -1.0) for _ in range(1001))))
    ax = plots.surprisal(run)
    assert len(ax.patches) == 0
    (lines,) = (made for made in ax.collections)
    assert len(lines.get_segments()) == 1001
    assert lines.get_segments()[0][1][1] == pytest.approx(1 / math.log(2))
