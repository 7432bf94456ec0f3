import math

import numpy as np
import pytest

from nbchat import plots
from nbchat.measures import (
    calibration,
    calibration_band,
    calibration_interval,
    fit_temperature,
    risk_coverage,
)
from tests.plots.drawn import classified, draw, legend


def in_one_line(title):
    """Wherever a narrow title has its line ends."""
    return " ".join(title.split())


class TestReliability:
    def test_points_counts_and_errors_are_those_of_the_measure(self):
        stated, right = [0.95, 0.95, 0.55, 0.25], [1, 0, 1, 0]
        ax = plots.reliability(stated, right)
        diagonal, points = ax.lines[:2]
        assert list(diagonal.get_xdata()) == list(diagonal.get_ydata()) == [0, 1]
        assert points.get_xdata() == pytest.approx([0.25, 0.55, 0.95])
        assert points.get_ydata() == pytest.approx([0, 1, 0.5])
        assert [text.get_text() for text in ax.texts][:3] == ["1", "1", "2"]
        found = calibration(stated, right)
        assert in_one_line(ax.get_title()) == in_one_line(
            f"Calibration of 4 answers\nexpected calibration error {found.ece:.3f}, "
            f"largest {found.mce:.3f}\n{self.intervals(stated, right)}"
        )

    @staticmethod
    def intervals(stated, right):
        found = calibration_interval(stated, right)
        names = {"error": found.ece, "accuracy": found.accuracy, "AUROC": found.auroc}
        parts = [f"{name} {low:.2f}–{high:.2f}" for name, (low, high) in names.items()]
        return "95 % (bootstrap): " + ", ".join(parts)

    def test_the_log_loss_stands_there_before_and_after_a_temperature(self):
        stated = np.array([0.99, 0.98, 0.97, 0.9, 0.95, 0.99])
        right = np.array([1, 0, 1, 0, 1, 0])
        fit = fit_temperature(stated, right)
        title = plots.reliability(stated, right, temperature=fit.temperature).get_title()
        assert f"log loss {fit.log_loss_before:.3f} nats" in title
        assert f"after scaling {fit.log_loss_after:.3f}" in title
        assert "accuracy" in title

    def test_an_interval_that_is_not_known_is_left_out(self):
        assert "AUROC" not in plots.reliability([0.9, 0.8], [1, 1]).get_title()

    def test_the_band_is_the_same_each_time(self):
        low, high = calibration_band([0.95, 0.95, 0.55, 0.25])
        for _ in range(2):
            (bars,) = plots.reliability([0.95, 0.95, 0.55, 0.25], [1, 0, 1, 0]).containers
            assert [bar.get_y() for bar in bars] == pytest.approx(low[[2, 5, 9]])
            tops = [bar.get_y() + bar.get_height() for bar in bars]
            assert tops == pytest.approx(high[[2, 5, 9]])

    def test_a_classified_frame_counts_its_predictions(self):
        frame = classified(12)
        ax = plots.reliability(frame)
        assert "12 answers" in ax.get_title()
        predicted = frame[frame["is_predicted"]]
        expected = calibration(predicted["prob"], predicted["is_correct"])
        assert f"{expected.ece:.3f}" in ax.get_title()

    def test_what_is_unknown_is_left_out(self):
        assert "2 answers" in plots.reliability([0.5, math.nan, 0.9], [1, 1, 0]).get_title()
        frame = classified(3)
        frame["is_correct"] = frame["is_correct"].astype("boolean")
        frame.loc[frame["prompt"] == 0, "is_correct"] = None
        assert "2 answers" in plots.reliability(frame).get_title()

    @pytest.mark.long
    @pytest.mark.parametrize("count", [1, 5000])
    def test_any_number_of_answers_can_be_drawn(self, count):
        stated = np.linspace(0, 1, count + 2)[1:-1]
        draw(plots.reliability(stated, stated > 0.4, bins=15))


class TestRiskCoverage:
    def test_the_curve_is_the_measure_in_percent(self):
        stated, right = [0.9, 0.8, 0.6, 0.1], [True, False, True, False]
        ax = plots.risk_coverage(stated, right)
        curve = risk_coverage(stated, right)
        assert ax.lines[0].get_xdata() == pytest.approx(100 * curve.coverage)
        assert ax.lines[0].get_ydata() == pytest.approx(100 * curve.risk)
        assert ax.lines[1].get_ydata()[-1] == pytest.approx(50)
        assert f"area {curve.aurc:.3f}, at best {curve.aurc_least:.3f}" in ax.get_title()
        assert legend(ax) == ["these answers, surest first", "best possible", "in any order"]

    def test_a_classified_frame_will_do(self):
        assert "12 answers" in plots.risk_coverage(classified(12)).get_title()

    @pytest.mark.parametrize("count", [1, 5000])
    def test_any_number_of_answers_can_be_drawn(self, count):
        stated = np.linspace(0, 1, count)
        draw(plots.risk_coverage(stated, stated > 0.4))


@pytest.mark.parametrize("draws", [plots.reliability, plots.risk_coverage])
def test_what_cannot_be_drawn_is_an_error_that_says_why(draws):
    with pytest.raises(ValueError, match="truth="):
        draws(classified().drop(columns=["truth", "is_correct"]))
    with pytest.raises(TypeError, match=r"what nbchat.classify gives.*no column label"):
        draws(classified().drop(columns="label"))
    with pytest.raises(TypeError, match="gives, got list"):
        draws([0.5, 0.5])
    with pytest.raises(ValueError, match="do not fit"):
        draws([0.5, 0.5], [1])
    with pytest.raises(ValueError, match="there is no answer"):
        draws([math.nan], [1])
