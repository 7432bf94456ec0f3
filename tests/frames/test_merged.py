"""Characters of several tokens that a server sends in one row, as llama.cpp does."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nbchat import frames
from nbchat.measures import bits_per_byte, perplexity
from tests.frames.made import choice, entry, run_of, token

# as llama.cpp sent it: "Say: 🦊🦊", the row has the id and the logprob of the fox's last byte
LAST = -0.3409760892391205
PIECE = token("\ufffd", LAST, b"\x8a", 228)
OTHER = token("\ufffd", -1.623923659324646, b"\x8b", 229)
FOX = entry("🦊", LAST, PIECE, OTHER, number=228)


def counted(n: int) -> dict[str, int]:
    return {"prompt_tokens": 3, "completion_tokens": n}


@pytest.mark.parametrize(
    "merged",
    [
        FOX,
        entry(" 🦊", LAST, PIECE, OTHER, number=228),
        # a server without ids, and one without bytes
        entry("🦊", LAST, token("\ufffd", LAST, b"\x8a"), token("\ufffd", -2.0, b"\x8b")),
        entry("é", LAST, token("\ufffd", LAST, data=False), data=False),
    ],
)
def test_a_character_with_a_piece_in_its_place_has_no_probability(merged):
    run = run_of(choice(entry("Hi ", -1.0, ("Hi ", -1.0)), merged), usage=counted(4))
    tokens = frames.tokens(run)
    assert tokens["is_merged"].tolist() == [False, True]
    assert tokens["censored"].tolist() == [False, False]
    for name in ("logprob", "prob", "surprisal_bits", "rank"):
        assert tokens[name].isna().tolist() == [False, True], name
    assert tokens["rank_min"].tolist() == [1, 1]
    assert "".join(tokens["text"]) == run.text
    # what stands in the list is of its last piece, and true of that
    assert tokens["entropy_lo"].notna().all()
    assert frames.alternatives(run).query("position == 1")["logprob"].max() == LAST


def test_a_piece_that_was_not_listed_is_known_by_its_id_elsewhere():
    elsewhere = entry("Hi", -1.0, ("Hi", -1.0), PIECE)
    unlisted = entry("🦊", -9.0, OTHER, number=228)
    alone = run_of(choice(unlisted, text="🦊"), usage=counted(2))
    assert frames.tokens(alone)["is_merged"].tolist() == [False]
    both = run_of(choice(elsewhere, unlisted), usage=counted(3))
    assert frames.tokens(both)["is_merged"].tolist() == [False, True]
    # an id is one token in one run: another model has others
    apart = [run_of(choice(elsewhere)), alone]
    assert not frames.tokens(apart)["is_merged"].any()


@pytest.mark.parametrize(("n", "is_merged"), [(1, False), (2, False), (3, True), (4, True)])
def test_where_the_usage_counts_more_a_character_outside_its_list_may_be_merged(n, is_merged):
    # 2 are a token and the end token that has no row
    run = run_of(choice(entry("é", -9.0, ("a", -1.0), ("b", -2.0))), usage=counted(n))
    assert frames.tokens(run)["is_merged"].tolist() == [is_merged]
    listed = run_of(choice(entry("é", -2.0, ("a", -1.0), ("é", -2.0))), usage=counted(n))
    assert not frames.tokens(listed)["is_merged"].any()


@pytest.mark.parametrize(
    "own",
    [
        entry("🎉", -0.1, ("🎉", -0.1), ("x", -3.0)),  # a token of its own
        entry("\ufffd", -0.1, token("\ufffd", -0.1, b"\xf0\x9f"), data=b"\xf0\x9f"),
        entry("né", -0.1, token("né", -0.1, number=5), token("é", -4.0, number=6), number=5),
        entry("é", -0.1, token("é", -0.1, number=5), number=5),
        entry("a", -0.1, token("b", -0.1, number=5), number=5),  # a wrong list, and no character
    ],
)
def test_a_whole_character_and_a_piece_with_a_row_of_its_own_are_not_merged(own):
    assert not frames.tokens(run_of(choice(own), usage=counted(2)))["is_merged"].any()


@pytest.mark.parametrize(
    ("n_rows", "n_foxes", "counted_tokens", "finish", "n_missing"),
    [
        (29, 2, 34, "stop", 4),  # the end token is counted, and none of them
        (1, 1, 2, "stop", 1),  # two pieces, and the end token is not counted
        (1, 1, 2, "length", 1),
        (1, 1, 3, "stop", 1),
        (3, 0, 4, "stop", 0),
        (3, 0, 3, "stop", 0),
    ],
)
def test_the_end_token_is_no_missing_one_whether_it_is_counted_or_not(
    n_rows, n_foxes, counted_tokens, finish, n_missing
):
    rows = [entry("a", -1.0, ("a", -1.0))] * (n_rows - n_foxes) + [FOX] * n_foxes
    run = run_of(choice(*rows, finish=finish), usage=counted(counted_tokens))
    row = frames.choices(run).iloc[0]
    assert (row["n_missing"], row["is_aligned"]) == (n_missing, n_missing == 0)


@pytest.mark.parametrize("usage", [None, counted(7), counted(6)])
@pytest.mark.parametrize("pieces", [(-0.5, -2.5), (0.0, -1e-9), (-7.0, -3.0)])
def test_figures_over_merged_rows_are_bounds_of_those_over_all_tokens(usage, pieces):
    """Three tokens and the fox's three: whatever the two without a row had."""
    plain = [-0.2, -1.0, -3.0]
    rows = [entry("a", x, ("a", x)) for x in plain]
    row = frames.choices(run_of(choice(*rows, FOX), usage=usage)).iloc[0]
    everything = [*plain, *pieces, LAST]
    assert row["perplexity_is_bound"]
    assert row["sum_logprob"] >= sum(everything)
    assert row["mean_nll"] <= -np.mean(everything)
    assert row["perplexity"] <= perplexity(everything)
    assert row["bits_per_byte"] <= bits_per_byte(everything, 3 + 4)
    assert row["n_censored"] == 0


def test_tokens_without_a_row_make_bounds_though_nothing_is_merged():
    run = run_of(choice(entry("a", -1.0), entry("b", -3.0)), usage=counted(5))
    row = frames.choices(run).iloc[0]
    assert row["perplexity_is_bound"]
    assert row["perplexity"] == pytest.approx(math.exp(4 / 5))  # were the end no token of them
    stopped = run_of(choice(entry("a", -1.0)), usage=counted(2), params={"stop": ["."]})
    assert not frames.choices(stopped).iloc[0]["perplexity_is_bound"]


def test_a_field_with_a_merged_character_has_no_more_than_bounds():
    rows = [entry(text, -0.1, (text, -0.1)) for text in ('{"', "a", '":"')]
    run = run_of(choice(*rows, entry("x", -1.0), FOX, entry('"}', -0.1)), usage=counted(9))
    row = frames.fields(run).set_index("path").loc["a"]
    assert row["value"] == "x🦊"
    assert row["is_bound"]
    assert not row["is_censored"]
    assert row["logprob"] == -1.0


def test_the_heat_map_and_the_report_say_so():
    run = run_of(choice(entry("Hi", -1.0, ("Hi", -1.0)), FOX), usage=counted(5), vocab_size=99)
    html = run.heatmap().html
    assert "“🦊” · probability not known · a character of several tokens" in html
    assert "not among" not in html
    findings = run.integrity().findings.set_index("check")
    assert findings.loc["merged", "positions"] == [1]
    assert findings.loc["missing tokens", "count"] == 2


def test_refusals_other_choices_and_other_runs_are_marked_where_they_stand():
    a = run_of(choice(entry("a", -1.0)), choice(entry("b", -1.0), FOX, index=1))
    b = run_of(choice(refusal=[FOX, entry("c", -1.0)]))
    tokens = frames.tokens([a, run_of(), b])
    assert tokens["is_merged"].tolist() == [False, False, True, True, False]
