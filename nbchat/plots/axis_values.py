"""Values of the axes of a sweep: which of them are one, and what they are called."""

from __future__ import annotations

import json
from numbers import Real
from typing import Any

#: what a text without a visible character is called
EMPTY = "(empty)"
_NOT_SET = "not set"
_PANDAS_OWN = ("NAType", "NaTType")


def is_not_set(value: Any) -> bool:
    """Tell whether a value is None, NaN or pandas' NA."""
    if value is None or type(value).__name__ in _PANDAS_OWN:
        return True
    return isinstance(value, Real) and bool(value != value)


def value_key(value: Any) -> Any:
    """Give a value as a key: those that are not set are one, while NaN is not equal to NaN."""
    return None if is_not_set(value) else value


def value_text(value: Any) -> str:
    """Give a value as text, whole: a text as it is, a dict or a list as JSON."""
    if is_not_set(value):
        return _NOT_SET
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.12g}"  # what pandas made a float beside None is written as it was
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def value_name(value: Any) -> str:
    """Give a value as a sentence or a figure names it: on one line, and never blank."""
    return " ".join(value_text(value).split()) or EMPTY
