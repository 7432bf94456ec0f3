import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat.frames.text_alignment import Stretch, reply_prefix, stretches, token_places


@pytest.mark.parametrize(
    ("joined", "text", "prefix", "expected"),
    [
        ("abc", "abc", "", [(0, 3, 0)]),
        ("", "", "", []),
        ("", "abc", "", []),
        ("abcSTOP", "abc", "", [(0, 3, 0)]),  # cut at a stop string
        (" abc", "abc", "", [(1, 4, -1)]),  # trimmed
        ("```abc```", "abc", "", [(3, 6, -3)]),  # a fence
        ("3 or 3", "3", "", []),  # reasoning, perhaps
        ("def", "abcdef", "abc", [(0, 3, 3)]),  # the prefix is repeated
        ("aba", "ababa", "ab", [(0, 3, 2)]),  # with the prefix known it is certain
        ("def, ", "abcdef", "abc", [(0, 3, 3)]),  # both
        ("de", "abcdef", "abc", [(0, 2, 3)]),
        ("abc", "abcdef", "", [(0, 3, 0)]),  # rows are missing at the end
        ("a?c", "aéc", "", [(0, 1, 0), (2, 3, 1)]),  # bytes came as something else
        ("aa", "aXaYa", "", [(0, 1, 0), (1, 2, 3)]),
        ("a", "aa", "", []),  # it may be either
        ("xyz", "abc", "", []),
    ],
)
def test_only_what_is_certain_is_placed(joined, text, prefix, expected):
    found = stretches(joined.encode(), text.encode(), prefix.encode())
    assert found == [Stretch(*each) for each in expected]


@given(st.text("ab ", max_size=8), st.text("ab ", max_size=8), st.text("ab", max_size=3))
def test_what_is_placed_has_the_same_bytes_there(joined, text, prefix):
    joined, text, prefix = joined.encode(), text.encode(), prefix.encode()
    for start, end, shift in stretches(joined, text, prefix):
        assert start < end
        assert joined[start:end] == text[start + shift : end + shift]


@given(st.text("ab", max_size=8), st.integers(0, 8), st.integers(0, 3))
def test_a_row_that_is_missing_never_misplaces_another(text, at, length):
    text = text.encode()
    joined = text[:at] + text[at + length :]
    for start, end, shift in stretches(joined, text):
        for place in range(start, end):
            true_place = place if place < at else place + length
            assert place + shift == true_place


def test_a_token_over_the_border_of_what_is_certain_is_not_placed():
    starts, ends = np.array([0, 2, 4]), np.array([2, 4, 6])
    _, _, is_placed = token_places(starts, ends, b"ab?cde", b"abXXcde")
    assert is_placed.tolist() == [True, False, True]


def test_a_token_may_stand_out_of_the_text_at_its_ends():
    starts, ends, is_placed = token_places(
        np.array([0, 2, 4]), np.array([2, 4, 6]), b" abcd\n", b"abcd"
    )
    assert is_placed.all()
    assert (starts.tolist(), ends.tolist()) == ([-1, 1, 3], [1, 3, 5])


def test_the_prefix_is_what_the_last_message_of_the_assistant_says():
    asked = {"role": "user", "content": "Go on."}
    assert reply_prefix([asked, {"role": "assistant", "content": "Sun"}]) == "Sun"
    assert reply_prefix([{"role": "assistant", "content": "Sun"}, asked]) == ""
    assert reply_prefix([{"role": "assistant", "tool_calls": []}]) == ""
    assert reply_prefix([]) == ""
