from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbchat import statistics
from nbchat.errors import CheckError
from nbchat.sweep.tables import agreement, table
from tests.sweep.made import gpqa, scores_of, study

NAN = float("nan")


def row_of(frame: pd.DataFrame, **point: Any) -> dict[str, Any]:
    for name, value in point.items():
        frame = frame[frame[name] == value]
    (row,) = frame.to_dict("records")
    return {str(name): value for name, value in row.items()}


def test_means_are_over_items_with_the_interval_of_items() -> None:
    frame = gpqa()
    rows = table(frame)
    for model, part in frame.groupby("model"):
        expected = statistics.mean_interval(part["right"].to_numpy().reshape(198, 5))
        row = row_of(rows, model=model)
        figures = [row[name] for name in ("mean", "lo", "hi", "n_items")]
        assert figures == pytest.approx(list(expected[:4]))
        assert (row["method"], row["n_rows"], row["missing"]) == ("t", 990, 0)


def test_items_of_many_repeats_count_as_much_as_those_of_few() -> None:
    frame = scores_of({"a": [[1, 1, 1, 1], [0]]})
    assert row_of(table(frame))["mean"] == 0.5


@pytest.mark.parametrize("status", ["error", "refused", "not_sent"])
def test_rows_without_an_answer_are_missing_counted_and_bounded(status: str) -> None:
    frame = scores_of({"a": [[1, NAN], [0, 1], [NAN, NAN]]}, status)
    row = row_of(table(frame))
    assert row["mean"] == 0.75
    assert (row["n_items"], row["n_rows"], row["missing"]) == (2, 6, 3)
    assert (row["answered"], row[status]) == (3, 3)
    assert (row["if_wrong"], row["if_right"]) == pytest.approx((1 / 3, 5 / 6))


def test_items_of_fewer_repeats_lack_nothing() -> None:
    row = row_of(table(scores_of({"a": [[1, 1], [0]]})))
    assert row["if_wrong"] == row["if_right"] == row["mean"] == 0.5


def test_without_any_score_there_is_no_mean_and_no_bound() -> None:
    row = row_of(table(scores_of({"a": [[NAN], [NAN]]}, "not_sent")))
    assert np.isnan([row["mean"], row["lo"], row["if_right"]]).all()
    assert (row["n_items"], row["missing"], row["not_sent"]) == (0, 2, 2)


def test_bounds_are_for_right_and_wrong_alone() -> None:
    row = row_of(table(scores_of({"a": [[0.4], [2.0], [NAN]]})))
    assert np.isnan(row["if_wrong"])


@pytest.mark.parametrize(("interval", "method"), [("auto", "wilson"), ("exact", "exact")])
def test_single_answers_are_shares(interval: Any, method: str) -> None:
    row = row_of(table(scores_of({"a": [[1]] * 7 + [[0]] * 3}), interval=interval))
    expected = statistics.proportion_interval(7, 10, method=method)  # type: ignore[arg-type]
    assert (row["lo"], row["hi"], row["method"]) == (expected.lo, expected.hi, method)


def test_groups_are_drawn_together_and_the_same_each_time() -> None:
    frame = study(n_items=12)
    frame.insert(2, "topic", frame["item"] // 3)
    row = row_of(table(frame, (), groups="topic", seed=5))
    values = frame.sort_values("item", kind="stable")["right"].to_numpy().reshape(12, -1)
    expected = statistics.cluster_bootstrap(values, np.arange(12) // 3, seed=5)
    assert (row["lo"], row["hi"]) == pytest.approx((expected.lo, expected.hi))
    assert (row["method"], row["n_items"]) == ("bootstrap", 4)


def test_a_table_is_by_what_is_named() -> None:
    frame = study()
    assert len(table(frame)) == 4
    assert table(frame, "temperature")["temperature"].tolist() == [0.0, 1.0]
    assert row_of(table(frame, ()))["n_rows"] == len(frame)


def test_a_frame_that_was_saved_and_read_has_the_same_figures() -> None:
    frame = study()
    again = pd.read_csv(io.StringIO(frame.to_csv(index=False)))
    pd.testing.assert_frame_equal(table(again, k=2), table(frame, k=2))


def test_pass_at_k_and_pass_hat_k_are_means_over_items() -> None:
    frame = gpqa()
    row = row_of(table(frame, k=[1, 3]), model="gpt_5_nano")
    right = frame[frame["model"] == "gpt_5_nano"].groupby("item")["right"].sum()
    for name, chance in (("pass@3", statistics.pass_at_k), ("pass^3", statistics.pass_hat_k)):
        assert row[name] == pytest.approx(np.mean(chance(5, right, 3)))
        assert row[f"{name}_lo"] < row[name] < row[f"{name}_hi"]
    assert row["pass@1"] == row["pass^1"] == pytest.approx(row["mean"])


def test_chances_of_passes_lie_between_0_and_1() -> None:
    frame = pd.DataFrame({"item": np.repeat([0, 1, 2], 5), "right": [0] * 10 + [1, 1, 0, 0, 0]})
    (row,) = table(frame, score="right", by=[], k=[1, 2]).to_dict("records")
    for name in ("pass@1", "pass@2", "pass^2"):
        assert row[f"{name}_lo"] == 0.0 < row[name] < row[f"{name}_hi"]
    assert (row["lo"], row["hi"]) == pytest.approx((row["pass@1_lo"], row["pass@1_hi"]))


def test_variances_within_and_between_items_are_those_of_the_analysis_of_variance() -> None:
    frame = gpqa()
    row = row_of(table(frame), model="gpt_5_nano")
    values = frame[frame["model"] == "gpt_5_nano"]["right"].to_numpy().reshape(198, 5)
    expected = statistics.variance_components(values)
    assert (row["between"], row["within"]) == pytest.approx((expected.between, expected.within))


def test_agreement_is_of_each_item() -> None:
    frame = scores_of({"a": [[1, 1, 0], [1, 1, 1], [NAN, 1, NAN]]})
    found = agreement(frame, "right")
    assert found["agreement"].tolist()[:2] == pytest.approx([1 / 3, 1])
    assert np.isnan(found["agreement"].iloc[2])
    assert found["missing"].tolist() == [0, 0, 2]
    assert found["commonest"].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"score": "rigth"}, "there is no score rigth. Did you mean right"),
        ({"by": "modle"}, "there is no axis or column modle. Did you mean model"),
        ({"groups": "topic"}, "groups: there is no axis or column topic"),
        ({"interval": "z"}, 'interval is "z", but it must be one of'),
        ({"level": 95}, "level is 95, but it must be between 0 and 1"),
        ({"k": 0}, "k is 0, but it must be a whole number"),
    ],
)
def test_what_is_not_there_is_refused(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(CheckError, match=sentence):
        table(gpqa(), **arguments)


def test_a_frame_without_items_or_scores_is_refused() -> None:
    with pytest.raises(CheckError, match="frame without item"):
        table(pd.DataFrame({"right": [1]}))
    with pytest.raises(CheckError, match="There are no scores here"):
        table(gpqa().drop(columns="right"))
    with pytest.raises(CheckError, match="other numbers"):
        table(scores_of({"a": [[0.5]]}), k=1)
