import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat.frames.comparison import comparison
from nbchat.plots.text_diff import _SCALE, changes, summary
from tests.frames.made import choice, entry, run_of
from tests.plots.test_heatmap import HOSTILE, Reader, contrast

LOG = math.log


def compared(a, b):
    return comparison(run_of(choice(*a)), run_of(choice(*b)))


CATS = compared(
    [entry("The", LOG(0.5)), entry(" cat", LOG(0.25), (" cat", LOG(0.25))), entry("!", LOG(0.5))],
    [entry("The", LOG(0.125)), entry(" dog", LOG(0.5), (" dog", LOG(0.5))), entry("!", LOG(1))],
)


def test_both_texts_stand_there_with_their_figures():
    reader = Reader(changes(CATS, "one", "two"))
    assert [token["title"] for token in reader.tokens] == [
        "“The” · 1.00 bits in a, 3.00 in b · change +2.00 bits",
        "“␣cat” · only in a · 2.00 bits",
        "“!” · 1.00 bits in a, 0.00 in b · change −1.00 bits",
        "“The” · 1.00 bits in a, 3.00 in b · change +2.00 bits",
        "“␣dog” · only in b · 1.00 bits",
        "“!” · 1.00 bits in a, 0.00 in b · change −1.00 bits",
    ]
    assert all(token["aria-label"] for token in reader.tokens)
    for words in ("a: one", "b: two", "greatest changes", "+2.00", "−1.00"):
        assert words in reader.text


def test_the_line_above_says_where_they_part():
    assert summary(CATS).startswith(
        "2 shared tokens, +1.00 bits in b · 1 only in a · 1 only in b · they part at position 1"
    )
    same = compared([entry("a", -1.0)], [entry("a", -1.0)])
    assert summary(same).endswith("0 only in a · 0 only in b · the same text")


def test_text_stands_out_from_each_colour_of_the_scale():
    for _, colour in _SCALE:
        if colour:
            found = re.findall(r"color:(#\w{6})", changes_style(colour))
            assert contrast(*found) >= 4.5


def changes_style(colour):
    least = next(least for least, own in _SCALE if own == colour)
    delta = -9.0 if math.isinf(least) else least
    frame = compared([entry("x", -9.0)], [entry("x", -9.0 - delta * LOG(2))])
    return next(t["style"] for t in Reader(changes(frame, "a", "b")).tokens)


def test_nothing_that_a_model_or_a_prompt_says_becomes_markup():
    frame = compared([entry(text, -1.0) for text in HOSTILE], [entry("<b>", -1.0)])
    shown = changes(frame, HOSTILE[0], HOSTILE[1])
    allowed = {"div", "span", "bdi", "wbr", "br"} | {
        "table",
        "caption",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
    }
    assert {tag for tag, _ in Reader(shown).elements} <= allowed
    assert HOSTILE[0] in Reader(shown).text


@pytest.mark.long
@given(st.lists(st.text(min_size=1), min_size=1), st.lists(st.text(min_size=1), min_size=1))
def test_whatever_they_say_it_is_shown(one, other):
    frame = compared([entry(t, -1.0) for t in one], [entry(t, -1.5) for t in other])
    reader = Reader(changes(frame, "a", "b"))
    assert len(reader.tokens) == frame["display_a"].notna().sum() + frame["display_b"].notna().sum()


def test_a_censored_token_has_no_colour_and_says_so():
    frame = compared([entry("a", -9999.0)], [entry("a", -1.0)])
    (token, _) = Reader(changes(frame, "a", "b")).tokens
    assert "not known" in token["title"]
    assert "background-color" not in token["style"]
