"""Alternatives: sorted, doubles removed, the sampled token found."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat import frames
from nbchat.measures import entropy_bounds
from tests.frames.made import choice, entry, run_of, token

LOWEST_FLOAT = -3.4028234663852886e38


def rows(run, *names):
    return frames.alternatives(run)[list(names)].to_numpy(dtype=object).tolist()


def only(run):
    frame = frames.tokens(run)
    assert len(frame) == 1
    return frame.iloc[0]


def test_alternatives_are_sorted_though_the_sampled_one_came_first():
    run = run_of(choice(entry("b", -2.0, ("b", -2.0), ("a", -0.5), ("c", -3.0))))
    assert rows(run, "alternative", "token", "is_sampled") == [
        [0, "a", False],
        [1, "b", True],
        [2, "c", False],
    ]
    assert only(run)["rank"] == 2


def test_rows_in_order_and_out_of_order_stand_side_by_side():
    run = run_of(
        choice(
            entry("a", -0.5, ("a", -0.5), ("b", -1.0)),
            entry("x", -0.5),
            entry("d", -1.0, ("d", -1.0), ("c", -0.5)),
            entry("e", -0.1, ("e", -0.1), ("f", -3.0)),
        )
    )
    assert rows(run, "position", "token") == [
        *([0, "a"], [0, "b"], [1, "x"], [2, "c"], [2, "d"], [3, "e"], [3, "f"]),
    ]


def test_doubles_go_by_bytes():
    run = run_of(choice(entry("b", -2.0, ("b", -2.0), ("a", -0.5), ("b", -2.0))))
    assert rows(run, "token", "is_sampled") == [["a", False], ["b", True]]
    assert only(run)["top_k"] == 2
    assert only(run)["top_mass"] == pytest.approx(math.exp(-0.5) + math.exp(-2))


def test_doubles_go_by_id_where_there_is_one():
    same_bytes = [token("b", -2.0, number=7), token("b", -3.0, number=8)]
    run = run_of(choice(entry("b", -3.0, *same_bytes, same_bytes[0], number=8)))
    assert rows(run, "token_id", "is_sampled") == [[7, False], [8, True]]
    assert only(run)["rank"] == 2


def test_doubles_without_bytes_go_by_text():
    listed = [token("a", -0.5, data=False), token("a", -0.5, data=False)]
    run = run_of(choice(entry("a", -0.5, *listed, data=False)))
    frame = frames.alternatives(run)
    assert frame["token"].tolist() == ["a"]
    assert frame["bytes"].isna().all()


def test_halves_of_characters_that_all_read_as_u_fffd_are_not_doubles():
    half = "\ufffd"
    run = run_of(choice(entry(half, -2.0, (half, -1.0), (half, -2.0), (half, -2.0))))
    assert rows(run, "logprob", "is_sampled") == [[-1.0, False], [-2.0, True]]
    assert only(run)["rank"] == 2


def test_ties_take_the_smaller_rank():
    run = run_of(choice(entry("b", -1.0, ("a", -1.0), ("b", -1.0), ("c", -2.0))))
    assert only(run)["rank"] == 1
    assert only(run)["margin"] == 0


def test_a_sampled_token_outside_the_list_has_a_row_and_joins_the_entropy():
    run = run_of(choice(entry("z", -4.0, ("a", -0.5), ("b", -1.5))), vocab_size=50)
    assert rows(run, "token", "is_sampled", "is_listed") == [
        ["a", False, True],
        ["b", False, True],
        ["z", True, False],
    ]
    row = only(run)
    assert not row["in_top"]
    assert row["rank"] is pd.NA
    assert (row["rank_min"], row["top_k"]) == (3, 2)
    lower, upper = entropy_bounds([-0.5, -1.5], 50, sampled=-4.0)
    assert row["entropy_lo"] == pytest.approx(lower)
    assert row["entropy_hi"] == pytest.approx(upper)
    # the list itself is without it
    listed = np.exp([-0.5, -1.5])
    assert row["top_mass"] == pytest.approx(listed.sum())
    assert row["tail_mass"] == pytest.approx(1 - listed.sum())
    assert row["entropy_top"] == pytest.approx(-(listed * np.log(listed)).sum())


@pytest.mark.parametrize("sentinel", [-9999.0, LOWEST_FLOAT, math.nan])
def test_a_sentinel_is_missing_and_censored(sentinel):
    run = run_of(choice(entry("z", sentinel, ("a", -0.5), ("b", sentinel))), vocab_size=50)
    row = only(run)
    assert row["censored"]
    assert frames.tokens(run)[["logprob", "prob", "surprisal_bits", "rank"]].isna().all(axis=None)
    assert row["rank_min"] == 3
    assert row["entropy_lo"] == pytest.approx(entropy_bounds([-0.5])[0])
    assert rows(run, "token", "censored", "is_sampled") == [
        ["a", False, False],
        ["b", True, False],
        ["z", True, True],
    ]
    assert frames.alternatives(run)["cum_prob"].tolist() == pytest.approx([math.exp(-0.5)] * 3)


def test_a_token_with_no_list_at_all():
    run = run_of(choice(entry("a", math.log(0.6))), vocab_size=10)
    row = only(run)
    assert (row["top_k"], row["rank_min"], row["in_top"]) == (0, 1, False)
    missing = ["rank", "top_mass", "tail_mass", "margin", "log_margin", "entropy_top"]
    assert frames.tokens(run)[missing].isna().all(axis=None)
    lower, upper = entropy_bounds([], 10, sampled=math.log(0.6))
    assert (row["entropy_lo"], row["entropy_hi"]) == pytest.approx((lower, upper))


def test_an_impossible_row_is_shown_and_its_tail_is_not_negative():
    run = run_of(choice(entry("a", -0.1, ("a", -0.1), ("b", -0.5))), vocab_size=10)
    row = only(run)
    assert row["top_mass"] == pytest.approx(math.exp(-0.1) + math.exp(-0.5))
    assert row["tail_mass"] == 0
    assert row["entropy_lo"] == row["entropy_hi"] == pytest.approx(row["entropy_top"])


def test_without_a_vocabulary_size_there_is_no_upper_bound():
    known = run_of(choice(entry("a", -0.5, ("a", -0.5))), vocab_size=100)
    unknown = run_of(choice(entry("a", -0.5, ("a", -0.5))))
    frame = frames.tokens([known, unknown])
    assert frame["entropy_hi"].isna().tolist() == [False, True]
    assert frame["entropy_lo"].notna().all()


LETTERS = "abcdef"
values = st.one_of(st.floats(-8, -0.05), st.sampled_from([-9999.0, -1.0]))
lists = st.lists(st.tuples(st.sampled_from(LETTERS), values), max_size=8)
tables = st.lists(st.tuples(st.sampled_from(LETTERS), values, lists), max_size=6)


def by_hand(listed):
    """The list as it should be: the likeliest of each token, unknown ones last."""
    best = {}
    for text, value in listed:
        known = value if value > -9999 else -math.inf
        if text not in best or known > best[text]:
            best[text] = known
    return sorted(best.items(), key=lambda pair: -pair[1])


@pytest.mark.long
@given(st.lists(tables, max_size=3))
def test_any_lists_are_as_a_plain_reading_has_them(several):
    runs = [
        run_of(choice(*(entry(text, value, *top) for text, value, top in table)), vocab_size=60)
        for table in several
    ]
    tokens, alternatives = frames.tokens(runs), frames.alternatives(runs)
    flat = [position for table in several for position in table]
    assert len(tokens) == len(flat)
    groups = alternatives.groupby(["run_id", "position"], observed=True, sort=False)
    for (text, value, top), row, (_, group) in zip(flat, tokens.itertuples(), groups, strict=True):
        listed = by_hand(top)
        known = [v for _, v in listed if v > -math.inf]
        own = dict(listed).get(text)
        assert row.top_k == len(listed)
        assert row.in_top == (own is not None)
        if own is not None and own > -math.inf:
            assert row.rank == row.rank_min == 1 + sum(v > own for v in known)
        else:
            assert row.rank is pd.NA
        outside = value if own is None and value > -9999 else None
        lower, upper = entropy_bounds(known, 60, sampled=outside)
        assert row.entropy_lo == pytest.approx(lower)
        assert row.entropy_hi == pytest.approx(upper)
        assert group["alternative"].tolist() == list(range(len(group)))
        assert group["is_sampled"].sum() == 1
        assert group.loc[group["is_sampled"], "token"].tolist() == [text]
        assert group.loc[group["is_listed"], "logprob"].dropna().tolist() == known
        assert group["logprob"].dropna().is_monotonic_decreasing
        assert (~group["is_listed"]).sum() == (own is None)
        np.testing.assert_allclose(group["cum_prob"], group["prob"].fillna(0).cumsum())
