"""The names by which code can say a function or a type of the notebook's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args, get_origin

from nbchat.request.draft import is_json


def names_in(fields: Mapping[str, Any]) -> dict[str, list[str]]:
    """Give the fields whose values have names in Python, and the names.

    Of `tools` and `functions` those of their functions; of `response_format` that of the type,
    ``list[Fruit]`` included. A field of which a part has no name, such as a lambda, is left out.
    """
    by_field: dict[str, list[str]] = {}
    for name in ("tools", "functions"):
        value = fields.get(name)
        each = value if isinstance(value, (list, tuple)) else [value]
        names = [_name_of(one) for one in each if callable(one) and not isinstance(one, type)]
        if names and len(names) == len(each) and all(names):
            by_field[name] = [one for one in names if one]
    wanted = fields.get("response_format")
    if wanted is not None and not is_json(wanted):
        text = _type_name(wanted)
        if text:
            by_field["response_format"] = [text]
    return by_field


def _name_of(value: Any) -> str | None:
    name = getattr(value, "__name__", None)
    is_plain = isinstance(name, str) and name.isidentifier()
    # what is defined inside of a function has no name outside of it
    return name if is_plain and "<locals>" not in getattr(value, "__qualname__", "") else None


def _type_name(value: Any) -> str | None:
    if get_origin(value) is list and len(get_args(value)) == 1:
        inner = _type_name(get_args(value)[0])
        return f"list[{inner}]" if inner else None
    return _name_of(value) if isinstance(value, type) else None
