import math

import numpy as np
import pytest
from matplotlib.colors import same_color

from nbchat import frames, plots
from nbchat.measures import temper
from tests.frames.made import choice, entry, run_of
from tests.plots.drawn import draw, legend, odd_reply, reply, written


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


def row(*probs, **facts):
    listed = [(f"t{i}", math.log(p)) for i, p in enumerate(probs)]
    return run_of(choice(entry("t0", math.log(probs[0]), *listed)), **facts)


def curves(ax):
    """The lines of each token, upper bound and lower bound, and the temperatures."""
    lines = ax.lines[:-1]  # the last marks T = 1
    bounds = [(lines[i].get_ydata(), lines[i + 1].get_ydata()) for i in range(0, len(lines), 2)]
    return lines[0].get_xdata(), bounds


class TestTemperatures:
    def test_bands_are_those_of_temper_with_what_is_known_of_unseen_tokens(self):
        ax = plots.temperatures(row(0.5, 0.3, vocab_size=4))
        at, bounds = curves(ax)
        where = int(np.flatnonzero(at == 1.5)[0])
        lower, upper = temper(np.log([0.5, 0.3]), 1.5, 4, math.log(0.3))
        assert [high[where] for high, _ in bounds] == pytest.approx(upper)
        assert [low[where] for _, low in bounds] == pytest.approx(lower)
        assert legend(ax) == ["t0", "t1", "unseen (all others)"]

    def test_a_whole_row_has_no_width(self):
        _, bounds = curves(plots.temperatures(row(0.5, 0.3, 0.2, vocab_size=3)))
        for high, low in bounds:
            np.testing.assert_allclose(high, low)

    def test_at_one_stands_what_the_server_sent(self):
        ax = plots.temperatures(row(0.5, 0.3, vocab_size=4))
        at, bounds = curves(ax)
        where = int(np.flatnonzero(at == 1.0)[0])
        assert [high[where] for high, _ in bounds] == pytest.approx([0.5, 0.3])
        unseen = ax.collections[-1].get_paths()[0].vertices
        assert unseen[np.isclose(unseen[:, 0], 1.0), 1] == pytest.approx(0.2)

    def test_many_tokens_share_a_band_and_nothing_is_lost(self):
        probs = [0.4 / 2**i for i in range(12)]
        ax = plots.temperatures(row(*probs, vocab_size=1000))
        assert legend(ax)[-2:] == ["6 more listed", "unseen (all others)"]
        at, bounds = curves(ax)
        where = int(np.flatnonzero(at == 1.0)[0])
        assert sum(high[where] for high, _ in bounds) == pytest.approx(sum(probs))

    def test_tempered_log_probabilities_are_taken_back_to_their_own_temperature(self):
        raw = row(0.6, 0.4, vocab_size=2, logprob_basis="raw", params={"temperature": 0.5})
        weights = np.array([0.6, 0.4]) ** 2
        tempered = row(
            *(weights / weights.sum()),
            vocab_size=2,
            logprob_basis="tempered",
            params={"temperature": 0.5},
        )
        ax = plots.temperatures(tempered)
        assert ax.get_xlabel() == "temperature"
        for (high, _), (expected, _) in zip(
            curves(ax)[1], curves(plots.temperatures(raw))[1], strict=True
        ):
            np.testing.assert_allclose(high, expected)

    def test_where_the_basis_is_unknown_the_axis_says_so(self):
        assert "1: that of the log prob" in plots.temperatures(row(0.5, 0.3)).get_xlabel()

    def test_lines_are_told_apart_without_colour(self):
        lines = plots.temperatures(row(*[0.1] * 6)).lines[:-1]
        assert len({str(line._unscaled_dash_pattern) for line in lines[::2]}) == 6

    def test_a_frame_needs_the_size_of_the_vocabulary(self):
        run = row(0.5, 0.3, vocab_size=4)
        frame = frames.alternatives(run)
        given = curves(plots.temperatures(frame, vocab_size=4))[1]
        np.testing.assert_allclose(given, curves(plots.temperatures(run))[1])
        unknown = curves(plots.temperatures(frame))[1]
        assert unknown[0][1][-1] == 0

    def test_where_nothing_is_known_it_says_so(self):
        with pytest.raises(ValueError, match="no probability is known"):
            plots.temperatures(run_of(choice(entry("a", -9999.0))))
        with pytest.raises(IndexError, match="no position 7"):
            plots.temperatures(reply(2), 7)

    def test_any_token_can_be_drawn(self):
        draw(plots.temperatures(odd_reply(), 2))


@pytest.mark.parametrize("draw", [plots.alternatives, plots.temperatures])
@pytest.mark.parametrize("position", [1.5, "x", True])
def test_a_position_is_a_whole_number(draw, position):
    run = run_of(choice(entry("a", -1.0, ("a", -1.0)), entry("b", -1.0, ("b", -1.0))))
    with pytest.raises(TypeError, match="must be a whole number"):
        draw(run, position)
