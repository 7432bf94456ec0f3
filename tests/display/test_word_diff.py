from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat.display.word_diff import differences

words = st.lists(st.sampled_from(["a", "b", "cat", " ", "  ", "\n", ".", "é", "🙂", "\r"])).map(
    "".join
)


@pytest.mark.parametrize(
    ("before", "after", "old", "new"),
    [
        ("", "", [], []),
        ("a b", "a b", [("a b", "same")], [("a b", "same")]),
        ("", "a", [], [("a", "added")]),
        ("a", "", [("a", "removed")], []),
        (
            "The sky is blue.",
            "The sea is blue!",
            [("The ", "same"), ("sky", "removed"), (" is blue", "same"), (".", "removed")],
            [("The ", "same"), ("sea", "added"), (" is blue", "same"), ("!", "added")],
        ),
        (
            "one two",
            "three four",
            [("one two", "removed")],
            [("three four", "added")],
        ),
        (
            "x\nsame\n",
            "same\ny\n",
            [("x\n", "removed"), ("same\n", "same")],
            [("same\n", "same"), ("y\n", "added")],
        ),
    ],
)
def test_words_that_differ_are_marked(
    before: str, after: str, old: list[tuple[str, str]], new: list[tuple[str, str]]
) -> None:
    assert differences(before, after) == (old, new)


@given(words, words)
def test_the_pieces_are_the_texts_and_what_is_the_same_is_so_in_both(
    before: str, after: str
) -> None:
    old, new = differences(before, after)
    assert "".join(text for text, _ in old) == before
    assert "".join(text for text, _ in new) == after
    same = ["".join(text for text, mark in side if mark == "same") for side in (old, new)]
    assert same[0] == same[1]
    for side, mark in ((old, "removed"), (new, "added")):
        assert {found for _, found in side} <= {"same", mark}
        assert all(one[1] != other[1] for one, other in pairwise(side))
        assert all(text for text, _ in side)


@given(words)
def test_a_text_does_not_differ_from_itself(text: str) -> None:
    pieces = [(text, "same")] if text else []
    assert differences(text, text) == (pieces, pieces)


def test_long_texts_are_compared_in_a_moment() -> None:
    before = " ".join(f"word{n % 700}" for n in range(5_000))
    after = before.replace("word7 ", "other ")
    started = time.perf_counter()
    differences(before, after)
    assert time.perf_counter() - started < 5


@pytest.mark.long
def test_long_texts_stay_beside_each_other() -> None:
    """With thousands of words difflib may leave the frequent ones out, blanks first of all."""
    old = [f"w{n * 7919 % 900}" if n % 4 else "the" for n in range(3_000)]
    new = ["changed" if n % 100 == 0 else word for n, word in enumerate(old)]
    _, marked = differences(" ".join(old), " ".join(new))
    assert sum(text.count("w") for text, mark in marked if mark == "same") == 2_250
    assert [text for text, mark in marked if mark == "added"] == ["changed"] * 30


@pytest.mark.long
# difflib alone takes minutes to hours for each of these
@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a\n" * 20_000, "b\n" + "a\n" * 10_000 + "c\n"),
        ("x y " * 3_000, "x z " * 3_000),
        (" ".join(f"x u{n}" for n in range(2_000)), " ".join(f"x v{n}" for n in range(2_000))),
        (" ".join(f"u{n}" for n in range(60_000)), " ".join(f"u{-n}" for n in range(60_000))),
        (" " * 500_000, "a" + " " * 500_000),
        ("word " * 100_000, "word " * 100_000 + "."),
    ],
)
def test_texts_that_repeat_themselves_are_compared_in_bounded_time(before: str, after: str) -> None:
    old, new = differences(before, after)
    assert "".join(text for text, _ in old) == before
    assert "".join(text for text, _ in new) == after


def test_the_ends_that_are_the_same_stay_so_in_texts_that_are_too_long_to_search() -> None:
    middle = ("x y " * 5_000, "x z " * 5_000)
    old, new = differences(*(f"begin {text}end" for text in middle))
    assert old[0][1] == old[-1][1] == new[0][1] == new[-1][1] == "same"
    assert (new[0][0].split()[0], new[-1][0].split()[-1]) == ("begin", "end")
