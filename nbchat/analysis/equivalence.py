"""Which answers mean the same: by a normal form, or by what a function says of two of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Context
from typing import Any

from nbchat.errors import CheckError
from nbchat.measures import normalised

Same = Callable[[str, str], bool]

_DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|(?<!\d)\.\d+"
# a number is not part of another, as in 1.2.3; a sign after a letter or digit is a dash
_NUMBER = rf"(?:(?<![\w)])[-+\u2212])?(?<!\d\.)(?:{_DIGITS})(?:e[-+]?\d+)?(?![\d]|[.,]\d)"
_PARTS = re.compile(rf"(?P<number>{_NUMBER})|\w+|[%/^*=<>+°$£€¥₹]")
_APOSTROPHES = re.compile(r"['’]")
_ARTICLES = {"a", "an", "the"}


def meaning_key(answer: str) -> str:
    """Give the normal form by which answers are the same: equal keys, same answer.

    Beyond `nbchat.measures.normalised`, punctuation is gone everywhere, so are the articles a,
    an and the, and numbers stand by their value: "The answer: 1,000.0" is "answer 1E+3", and so
    is "answer 1e3". Signs that carry meaning (-5, $5, 5 %, 1/2) stay. What nothing is left of
    keeps its form.
    """
    plain = normalised(answer)
    parts = []
    for match in _PARTS.finditer(_APOSTROPHES.sub("", plain)):
        number = match["number"]
        parts.append(match[0] if number is None else _by_value(number))
    kept = [part for part in parts if part not in _ARTICLES]
    return " ".join(kept or parts) or plain


def _by_value(number: str) -> str:
    text = number.replace(",", "").replace("\u2212", "-")
    try:
        value = Context(prec=len(text) + 1).create_decimal(text)
        return "0" if not value else str(value.normalize(Context(prec=len(text) + 1)))
    except ArithmeticError:  # an exponent beyond all measure
        return text


def clusters(answers: Sequence[str], same: Same | None = None) -> list[int]:
    """Give the number of the cluster of each answer, in the order in which they appear.

    Without `same` by `meaning_key`. `same(a, b)` is asked of an answer and the first one of
    each cluster, largest first, until one is the same: few calls, and none twice; for answers
    that are equal to the letter there is none. It must give True or False. What it raises
    passes through, with a note of the two answers.
    """
    if same is None:
        numbers: dict[str, int] = {}
        return [numbers.setdefault(meaning_key(answer), len(numbers)) for answer in answers]
    of_text: dict[str, int] = {}
    firsts: list[str] = []
    sizes: Counter[int] = Counter()
    for answer in answers:
        if answer not in of_text:
            order = sorted(range(len(firsts)), key=lambda number: -sizes[number])
            alike = (number for number in order if _is_same(same, firsts[number], answer))
            of_text[answer] = next(alike, len(firsts))
            if of_text[answer] == len(firsts):
                firsts.append(answer)
        sizes[of_text[answer]] += 1
    return [of_text[answer] for answer in answers]


def _is_same(same: Same, one: str, other: str) -> bool:
    try:
        verdict: Any = same(one, other)
    except BaseException as error:
        error.add_note(
            f"It was raised by same(a, b), which compares answers, of {_shown(one)} and "
            f"{_shown(other)}. The replies are in nbchat.runs()."
        )
        raise
    if (
        verdict is not True
        and verdict is not False
        and type(verdict).__name__ not in ("bool", "bool_")
    ):
        raise CheckError(
            f"same(a, b) gave {_shown(verdict)} of {_shown(one)} and {_shown(other)}, "
            "but must give True or False.",
            field="same",
            value=verdict,
            rule="True or False",
        )
    return bool(verdict)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"
