"""Variables of the notebook that the line of a magic names."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from typing import Any

from nbchat.api.fields import Field
from nbchat.api.json_values import prediction_of
from nbchat.errors import MagicUsageError

_NAMES = re.compile(r"\s*[^\W\d][\w.]*\s*(?:,\s*[^\W\d][\w.]*\s*)*")
_DOTTED = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")


def values_of(field: Field, texts: list[str], variables: Mapping[str, Any]) -> Any:
    """Give what a field's flag names, or the text, or the texts, for `check` to read."""
    if len(texts) > 1:
        return texts
    text = texts[0]
    if field.name in ("tools", "functions") and _NAMES.fullmatch(text) and text != "null":
        return _functions(field, text, variables)
    if field.name == "prediction":
        return _prediction(field, text, variables)
    return variable_of(field, text, variables) if may_be_variable(field) else text


def _prediction(field: Field, text: str, variables: Mapping[str, Any]) -> Any:
    """Give the prediction that stands there as JSON, else the text, or that of a variable."""
    value = variable_of(field, text, variables)
    if value is text:
        return text if text == "null" or _is_prediction(text) else prediction_of(text)
    return prediction_of(value) if isinstance(value, str) else value


def _is_prediction(text: str) -> bool:
    try:
        value = json.loads(text)
    except ValueError:
        return False
    return isinstance(value, dict) and value.get("type") == "content" and "content" in value


def _functions(field: Field, text: str, variables: Mapping[str, Any]) -> Any:
    """Give the functions and schemas that ``f,g`` names; of one name its value, as it is."""
    values = [variable_of(field, name.strip(), variables) for name in text.split(",")]
    if len(values) == 1:
        return values[0]
    return [one for value in values for one in (value if isinstance(value, list) else [value])]


def may_be_variable(field: Field) -> bool:
    """Tell whether the flag of this field takes the name of a variable."""
    return field.kind in ("mapping", "list", "object") or "object" in field.kinds


def variable_of(field: Field, text: str, variables: Mapping[str, Any]) -> Any:
    """Give the variable that a text names, or the text where it is a value itself."""
    is_value = text == "null" or all(part.strip() in field.choices for part in text.split(","))
    if is_value or not _DOTTED.fullmatch(text):
        return text
    first = text.partition(".")[0]
    if first not in variables and field.choices:
        return text
    return named(field.name.replace("_", "-"), f"{field.rule}, as JSON", text, variables)


def named(flag: str, rule: str, text: str, variables: Mapping[str, Any]) -> Any:
    """Give the value of a dotted name among the variables.

    `flag` and `rule` are for the sentence of the MagicUsageError where there is none.
    """
    first, *attributes = text.split(".")
    if first not in variables:
        near = difflib.get_close_matches(first, list(variables), n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise MagicUsageError(
            f"--{flag} takes {rule} or in a variable; there is no variable {first}.{hint}"
        )
    value = variables[first]
    for attribute in attributes:
        if attribute.startswith("_") or not hasattr(value, attribute):
            raise MagicUsageError(f"{text}: {first} has no attribute {attribute}.")
        value = getattr(value, attribute)
    return value


def shown_type(value: Any) -> str:
    """Name the type of a value as a sentence does: "a list", "an int"."""
    noun = type(value).__name__
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
