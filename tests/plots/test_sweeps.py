"""The figures of sweeps say what they lack, at the figure."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from nbchat import plots
from nbchat.errors import CheckError
from nbchat.sweep.comparison import compare
from nbchat.sweep.tables import agreement, table
from tests.plots.drawn import draw, legend
from tests.sweep.made import scores_of, study

NAN = float("nan")


def markers(ax):
    """Where a score stands, filled or hollow."""
    points = [line for line in ax.lines if line.get_marker() in "osD^vP" and len(line.get_xdata())]
    return {
        kind: sorted(
            float(y) for line in points for y in line.get_ydata()
            if (line.get_markerfacecolor() == "none") == (kind == "hollow")
        )
        for kind in ("filled", "hollow")
    }  # fmt: skip


class TestSweep:
    def test_points_and_intervals_are_those_of_the_table(self):
        rows = table(study(), ["temperature", "wording"])
        ax = plots.sweep(rows)
        assert ax.get_xlabel() == "temperature"
        assert ax.get_ylabel() == "right (share)"
        assert legend(ax) == ["wording plain", "wording kind"]
        drawn = markers(ax)
        assert sorted(drawn["filled"] + drawn["hollow"]) == pytest.approx(sorted(rows["mean"]))
        ends = sorted(
            end for part in ax.collections for (_, low), (_, high) in part.get_segments()
            for end in (low, high)
        )  # fmt: skip
        partial = rows[rows["missing"] > 0]
        expected = [*rows["lo"], *rows["hi"], *partial["if_wrong"], *partial["if_right"]]
        assert ends == pytest.approx(sorted(expected))

    def test_what_lacks_rows_is_hollow_and_counted(self):
        rows = table(study(), ["temperature", "wording"])
        ax = plots.sweep(rows)
        assert markers(ax)["hollow"] == pytest.approx(sorted(rows.loc[rows["missing"] > 0, "mean"]))
        assert "8 of 144 rows without a score (8 failed)" in ax.get_title().replace("\n", " ")

    def test_a_point_without_any_score_is_a_cross(self):
        frame = study()
        frame.loc[frame["temperature"] == 1.0, "right"] = NAN
        ax = plots.sweep(table(frame, "temperature"))
        assert [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "x"] == [1.0]

    def test_further_axes_have_panels_of_one_scale(self):
        frame = study()
        frame.insert(3, "model", np.where(frame["item"] % 2, "a", "b"))
        axes = plots.sweep(table(frame))
        titles = [ax.get_title().split("\n")[0] for ax in axes]
        assert titles == ["right at wording plain", "right at wording kind"]
        assert len({ax.get_ylim() for ax in axes}) == 1
        draw(axes[0])
        with pytest.raises(ValueError, match="wording need a panel for each value: leave ax out"):
            plots.sweep(table(frame), ax=Figure().add_subplot())

    def test_names_are_places_in_their_order(self):
        ax = plots.sweep(table(study(), "wording"))
        assert [label.get_text() for label in ax.get_xticklabels()] == ["plain", "kind"]

    def test_what_is_not_set_is_one_value_and_an_empty_text_has_a_name(self):
        rows = table(study().replace({"temperature": {0.0: None}, "wording": {"kind": ""}}))
        assert rows["temperature"].isna().sum() == 2  # each a NaN of its own
        ax = plots.sweep(rows, "wording")
        assert legend(ax) == ["temperature not set", "temperature 1"]
        assert [tick.get_text() for tick in ax.get_xticklabels()] == ["plain", "(empty)"]
        assert sum(map(len, markers(ax).values())) == 4
        ax = plots.sweep(rows, "temperature")
        assert [tick.get_text() for tick in ax.get_xticklabels()] == ["not set", "1"]
        assert legend(ax) == ["wording plain", "wording (empty)"]

    def test_a_value_that_is_not_set_has_one_panel(self):
        frame = study().replace({"temperature": {0.0: None}})
        frame.insert(3, "model", np.where(frame["item"] % 2, "a", "b"))
        axes = plots.sweep(table(frame), "wording", lines="model")
        titles = [ax.get_title().split("\n")[0] for ax in axes]
        assert titles == ["right at temperature not set", "right at temperature 1"]

    def test_of_many_names_as_many_are_written_as_fit(self):
        ax = plots.sweep(table(scores_of({f"model {n}": [[1], [0]] for n in range(100)})))
        names = [tick.get_text() for tick in ax.get_xticklabels()]
        assert (names[0], names[-1]) == ("model 0", "model 99")
        assert ax.get_xlabel() == f"model ({len(names)} of 100 values are labelled)"

    def test_what_is_not_there_is_refused(self):
        rows = table(study())
        with pytest.raises(CheckError, match=r"no score rigth here; there is right.*mean right"):
            plots.sweep(rows, score="rigth")
        with pytest.raises(CheckError, match="x: there is no axis model here"):
            plots.sweep(rows, "model")
        with pytest.raises(CheckError, match=r"lines: .*Did you mean temperature"):
            plots.sweep(rows, lines="temprature")
        with pytest.raises(CheckError, match=r"by: .*Did you mean wording"):
            plots.grid(rows, "wordng", "temperature")
        with pytest.raises(TypeError, match="a sweep with scores, or what its table"):
            plots.sweep(study())


class TestGrid:
    def test_cells_have_mean_interval_and_what_is_missing(self):
        rows = table(study())
        ax = plots.grid(rows, "temperature", "wording")
        texts = [text.get_text() for text in ax.texts]
        for row, text in zip(rows.to_dict("records"), texts, strict=True):
            assert text.startswith(f"{row['mean']:.3g}\n{row['lo']:.2g} to {row['hi']:.2g}")
            assert text.endswith(f"{row['missing']} missing") == (row["missing"] > 0)
        assert len(ax.patches) == 2

    def test_a_cell_without_a_score_is_hatched(self):
        frame = study()
        frame.loc[(frame["temperature"] == 1.0) & (frame["wording"] == "kind"), "right"] = NAN
        ax = plots.grid(table(frame))
        assert [text.get_text() for text in ax.texts].count("no score") == 1
        assert [patch.get_hatch() for patch in ax.patches].count("///") == 1

    def test_labels_are_thinned_until_none_covers_another(self):
        frame = scores_of({f"model {n}": [[1]] for n in range(100)})
        frame.insert(3, "temperature", 0.0)
        rows = table(frame)
        for axes in (("temperature", "model"), ("model", "temperature")):
            ax = plots.grid(rows, *axes)
            ax.figure.draw_without_rendering()
            is_across = axes[0] == "model"
            axis = ax.xaxis if is_across else ax.yaxis
            labels = axis.get_ticklabels()
            names = [label.get_text() for label in labels]
            assert (names[0], names[-1]) == ("model 0", "model 99")
            assert 10 < len(names) < 50
            assert axis.get_label_text() == f"model ({len(names)} of 100 values are labelled)"
            places = ax.transData.transform([(at, at) for at in axis.get_ticklocs()])
            room = np.abs(np.diff(places[:, 0 if is_across else 1])).min()
            if is_across:
                room *= np.sin(np.deg2rad(labels[0].get_rotation()))
            assert room >= labels[0].get_fontsize() * ax.figure.dpi / 72

    def test_few_labels_are_all_written(self):
        ax = plots.grid(table(study()), "temperature", "wording")
        assert [tick.get_text() for tick in ax.get_yticklabels()] == ["plain", "kind"]
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("temperature", "wording")

    def test_small_cells_have_a_colour_bar(self):
        frame = scores_of({f"model {n}": [[n % 2], [1]] for n in range(60)})
        frame.insert(3, "temperature", 0.0)
        ax = plots.grid(table(frame), "temperature", "model")
        assert not ax.texts
        assert [other.get_ylabel() for other in ax.figure.axes[1:]] == ["mean right"]

    def test_a_table_of_one_or_of_three_axes_is_refused(self):
        with pytest.raises(ValueError, match="a grid has two axes; there is wording"):
            plots.grid(table(study(), "wording"))
        with pytest.raises(ValueError, match="this table has item, too"):
            plots.grid(table(study(), ["temperature", "wording", "item"]))


class TestAgreement:
    def test_bars_have_the_shares_of_items(self):
        frame = scores_of({"a": [[1, 1, 1], [1, 1, 0], [0, 0, 0], [NAN, NAN, 1]]})
        ax = plots.agreement(agreement(frame, "right"))
        shares = {bar.get_label(): bar.patches[0].get_width() for bar in ax.containers}
        assert shares == pytest.approx(
            {"all alike": 0.5, "25 % or more": 0.25, "fewer than two answers": 0.25}
        )
        assert "2 rows without a value left out" in ax.get_title()
        assert any(text.get_text().startswith("mean 0.78") for text in ax.texts)


class TestDifferences:
    def test_a_row_has_the_interval_the_test_and_the_flips(self):
        compared = compare(study(), "temperature", margin=0.05)
        (row,) = compared.frame().to_dict("records")
        ax = plots.differences(compared)
        (interval,) = ax.collections[0].get_segments()
        assert interval[:, 0] == pytest.approx([row["lo"], row["hi"]])
        (text,) = [text.get_text() for text in ax.texts]
        assert f"+{row['a_higher']} -{row['b_higher']}" in text
        assert text.endswith("8 missing")
        assert "± 0.05, the margin" in ax.get_xlabel()

    def test_pairs_that_share_no_item_say_so(self):
        compared = compare(scores_of({"a": [[1], [NAN]], "b": [[NAN], [1]]}), "model")
        (text,) = [text.get_text() for text in plots.differences(compared).texts]
        assert text.startswith("no item has both")
