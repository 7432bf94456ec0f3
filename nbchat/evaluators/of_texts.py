"""Evaluators of what a reply says: equal, contained, matched, a number, an object."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nbchat.api.json_values import plain
from nbchat.code.filled import filled
from nbchat.errors import CheckError
from nbchat.evaluators.evaluator import Evaluator, Function, Row, Scale
from nbchat.measures import normalised

if TYPE_CHECKING:
    from nbchat.run import Run

_NUMBER = re.compile(r"[-+]?(?:\d[\d,]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_FENCE = re.compile(r"\s*```\w*\n(.*?)\n?```\s*", re.DOTALL)
_RIGHT: Scale = "right or wrong"


def equals(wanted: Any, *, exactly: bool = False) -> Evaluator:
    """Score 1 where the reply is `wanted`, else 0.

    `wanted` is a template on the row's variables (``"{{ answer }}"``), a value, or a list of
    those that are right. Case, blanks and punctuation around the reply do not count, unless
    `exactly`.
    """
    same = (lambda text: text) if exactly else normalised
    return _of_the_text(
        f"equals {_shown(wanted)}",
        lambda row, run: same(run.text) in {same(text) for text in _texts(wanted, row)},
        _RIGHT,
    )


def contains(wanted: Any, *, exactly: bool = False) -> Evaluator:
    """Score 1 where the reply contains `wanted`, or one of a list, as whole words, else 0.

    `wanted` as in `equals`. With `exactly` case counts, and parts of words do, too.
    """

    def is_there(row: Row, run: Run) -> bool:
        if exactly:
            return any(text in run.text for text in _texts(wanted, row))
        reply = f" {_words(run.text)} "
        return any(f" {_words(text)} " in reply for text in _texts(wanted, row))

    return _of_the_text(f"contains {_shown(wanted)}", is_there, _RIGHT)


def matches(pattern: str, *, flags: int = 0) -> Evaluator:
    """Score 1 where a regular expression is found in the reply, else 0.

    `pattern` may be a template. Raise CheckError where it is no regular expression.
    """
    if "{{" not in pattern and "{%" not in pattern:
        try:
            re.compile(pattern, flags)
        except re.error as error:
            raise CheckError(
                f"matches({pattern!r}) is no regular expression: {error}.",
                field="pattern",
                value=pattern,
            ) from None
    return _of_the_text(
        f"matches {pattern!r}",
        lambda row, run: re.search(filled(pattern, row), run.text, flags) is not None,
        _RIGHT,
    )


def json_equals(wanted: Any) -> Evaluator:
    """Score 1 where the object of the reply is `wanted`, else 0; order of keys does not count.

    `wanted` is a value, or a template or text that is JSON. A reply without an object is 0.
    """

    def is_equal(row: Row, run: Run) -> bool:
        value = wanted
        if isinstance(wanted, str):
            text = filled(wanted, row)
            try:
                value = json.loads(text)
            except ValueError:
                value = text
        return bool(_plain(_object(run)) == _plain(value))

    return _of_the_text(f"json_equals {_shown(wanted)}", is_equal, _RIGHT)


def number_within(wanted: Any, tolerance: float = 0.0, *, relative: float = 0.0) -> Evaluator:
    """Score 1 where the last number of the reply is near to `wanted`, else 0.

    Near is within `tolerance`, or within the share `relative` of `wanted`, a number or a
    template. A reply without a number is 0.
    """

    def is_near(row: Row, run: Run) -> bool:
        target = _number(filled(wanted, row) if isinstance(wanted, str) else wanted)
        numbers = _NUMBER.findall(run.text)
        if target is None or not numbers:
            return False
        last = _number(numbers[-1])
        allowed = max(tolerance, relative * abs(target)) + 1e-12 * abs(target)
        return last is not None and abs(last - target) <= allowed

    return _of_the_text(f"number_within {_shown(wanted)}", is_near, _RIGHT)


def field(path: str, wanted: Any = None) -> Evaluator:
    """Score a field of the reply's object, as ``"address.city"`` or ``"items.0.price"``.

    With `wanted` (a value, or a template) 1 where it is equal, else 0; without, its number, or
    1 and 0 for true and false. A reply without the field is 0, or without a score.
    """
    if not path:
        raise CheckError("field() needs the path of a field.", field="path", value=path)

    def score(row: Row, run: Run) -> Any:
        entry = _at(_plain(_object(run)), path)
        if wanted is None:
            return float(entry) if isinstance(entry, (bool, int, float)) else None
        if entry is _MISSING:
            return False
        texts = _texts(wanted, row)
        return entry == wanted or normalised(str(entry)) in {normalised(text) for text in texts}

    return _of_the_text(f"field {path}", score, "number" if wanted is None else _RIGHT)


def _of_the_text(name: str, function: Function, scale: Scale) -> Evaluator:
    return Evaluator(name, function, scale, reads_tokens=False)


_MISSING = object()


def _texts(wanted: Any, row: Row) -> list[str]:
    several = wanted if isinstance(wanted, (list, tuple, set, frozenset)) else [wanted]
    return [filled(each, row) if isinstance(each, str) else str(each) for each in several]


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _number(value: Any) -> float | None:
    try:
        return float(str(value).replace(",", ""))
    except ValueError:
        return None


def _object(run: Run) -> Any:
    """Give the object of a reply, also where it was asked for in words alone."""
    if run.parsed is not None:
        return run.parsed
    fenced = _FENCE.fullmatch(run.text)
    try:
        return json.loads(fenced[1] if fenced else run.text)
    except ValueError:
        return _MISSING


def _plain(value: Any) -> Any:
    try:
        return plain(value, "")
    except CheckError:
        return value


def _at(value: Any, path: str) -> Any:
    for step in path.split("."):
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.lstrip("-").isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return _MISSING
    return value


def _shown(wanted: Any) -> str:
    text = repr(wanted)
    return text if len(text) <= 40 else f"{text[:39]}…"
