"""The share of a value among those allowed, against sampling under a mask done by hand."""

from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat.frames.allowed_probability import Row, allowed_share


def row(token, unseen=0.0, **listed):
    pairs = [(name.replace("_", " ").encode(), prob) for name, prob in listed.items()]
    return Row(token.encode(), dict(pairs)[token.encode()], pairs, unseen)


def share(value, allowed, rows, lead="", after="}"):
    return allowed_share(
        value.encode(), [text.encode() for text in allowed], rows, lead.encode(), after.encode()
    )


def test_the_allowed_tokens_share_the_whole():
    rows = [row("true", true=0.3, false=0.1, Sure=0.6)]
    assert share("true", ["false", "true"], rows) == pytest.approx((0.75, 0.75))


def test_the_quote_is_given_and_a_shared_beginning_is_decided_later():
    quote = row('"', **{'"': 0.9, "n": 0.1})
    rows = [quote, row("gre", gre=0.2, red=0.3, gr=0.1, oops=0.4), row("y", y=0.1, en=0.4, x=0.5)]
    # gre is drawn with 0.2 of 0.6; gr, not drawn, leads to either
    low, high = share('"grey"', ['"green"', '"grey"', '"red"'], rows)
    assert low == pytest.approx(0.2 / 0.6 * (0.1 / 0.5))
    assert high == pytest.approx((0.2 * 0.2 + 0.1) / 0.6)


def test_every_way_to_cut_the_value_counts_for_it():
    rows = [row("re", re=0.1, r=0.1, red=0.2, blue=0.4, b=0.2)]
    assert share("red", ["red", "blue"], rows) == pytest.approx((0.4, 0.4))


def test_what_is_unseen_may_be_of_either():
    rows = [row("true", unseen=0.2, true=0.4, false=0.4)]
    low, high = share("true", ["true", "false"], rows)
    assert (low, high) == pytest.approx((0.4, 0.6))


def test_the_end_decides_where_one_value_begins_another():
    rows = [row("1", **{"1": 0.5, "9": 0.5}), row("}", **{"}": 0.6, "2": 0.2, ",": 0.2})]
    low, high = share("1", ["1", "12"], rows)
    # whether a comma was allowed in the place of the brace is not known
    assert (low, high) == pytest.approx((0.6 / 0.8, 0.8 / 1.0))
    assert share("1", ["1", "12"], [rows[0]]) == (0, 1)


def test_a_token_past_the_end_is_allowed_where_the_text_goes_on_so():
    rows = [row("yes", yes=0.2, **{'yes"}': 0.2, 'no"}': 0.2, 'no"x': 0.2, 'no",': 0.2})]
    low, high = share('"yes"', ['"yes"', '"no"'], [row('"', **{'"': 1.0}), *rows])
    assert (low, high) == pytest.approx((0.4 / 0.8, 0.4 / 0.6))


def test_a_token_that_begins_before_the_value_is_compared_with_its_like():
    rows = [row(" true", _true=0.2, _false=0.2, true=0.5, _=0.1)]
    low, high = share("true", ["true", "false"], rows, lead=" ")
    assert (low, high) == pytest.approx((0.2 / 0.5, 0.3 / 0.5))


def test_one_value_is_certain_and_another_than_allowed_has_no_share():
    assert share('"a"', ['"a"'], []) == (1, 1)
    assert share('"c"', ['"a"', '"b"'], []) is None
    rows = [row("x", x=1.0)]
    assert share('"a"', ['"a"', '"b"'], [row('"', **{'"': 1.0}), *rows]) is None


def test_a_token_without_a_probability_leaves_the_share_unknown():
    rows = [Row(b"true", float("nan"), [(b"false", 0.4)], 0.6)]
    assert share("true", ["true", "false"], rows) is None


WORDS = ["aa", "ab", "abb", "b", "ba"]
TOKENS = [b"a", b"b", b"aa", b"ab", b"bb", b"ba", b"}", b"a}", b"b}", b"x"]


def exact(value, allowed, draw, written=b""):
    """The probability of a value when each token is drawn from the allowed ones: all paths."""
    whole = [text.encode() + b"}" for text in allowed]
    if written in whole:
        return float(written == value.encode() + b"}")
    probs = draw(written)
    open_ = {t: p for t, p in probs.items() if any(w.startswith(written + t) for w in whole)}
    total = sum(open_.values())
    parts = (p / total * exact(value, allowed, draw, written + t) for t, p in open_.items() if p)
    return sum(parts)


@given(st.sets(st.sampled_from(WORDS), min_size=2), st.data())
def test_the_interval_holds_the_probability_over_all_ways_to_write_the_value(words, data):
    allowed = sorted(words)
    seed = data.draw(st.integers(0, 1000))

    def draw(written):
        weights = {t: 1 + crc32(b"%d %b %b" % (seed, written, t)) % 97 for t in TOKENS}
        total = sum(weights.values())
        return {t: w / total for t, w in weights.items()}

    value = data.draw(st.sampled_from(allowed))
    rows, written, whole = [], b"", value.encode() + b"}"
    while written != whole:
        probs = draw(written)
        fits = [t for t in TOKENS if whole.startswith(written + t)]
        token = data.draw(st.sampled_from(fits))
        kept = data.draw(st.sets(st.sampled_from(TOKENS))) | {token}
        listed = [(t, p) for t, p in probs.items() if t in kept]
        rows.append(Row(token, probs[token], listed, 1 - sum(p for _, p in listed)))
        written += token
    n_shared = next(n for n in range(9) if len({text[: n + 1] for text in allowed}) > 1)
    before = b""
    for each in rows:
        if len(before + each.token) > n_shared:
            break
        before += each.token
    low, high = share(value, allowed, rows)
    assert low - 1e-9 <= exact(value, allowed, draw, before) <= high + 1e-9
