from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbchat import statistics
from nbchat.errors import CheckError
from nbchat.sweep.comparison import compare
from tests.sweep.made import gpqa, scores_of, study

NAN = float("nan")


def only(frame: pd.DataFrame) -> dict[str, Any]:
    (row,) = frame.to_dict("records")
    return {str(name): value for name, value in row.items()}


def test_the_published_comparison_is_the_published_one() -> None:
    row = only(compare(gpqa(), "model", "right").frame())
    figures = [round(100 * row[name], 1) for name in ("difference", "lo", "hi")]
    assert figures == [5.9, 0.4, 11.3]
    assert (row["a"], row["b"], row["n_items"]) == ("gpt_5_nano", "gpt_5_4_mini", 198)
    assert row["p"] == pytest.approx(0.036, abs=0.01)
    assert row["verdict"] == "a"


def test_rows_in_another_order_change_nothing() -> None:
    frame = gpqa()
    first = frame["model"] == "gpt_5_nano"
    mixed = pd.concat([frame[first].sample(frac=1, random_state=3), frame[~first]])
    a, b = (compare(each, "model").frame() for each in (frame, mixed))
    pd.testing.assert_frame_equal(a.drop(columns=["p", "p_holm"]),
                                  b.drop(columns=["p", "p_holm"]))  # fmt: skip


def test_single_answers_have_exact_mcnemar() -> None:
    a, b = [1, 1, 1, 1, 1, 0, 0, 1], [0, 0, 0, 0, 1, 0, 0, 0]
    row = only(compare(scores_of({"a": [[x] for x in a], "b": [[x] for x in b]}), "model").frame())
    assert row["p"] == statistics.mcnemar(a, b).p
    assert (row["test"], row["a_higher"], row["b_higher"]) == ("McNemar, exact", 5, 0)


def test_repeats_have_a_permutation_of_items() -> None:
    frame = gpqa()
    tables = [part["right"].to_numpy().reshape(198, 5) for _, part in
              frame.groupby("model", sort=False)]  # fmt: skip
    assert only(compare(frame, "model").frame())["p"] == statistics.permutation(*tables).p


def test_items_that_one_lacks_are_left_out_counted_and_bounded() -> None:
    frame = scores_of({"a": [[1], [1], [0], [NAN]], "b": [[0], [1], [0], [1]]})
    row = only(compare(frame, "model").frame())
    assert (row["n_items"], row["missing"], row["difference"]) == (3, 1, pytest.approx(1 / 3))
    assert (row["if_least"], row["if_most"]) == (0.0, 0.25)


def test_without_a_shared_item_nothing_is_told() -> None:
    compared = compare(scores_of({"a": [[1], [NAN]], "b": [[NAN], [1]]}), "model")
    row = only(compared.frame())
    assert np.isnan([row["difference"], row["p"]]).all()
    assert row["verdict"] == "open"
    assert "no item has a score at both" in repr(compared)


def test_points_of_other_axes_are_paired_too() -> None:
    frame = study()
    frame.loc[(frame["wording"] == "kind") & (frame["temperature"] == 1.0), "right"] = NAN
    of_both = only(compare(frame, "wording").frame())
    at_0 = only(compare(frame[frame["temperature"] == 0.0], "wording").frame())
    assert of_both["difference"] == at_0["difference"]
    apart = compare(frame, "wording", by="temperature").frame()
    assert apart["temperature"].tolist() == [0.0, 1.0]
    assert apart["n_items"].tolist() == [12, 0]


def test_points_at_which_an_axis_is_not_set_are_paired() -> None:
    frame = study()
    without = frame.assign(temperature=frame["temperature"].replace(0.0, None).astype(float))
    assert without["temperature"].isna().any()
    columns = ["difference", "lo", "hi", "p", "a_higher", "b_higher"]
    a, b = (compare(each, "wording").frame()[columns] for each in (frame, without))
    pd.testing.assert_frame_equal(a, b)


def test_what_is_not_set_and_an_empty_text_have_names_in_words() -> None:
    frame = study().replace({"temperature": {0.0: None}, "wording": {"kind": ""}})
    assert "right, not set - 1: " in repr(compare(frame, "temperature"))
    of_both = compare(frame, "wording", by="temperature")
    assert "right, plain - (empty) at temperature not set: " in repr(of_both)
    assert "<td>(empty)</td>" in of_both._repr_html_()
    assert "<td>not set</td>" in of_both._repr_html_()


def test_of_many_pairs_the_first_are_told_in_lines() -> None:
    compared = compare(scores_of({f"m{n}": [[1], [0]] for n in range(8)}), "model")
    lines = repr(compared).splitlines()
    assert len(compared.frame()) == 28
    assert len(lines) == 22
    assert max(map(len, lines)) < 120
    assert lines[-1] == "  … 8 pairs more: frame() has all>"


def test_p_values_hold_for_all_pairs_together() -> None:
    rng = np.random.default_rng(2)
    shares = {"a": 0.9, "b": 0.5, "c": 0.4, "d": 0.35}
    frame = scores_of({
        name: (rng.random((30, 4)) < share).astype(float).tolist() for name, share in shares.items()
    })  # fmt: skip
    found = compare(frame, "model").frame()
    assert len(found) == 6
    assert found["p_holm"].to_numpy() == pytest.approx(statistics.holm(found["p"]))
    assert found["verdict"].tolist()[:3] == ["a"] * 3


@pytest.mark.parametrize(("margin", "verdict"), [(0.2, "tied"), (0.02, "open"), (None, "open")])
def test_tied_is_said_where_a_margin_is_met(margin: float | None, verdict: str) -> None:
    rng = np.random.default_rng(4)
    same = (rng.random((60, 5)) < 0.5).astype(float)
    other = (rng.random((60, 5)) < 0.5).astype(float)
    frame = scores_of({"a": same.tolist(), "b": other.tolist()})
    assert only(compare(frame, "model", margin=margin).frame())["verdict"] == verdict


def test_few_items_that_never_differ_are_not_tied() -> None:
    frame = scores_of({"a": [[1]] * 8, "b": [[1]] * 8})
    row = only(compare(frame, "model", margin=0.1).frame())
    assert (row["difference"], row["verdict"]) == (0.0, "open")
    assert row["lo"] < -0.1 < 0.1 < row["hi"]


def test_flips_name_their_items_rows_and_runs() -> None:
    frame = scores_of({"a": [[1, 1], [1, 0], [0, 0]], "b": [[0, 0], [1, 0], [1, 0]]})
    flips = compare(frame, "model").flips("a", "b")
    assert flips["item"].tolist() == [0, 2]
    assert flips["higher"].tolist() == ["a", "b"]
    assert flips["a_rows"].tolist() == [["a/0/0", "a/0/1"], ["a/2/0", "a/2/1"]]
    assert flips["b_runs"].tolist()[0] == ["run b/0/0", "run b/0/1"]


def test_flips_are_of_the_pair_that_is_named() -> None:
    compared = compare(study(), "temperature")
    assert len(compared.flips(0, 1)) == len(compared.flips(1.0)) == len(compared.flips()) > 0
    with pytest.raises(CheckError, match=r"no pair of 0 and 2: temperature has 0, 1"):
        compared.flips(0, 2)


def test_groups_are_swapped_together() -> None:
    frame = study()
    frame.insert(2, "topic", frame["item"] // 3)
    row = only(compare(frame, "wording", groups="topic").frame())
    assert (row["n_items"], row["test"]) == (4, "permutation, exact")
    assert row["p"] >= 2 / 2**4


def test_a_frame_that_was_saved_and_read_is_compared_the_same() -> None:
    frame = study()
    again = pd.read_csv(io.StringIO(frame.to_csv(index=False)))
    pd.testing.assert_frame_equal(
        compare(again, "wording").frame(), compare(frame, "wording").frame()
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"axis": "modle"}, "there is no axis or column modle. Did you mean model"),
        ({"axis": "status"}, "status has one value"),
        ({"axis": "model", "score": "rigth"}, "no score rigth"),
        ({"axis": "model", "margin": 0}, "margin is 0, but it must be a number above 0"),
    ],
)
def test_what_cannot_be_compared_is_refused(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(CheckError, match=sentence):
        compare(gpqa(), **arguments)
