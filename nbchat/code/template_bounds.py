"""How large what a template makes may become: refused before it is made."""

from __future__ import annotations

import re
from typing import Any

from jinja2.exceptions import SecurityError

#: characters of the filled text and of each text on the way; entries of a list; turns of all loops
MOST_CHARACTERS = 20_000_000
MOST_ENTRIES = 1_000_000
MOST_TURNS = 1_000_000
MOST_WIDTH = 10_000


def check_method(function: Any, arguments: tuple[Any, ...]) -> None:
    """Refuse what would make a text without end of a number, or of a text in each place."""
    owner, name = function.__self__, function.__name__
    if not isinstance(owner, str | bytes):
        return
    for value in arguments:
        if isinstance(value, int) and abs(value) > MOST_ENTRIES:
            raise SecurityError(f"{value} is too large for {name}")
    if name == "replace" and len(arguments) > 1:
        check_replaced(owner, *arguments[:2])
    elif name == "join" and arguments:
        if isinstance(arguments[0], list | tuple | set | dict):
            check_joined(owner, list(arguments[0]))
    elif name == "expandtabs":
        check_product(owner, int(arguments[0]) if arguments else 8)


def check_product(left: Any, right: Any) -> None:
    for one, other in ((left, right), (right, left)):
        if isinstance(one, int) and isinstance(other, str | bytes | list | tuple):
            most = MOST_CHARACTERS if isinstance(other, str | bytes) else MOST_ENTRIES
            if len(other) * one > most:
                raise SecurityError("the repetition is too long")


def check_size(*values: Any) -> None:
    sizes = [len(value) for value in values if isinstance(value, str | bytes | list | tuple)]
    is_text = any(isinstance(value, str | bytes) for value in values)
    if sum(sizes) > (MOST_CHARACTERS if is_text else MOST_ENTRIES):
        raise SecurityError("the text is too long")


def check_widths(text: str, values: Any) -> None:
    numbers = [int(number) for number in re.findall(r"\d+", text)]
    if "*" in text:
        entries = values if isinstance(values, tuple) else (values,)
        numbers += [value for value in entries if isinstance(value, int)]
    if any(number > MOST_WIDTH for number in numbers):
        raise SecurityError("the format is too wide")


def check_replaced(text: Any, old: Any, new: Any) -> None:
    is_one_type = type(text) is type(old) is type(new)
    if is_one_type and text.count(old) * len(new) + len(text) > MOST_CHARACTERS:
        raise SecurityError("the text is too long")


def check_joined(separator: Any, values: list[Any]) -> None:
    size = sum(len(value) for value in values if isinstance(value, str | bytes))
    if size + len(separator) * len(values) > MOST_CHARACTERS:
        raise SecurityError("the text is too long")


def check_filter(name: str, value: Any, others: list[Any]) -> None:
    """Refuse what a filter would make a text without end of."""
    if name == "join":
        separator = others[0] if others and isinstance(others[0], str) else ""
        check_joined(separator, value if isinstance(value, list) else [])
    elif name == "replace" and len(others) > 1:
        check_replaced(str(value), str(others[0]), str(others[1]))
    elif name == "format":
        check_widths(str(value), tuple(others))
    elif name in ("center", "indent", "wordwrap", "batch", "slice"):
        for each in others:
            size = len(each) if isinstance(each, str) else each
            if isinstance(size, int) and size > MOST_WIDTH and not name == "wordwrap":
                raise SecurityError(f"{size:,} is too large for {name}")
