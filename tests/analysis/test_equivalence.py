from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat.analysis.equivalence import clusters, meaning_key
from nbchat.errors import CheckError


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Paris", " paris. "),
        ("The Paris", "a paris!"),
        ("It's blue", "its  BLUE"),
        ("42", "42.0"),
        ("1,000", "1000"),
        ("1e3", "1,000.00"),
        (".5", "0.50"),
        ("-0", "0"),
        ("−5", "-5"),
        ("Answer: 42!", "answer 42"),
        ("well-known", "well known"),
        ("ＡＢＣ １２", "abc 12"),
        ("5 %", "5%"),
        ("straße", "STRASSE"),
    ],
)
def test_answers_that_mean_the_same_have_one_key(one: str, other: str) -> None:
    assert meaning_key(one) == meaning_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Paris", "London"),
        ("5", "-5"),
        ("5", "$5"),
        ("5", "5%"),
        ("1/2", "12"),
        ("3.5", "35"),
        ("1.2.3", "1.2.30"),
        ("gpt4", "gpt 5"),
        ("a", "the"),
        ("!", "?"),
        ("123456789012345678901234567890.1", "123456789012345678901234567890.2"),
        ("é", "e"),
    ],
)
def test_answers_that_differ_have_different_keys(one: str, other: str) -> None:
    assert meaning_key(one) != meaning_key(other)


@given(st.text())
def test_any_text_has_a_key_and_a_key_is_its_own(text: str) -> None:
    key = meaning_key(text)
    assert meaning_key(f" {text}\n") == key
    assert key == " ".join(key.split())


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_stand_by_their_value(number: float) -> None:
    written_out = f"{Decimal(repr(number)):f}"
    assert meaning_key(repr(number)) == meaning_key(written_out)


def test_an_endless_exponent_is_no_work() -> None:
    assert meaning_key("1e999999999") != meaning_key("1e999999998")
    assert meaning_key("1e99999999999999999999999") == meaning_key("1E99999999999999999999999")


def test_clusters_are_numbered_as_they_appear() -> None:
    assert clusters(["Yes", "no", "yes.", "No", "maybe"]) == [0, 1, 0, 1, 2]
    assert clusters([]) == []


def test_a_function_is_asked_of_few_pairs_and_of_none_twice() -> None:
    asked: list[tuple[str, str]] = []

    def same(one: str, other: str) -> bool:
        asked.append((one, other))
        return one[0] == other[0]

    answers = ["a1", "b1", "a1", "a2", "b1", "a3", "a2"]
    assert clusters(answers, same) == [0, 1, 0, 0, 1, 0, 0]
    # the larger cluster first, only its first answer, and letter for letter equals not at all
    assert asked == [("a1", "b1"), ("a1", "a2"), ("a1", "a3")]


def test_what_the_function_raises_says_of_which_answers() -> None:
    def same(one: str, other: str) -> bool:
        raise ZeroDivisionError("no judge")

    with pytest.raises(ZeroDivisionError) as caught:
        clusters(["yes", "no"], same)
    (note,) = caught.value.__notes__
    assert "of 'yes' and 'no'" in note
    assert "nbchat.runs()" in note


def test_a_function_that_gives_words_is_refused() -> None:
    with pytest.raises(CheckError, match=r"gave 'no' of 'a' and 'b', but must give True or False"):
        clusters(["a", "b"], lambda one, other: "no")  # type: ignore[arg-type, return-value]
