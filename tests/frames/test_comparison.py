import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat import measures
from nbchat.frames.columns import columns_of
from nbchat.frames.comparison import comparison
from nbchat.frames.token_alignment import paired
from tests.frames.made import choice, entry, run_of

LOG = math.log


def ops(a, b):
    """What stands beside what: (op, tokens of a, tokens of b)."""
    a, b = ([token.encode() for token in tokens] for tokens in (a, b))
    return [
        (pair.op, [a[i].decode() for i in pair.a], [b[i].decode() for i in pair.b])
        for pair in paired(a, b)
    ]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (["The", " cat", "."], ["The", " cat", "."], "The=The| cat= cat|.=."),
        (["The", " cat", "."], ["The", " dog", "."], "The=The|- cat|+ dog|.=."),
        (["a", "b"], ["ab"], "ab=ab"),
        (["un", "happy", " man"], ["unhappy", " ", "man"], "unhappy=unhappy| man= man"),
        (["It", " is"], ["It", " is", " so"], "It=It| is= is|+ so"),
        ([], ["a"], "+a"),
        (["a"], [], "-a"),
        ([], [], ""),
        (["one", " two"], ["three", " four"], "-one|- two|+three|+ four"),
        (["我", "爱", "你"], ["我", "恨", "你"], "我=我|-爱|+恨|你=你"),
        (["é", "a"], ["éa"], "éa=éa"),
        (["x", ""], ["y", ""], "-x|+y|="),
        (["x", ""], ["x"], "x=x|-"),
        (["so", "", " on"], ["so", " on"], "so=so|-| on= on"),
    ],
)
def test_tokens_stand_beside_those_of_the_same_bytes(a, b, expected):
    signs = {"same": lambda x, y: f"{''.join(x)}={''.join(y)}"}
    signs |= {"only_a": lambda x, _: f"-{x[0]}", "only_b": lambda _, y: f"+{y[0]}"}
    assert "|".join(signs[op](x, y) for op, x, y in ops(a, b)) == expected


def test_a_character_split_over_tokens_is_put_together_by_its_bytes():
    pairs = list(paired([b"\xf0\x9f", b"\x98\x80", b"!"], ["😀".encode(), b"!"]))
    assert [(len(pair.a), len(pair.b)) for pair in pairs] == [(2, 1), (1, 1)]
    assert [p.op for p in paired([b"\xf0\x9f", b"\x98\x80"], [b"\xf0\x9f", b"\x98\x81"])] == [
        "same",
        "only_a",
        "only_b",
    ]


@pytest.mark.long
@pytest.mark.parametrize("count", [100, 3_000])
def test_long_replies_stay_beside_each_other(count):
    a = [f" w{i * 7 % 50}".encode() for i in range(count)]
    b = [b" new" if i % 10 == 5 else token for i, token in enumerate(a)]
    found = [pair.op for pair in paired(a, b)]
    assert found.count("same") == count * 9 // 10
    assert found.count("only_a") == found.count("only_b") == count // 10


TOKENS = st.lists(st.sampled_from(["a", "b", " a", " ab", "", "é", "\n", "ba"]), max_size=8)


@given(TOKENS, TOKENS)
def test_every_token_stands_in_one_pair_and_in_order(a, b):
    a, b = ([token.encode() for token in tokens] for tokens in (a, b))
    pairs = list(paired(a, b))
    assert [i for pair in pairs for i in pair.a] == list(range(len(a)))
    assert [i for pair in pairs for i in pair.b] == list(range(len(b)))
    for pair in pairs:
        joined = [b"".join(x[i] for i in own) for x, own in ((a, pair.a), (b, pair.b))]
        assert (pair.op == "same") == (bool(pair.a) and bool(pair.b))
        if pair.op == "same":
            assert joined[0] == joined[1]


@given(st.text(min_size=1), st.data())
def test_one_text_cut_in_two_ways_is_the_same_all_through(text, data):
    raw = text.encode()

    def cut():
        cuts = sorted(data.draw(st.sets(st.integers(0, len(raw)))) | {0, len(raw)})
        return [raw[x:y] for x, y in itertools.pairwise(cuts)]

    assert {pair.op for pair in paired(cut(), cut())} == {"same"}


def top(text, *probs):
    """A token with alternatives a, b, c, … of these probabilities."""
    listed = [(chr(97 + i), LOG(p)) for i, p in enumerate(probs)]
    own = dict(listed).get(text, LOG(0.01))
    return entry(text, own, *listed)


def compared(a, b, **facts):
    return comparison(run_of(choice(*a)), run_of(choice(*b)), **facts)


def test_shared_tokens_have_the_change_of_their_surprisal_in_bits():
    frame = compared(
        [entry("The", LOG(0.5)), entry(" cat", LOG(0.25)), entry(".", LOG(0.5))],
        [entry("The", LOG(0.125)), entry(" dog", LOG(0.5)), entry(".", LOG(1))],
    )
    assert frame["op"].tolist() == ["same", "only_a", "only_b", "same"]
    assert frame["delta_bits"].tolist() == pytest.approx([2, np.nan, np.nan, -1], nan_ok=True)
    assert frame["surprisal_bits_a"].tolist() == pytest.approx([1, 2, np.nan, 1], nan_ok=True)
    assert frame["position_a"].tolist() == [0, 1, pd.NA, 2]
    assert frame["position_b"].tolist() == [0, pd.NA, 1, 2]
    assert frame["byte_start_b"].tolist() == [0, pd.NA, 3, 7]
    assert frame["display_a"].tolist() == ["The", "␣cat", pd.NA, "."]
    assert frame["has_same_prefix"].tolist() == [True, True, True, False]


def test_several_tokens_against_one_are_summed():
    frame = compared(
        [entry("un", LOG(0.5)), entry("happy", LOG(0.5)), entry("!", LOG(0.5))],
        [entry("unhappy", LOG(0.5)), entry("!", LOG(0.5))],
    )
    assert frame["surprisal_bits_a"].tolist() == pytest.approx([2, 1])
    assert frame["delta_bits"].tolist() == pytest.approx([-1, 0])
    assert frame[["n_tokens_a", "n_tokens_b"]].to_numpy().tolist() == [[2, 1], [1, 1]]
    # what came before was cut at other places: another distribution
    assert frame["has_same_prefix"].tolist() == [True, False]


def test_divergences_are_bounds_where_the_reply_before_is_the_same():
    p, q = {"a": 0.5, "b": 0.3}, {"a": 0.2, "b": 0.6}
    frame = compared(
        [top("a", 0.5, 0.3), top("a", 0.5, 0.3), top(" c", 0.5, 0.3)],
        [top("a", 0.2, 0.6), top("b", 0.2, 0.6), top(" c", 0.2, 0.6)],
    )
    expected = measures.divergence_bounds(p, q)
    assert frame["op"].tolist() == ["same", "only_a", "only_b", "same"]
    shared = frame[frame["has_same_prefix"]]
    assert shared["kl_lo"].tolist() == pytest.approx([expected.kl] * len(shared))
    assert shared["jsd_lo"].tolist() == pytest.approx([expected.jsd] * len(shared))
    assert shared["tv_lo"].tolist() == pytest.approx([expected.tv] * len(shared))
    assert shared["jsd_hi"].tolist() == pytest.approx([expected.jsd_hi] * len(shared))
    assert shared["tv_hi"].tolist() == pytest.approx([expected.tv_hi] * len(shared))
    later = frame[~frame["has_same_prefix"]]
    assert later[["kl_lo", "jsd_lo", "tv_lo"]].isna().all(axis=None)
    assert len(later)


def test_without_alternatives_or_a_counterpart_there_are_no_bounds():
    frame = compared([top("a", 0.5), top("b", 0.5)], [entry("a", LOG(0.5))])
    assert frame["op"].tolist() == ["same", "only_a"]
    assert frame["has_same_prefix"].tolist() == [True, True]
    assert frame["kl_lo"].isna().all()


def test_a_reply_against_itself_changes_nothing():
    run = run_of(choice(top("a", 0.5, 0.3), top("c", 0.5, 0.3), entry("", -0.1, data=b"")))
    frame = comparison(run, run)
    assert set(frame["op"]) == {"same"}
    assert frame["delta_bits"].tolist() == [0, 0, 0]
    assert frame["jsd_lo"].tolist()[:2] == [0, 0]
    assert frame["display_a"].tolist()[-1] == "∅"


def test_ids_of_different_tokenizers_are_not_taken_for_one_token():
    a = entry("x", LOG(0.5), {"token": "x", "logprob": LOG(0.5), "bytes": [120], "id": 7})
    b = entry("y", LOG(0.5), {"token": "y", "logprob": LOG(0.5), "bytes": [121], "id": 7})
    assert compared([a], [b])["tv_lo"].tolist() == [0, 0]  # the rest can be the other's token
    same = entry("x", LOG(0.1), {"token": "x", "logprob": LOG(0.1), "bytes": [120], "id": 9})
    assert compared([a], [same])["tv_lo"].tolist() == pytest.approx([0.4])


def test_a_censored_token_has_no_surprisal():
    frame = compared([entry("a", -9999.0)], [entry("a", -1.0)])
    assert frame["surprisal_bits_a"].isna().all()
    assert frame["delta_bits"].isna().all()


def test_refusals_and_other_choices_are_compared_too():
    a = run_of(choice(refusal=[entry("No", -1.0)]))
    b = run_of(choice(entry("x", -1.0)), choice(entry("No", -2.0), index=1))
    assert comparison(a, a)["op"].tolist() == ["same"]
    with pytest.raises(ValueError, match="no token probabilities in choice 1"):
        comparison(b, a, choice=1)


def test_the_columns_are_the_declared_ones():
    frame = compared([entry("a", -1.0)], [entry("b", -1.0)])
    declared = {column.name: column.dtype for column in columns_of("comparison")}
    assert {column: str(dtype) for column, dtype in frame.dtypes.items()} == declared
