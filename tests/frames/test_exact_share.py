"""The share of a value among those allowed out of whole rows, against all paths done by hand."""

from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat.frames.exact_share import NARROW, ListedToken, exact_share

WORDS = ["aa", "ab", "abb", "b", "ba", "abab"]
TOKENS = [b"a", b"b", b"aa", b"ab", b"bb", b"ba", b"}", b"a}", b"b}", b"x", b"aba"]


def row_of(seed, path):
    """Whole rows that depend on every token before: none is a function of the text alone."""
    weights = [1 + crc32(repr((seed, path, t)).encode()) % 97 for t in range(len(TOKENS))]
    total = sum(weights)
    pairs = zip(TOKENS, weights, strict=True)
    return [ListedToken(t, data, w / total) for t, (data, w) in enumerate(pairs)]


def by_all_paths(value, whole, seed, path=(), written=b""):
    """The probability of a value when each token is drawn from the allowed ones."""
    if written in whole:
        return float(written == value)
    row = row_of(seed, path)
    allowed = [t for t in row if any(w.startswith(written + t.data) for w in whole)]
    total = sum(t.prob for t in allowed)
    inner = ((t.prob / total, (*path, t.id), written + t.data) for t in allowed)
    return sum(share * by_all_paths(value, whole, seed, p, w) for share, p, w in inner)


@given(st.sets(st.sampled_from(WORDS), min_size=2), st.integers(0, 1000), st.data())
def test_it_is_that_of_all_ways_to_write_the_value(words, seed, data):
    texts = [word.encode() for word in sorted(words)]
    value = data.draw(st.sampled_from(texts))
    low, high = exact_share(value, texts, lambda path: row_of(seed, path), b"", b"}")
    exact = by_all_paths(value + b"}", [text + b"}" for text in texts], seed)
    assert low - 1e-9 <= exact <= high + 1e-9
    assert high - low <= NARROW


def listed(**probs):
    pairs = enumerate(probs.items())
    return [ListedToken(i, name.encode(), prob) for i, (name, prob) in pairs]


@pytest.mark.parametrize(
    ("beyond", "after", "is_known"),
    [
        (',"', ',\n  "b": 1}', True),
        (", ", ',"b": 1}', True),
        (',\n\n    "b', ', "b": 1}', True),
        (',\n\n\n"b', ', "b": 1}', False),  # more lines than the grammar takes
        (',"c', ', "b": 1}', False),
        (',"b c', ',"b  c": 1}', False),  # blanks inside a string are no blanks between parts
        ("}", ', "b": 1}', False),
        (" ", "", True),
    ],
)
def test_blanks_between_parts_make_no_difference_and_others_do(beyond, after, is_known):
    row = listed(**{'New"': 0.2, f'New"{beyond}': 0.3, "New York": 0.1, "x": 0.4})
    low, high = exact_share(b'New"', [b'New"', b'New York"'], lambda _: row, b"", after.encode())
    if is_known:
        assert (low, high) == pytest.approx((0.5 / 0.6, 0.5 / 0.6))
    else:
        assert (low, high) == pytest.approx((0.2 / 0.3, 0.5 / 0.6))


def test_only_what_can_change_the_figure_is_asked_for():
    asked = []

    def row_after(path):
        asked.append(path)
        return listed(red=0.3, re=0.1, gr=0.1, g=1e-7, x=0.5)

    low, high = exact_share(b"red", [b"red", b"green", b"grey"], row_after, b"", b"")
    assert (low, high) == pytest.approx((0.8, 0.8), abs=1e-6)
    assert asked == [()]


def test_a_row_with_none_of_the_values_tells_nothing():
    assert exact_share(b"a", [b"a", b"b"], lambda _: listed(x=1.0), b"", b"") == (0, 1)
