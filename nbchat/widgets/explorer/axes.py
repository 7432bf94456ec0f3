"""What varies from lane to lane: an axis and its values, as they are typed and as they are set."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from nbchat.api.fields import FIELDS
from nbchat.errors import CheckError
from nbchat.request.draft import Draft
from nbchat.widgets.explorer.form import edited, panel_options
from nbchat.widgets.explorer.variables import Variables

_NUMBER = r"-?(?:\d+\.?\d*|\.\d+)"
_RANGE = re.compile(rf"({_NUMBER})\s*\.\.\s*({_NUMBER})(?:\s+step\s+({_NUMBER}))?")
_DASHED = re.compile(r"(\d+)\s*[-–]\s*(\d+)")
_UNSET = "unset"
_SHORT = 40
MOST_VALUES = 1_000
#: axes whose values are texts, whatever they look like
TEXTS = ("system", "profile", "model")


class Axis(NamedTuple):
    """A field, ``system``, ``profile``, a variable or a server's own field, and its values.

    UNSET among the values leaves it out.
    """

    name: str
    values: list[Any]


def typed_values(name: str, text: str) -> list[Any]:
    """Read the values of an axis as a user types them.

    A JSON list; else parts between commas (lines, where there are several): ``0..1 step 0.25``,
    ``1-5`` and ``1..5`` are ranges, ``unset`` leaves the field out, all else is JSON, or a text
    where it is none. System prompts stand one on a line. Raise CheckError for a range that is
    none.
    """
    stripped = text.strip()
    if stripped.startswith("["):
        try:
            decoded = json.loads(stripped)
        except ValueError:
            decoded = None
        if isinstance(decoded, list):
            return decoded
    by_line = name == "system" or "\n" in stripped
    parts = stripped.split("\n") if by_line else _at_commas(stripped)
    values = [value for part in parts if part.strip() for value in _read(name, part.strip())]
    if len(values) > MOST_VALUES:
        raise CheckError(f"{name} has {len(values):,} values: {MOST_VALUES:,} are the most.")
    return values


def with_value(
    draft: Draft, variables: Variables, name: str, value: Any, notebook: Mapping[str, Any]
) -> tuple[Draft, Variables]:
    """Give the request with an axis at one of its values.

    Raise CheckError for a name that is nothing of the request.
    """
    if name == "system":
        return _with_system(draft, value), variables
    if name == "profile":
        return msgspec.structs.replace(draft, profile=None if value is UNSET else value), variables
    if name in FIELDS() or name in panel_options():
        change: dict[str, Any] = {"unset": [name]} if value is UNSET else {"fields": {name: value}}
        return edited(draft, change, notebook)[0], variables
    extra = {field: held for field, held in draft.extra.items() if field != name}
    if value is not UNSET:
        extra[name] = value
    return msgspec.structs.replace(draft, extra=extra), variables


def with_variable(variables: Variables, name: str, value: Any) -> Variables:
    """Give the variables with one at a value; UNSET leaves it to the notebook."""
    values = {other: held for other, held in variables.values.items() if other != name}
    if value is not UNSET:
        values[name] = value
    return msgspec.structs.replace(variables, values=values)


def label_of(name: str, value: Any) -> str:
    """Say an axis at a value in few words."""
    if value is UNSET:
        return f"{name} unset"
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    line = " ".join(text.split())
    return f"{name} {line if len(line) <= _SHORT else f'{line[: _SHORT - 1]}…'}"


def _with_system(draft: Draft, value: Any) -> Draft:
    messages = draft.messages
    is_there = bool(messages) and messages[0].get("role") in ("system", "developer")
    role = messages[0]["role"] if is_there else "system"
    rest = messages[1:] if is_there else messages
    lead = [] if value is UNSET else [{"role": role, "content": str(value)}]
    return msgspec.structs.replace(draft, messages=[*lead, *rest])


def _at_commas(text: str) -> Iterable[str]:
    """Cut at the commas that stand in no quotes and no brackets."""
    depth, is_quoted, begin = 0, False, 0
    for place, character in enumerate(text):
        if character == '"' and text[place - 1 : place] != "\\":
            is_quoted = not is_quoted
        elif not is_quoted:
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(character, 0)
            if character == "," and depth <= 0:
                yield text[begin:place]
                begin = place + 1
    yield text[begin:]


def _read(name: str, part: str) -> list[Any]:
    if part == _UNSET:
        return [UNSET]
    if name in TEXTS:
        return [part]
    if match := _RANGE.fullmatch(part):
        return _range(part, *match.groups())
    if (match := _DASHED.fullmatch(part)) and int(match[1]) < int(match[2]):
        return _range(part, match[1], match[2], None)
    try:
        return [json.loads(part)]
    except ValueError:
        return [part]


def _range(part: str, low: str, high: str, step: str | None) -> list[Any]:
    begin, end = Decimal(low), Decimal(high)
    is_whole = begin == begin.to_integral() and end == end.to_integral()
    if step is None and not is_whole:
        raise CheckError(f"{part} needs a step: {part} step 0.25.")
    by = Decimal(step or "1")
    if by <= 0 or end < begin:
        raise CheckError(f"{part} is no range: it goes up, by a step above 0.")
    count = int((end - begin) / by) + 1
    if count > MOST_VALUES:
        raise CheckError(f"{part} has {count:,} values: {MOST_VALUES:,} are the most.")
    values = [begin + k * by for k in range(count)]
    are_whole = all(value == value.to_integral() for value in (begin, by))
    return [int(value) if are_whole else float(value) for value in values]


def is_field(name: str) -> bool:
    """Tell whether a name is a field, ``system``, ``profile`` or an option of nbchat's own."""
    return name in ("system", "profile") or name in FIELDS() or name in panel_options()
