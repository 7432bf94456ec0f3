import math

import numpy as np
import pytest

from nbchat import frames, plots
from tests.frames.made import choice, entry, run_of
from tests.plots.drawn import draw, legend, odd_reply, reply, written


def of_ranks(*ranks, length=5):
    """A reply whose tokens have these ranks, None outside the list."""
    listed = [(f"t{i}", -1.0 - 0.1 * i) for i in range(length)]
    entries = [
        entry("z", -9.0, *listed) if rank is None else entry(*listed[rank - 1], *listed)
        for rank in ranks
    ]
    return run_of(choice(*entries))


def bars(ax):
    return [bar.get_height() for bars in ax.containers for bar in bars]


class TestRanks:
    def test_shares_with_numbers_above_them(self):
        ax = plots.ranks(of_ranks(1, 1, 2, None))
        assert bars(ax) == [50, 25, 0, 0, 0, 25]
        assert [label.get_text() for label in ax.get_xticklabels()] == [
            *"12345",
            "outside\nthe list",
        ]
        assert [text.get_text() for text in ax.texts] == ["2", "1", "", "", "", "1"]
        assert ax.containers[1][0].get_hatch()
        assert ax.get_ylabel() == "share of the tokens (%)"
        assert ax.get_title() == "Ranks of 4 tokens"

    def test_all_runs_count_together(self):
        ax = plots.ranks([of_ranks(1), of_ranks(2, 2, 2)])
        assert bars(ax)[:2] == [25, 75]
        assert ax.get_title() == "Ranks of 4 tokens in 2 runs"

    def test_long_lists_are_counted_in_stretches(self):
        ax = plots.ranks(of_ranks(1, 9, 10, 20, 21, 300, length=400))
        names = [label.get_text() for label in ax.get_xticklabels()]
        counts = dict(zip(names, (round(6 * share / 100) for share in bars(ax)), strict=True))
        assert counts["1"] == counts["9"] == 1
        assert (counts["10–20"], counts["21–100"], counts["101–400"]) == (2, 1, 1)
        assert sum(counts.values()) == 6

    def test_positions_without_a_list_are_told_apart(self):
        ax = plots.ranks(run_of(choice(entry("a", -1.0), entry("b", -1.0, ("b", -1.0)))))
        assert bars(ax) == [50, 0, 50]
        assert "no\nlist" in written(ax)

    def test_without_any_list_it_says_how_to_ask(self):
        with pytest.raises(ValueError, match="top_logprobs=5"):
            plots.ranks(run_of(choice(entry("a", -1.0))))

    def test_a_frame_gives_the_same_figure(self):
        run = of_ranks(1, 3, None)
        assert bars(plots.ranks(frames.tokens(run))) == bars(plots.ranks(run))


def of_masses(*rows):
    return run_of(
        choice(
            *(
                entry("t0", math.log(row[0]), *((f"t{i}", math.log(p)) for i, p in enumerate(row)))
                for row in rows
            )
        )
    )


class TestCoverage:
    def test_the_median_and_the_band_of_the_mass_of_the_top_k(self):
        rows = [[0.5, 0.25], [0.4, 0.1], [0.9, 0.05]]
        ax = plots.coverage(of_masses(*rows))
        covered = np.cumsum(rows, axis=1)
        np.testing.assert_allclose(ax.lines[0].get_ydata(), np.median(covered, axis=0))
        band = ax.collections[0].get_paths()[0].vertices[:, 1]
        assert band.min() == pytest.approx(np.quantile(covered[:, 0], 0.1))
        assert band.max() == pytest.approx(np.quantile(covered[:, 1], 0.9))
        assert legend(ax) == ["10th to 90th percentile", "median"]
        assert ax.get_title() == "Mass of the top K at 3 positions"

    def test_a_token_outside_its_list_does_not_count(self):
        ax = plots.coverage(
            run_of(choice(entry("z", math.log(0.3), ("a", math.log(0.2)), ("b", math.log(0.1)))))
        )
        assert ax.lines[0].get_ydata() == pytest.approx([0.2, 0.3])

    def test_k_ends_where_most_lists_do(self):
        ax = plots.coverage(of_masses([0.5, 0.2], [0.5, 0.2], [0.5, 0.2, 0.1, 0.1]))
        assert len(ax.lines[0].get_xdata()) == 2
        ax = plots.coverage(of_masses([0.5, 0.2], [0.5, 0.2, 0.1]))
        assert ax.lines[0].get_ydata() == pytest.approx([0.5, 0.7, 0.8])

    def test_several_runs_and_a_frame(self):
        runs = [of_masses([0.5, 0.2]), of_masses([0.7, 0.2])]
        for source in (runs, frames.alternatives(runs)):
            assert plots.coverage(source).lines[0].get_ydata() == pytest.approx([0.6, 0.8])

    def test_one_position_shows_its_tokens_and_what_is_unseen(self):
        ax = plots.coverage(of_masses([0.9, 0.05], [0.5, 0.25]), position=-1)
        assert ax.lines[0].get_ydata() == pytest.approx([0.5, 0.75])
        assert [text.get_text() for text in ax.texts] == ["t0", "t1"]
        assert legend(ax) == ["unseen: 0.25"]
        assert ax.get_title() == "Mass of the top K at position 1\nafter “t0”"
        with pytest.raises(IndexError, match="no position 2"):
            plots.coverage(of_masses([0.5]), position=2)

    def test_a_whole_vocabulary_is_drawn_on_a_logarithmic_axis(self):
        probs = np.full(3000, 1 / 3000)
        for position in (None, 0):
            ax = plots.coverage(of_masses(probs), position=position)
            assert ax.get_xscale() == "log"
            assert ax.lines[0].get_ydata()[-1] == pytest.approx(1)
            assert not ax.texts

    def test_without_any_list_it_says_how_to_ask(self):
        for position in (None, 0):
            with pytest.raises(ValueError, match="top_logprobs=5"):
                plots.coverage(run_of(choice(entry("a", -1.0))), position=position)

    def test_any_token_can_be_drawn(self):
        draw(plots.coverage(odd_reply(), position=2))
        draw(plots.coverage(reply(1)))
