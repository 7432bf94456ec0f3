"""What a docstring says of a function and of its parameters: Google's, NumPy's, Sphinx's way."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from itertools import pairwise

_SECTION = re.compile(r"([A-Z][A-Za-z ]{2,20}):?\s*\Z")
_OF_PARAMETERS = {"args", "arguments", "parameters", "params", "other parameters", "keyword args"}
_OF_OTHERS = {
    "returns", "return", "yields", "raises", "warns", "example", "examples", "note", "notes",
    "see also", "references", "attributes",
}  # fmt: skip
_ENTRY = re.compile(r"\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)")
_BULLET = re.compile(r"[-*]\s+`{1,2}(\w+)`{1,2}\s*(?:\([^)]*\))?\s*:\s*(.*)")
_FIELD = re.compile(r":(param|type|returns?|rtype|raises?)\b\s*([^:]*):\s*(.*)")


def read_docstring(text: str) -> tuple[str, dict[str, str]]:
    """Give what a docstring says of the function, and what of each parameter."""
    descriptions: dict[str, list[str]] = {}
    summary: list[str] = []
    where: str | None = None  # the section; None is the text before the first one
    current: list[str] | None = None
    depth = 0
    for line, following in _with_next(inspect.cleandoc(text).splitlines()):
        field, bullet, head = _FIELD.match(line), _BULLET.match(line), _SECTION.match(line)
        if field:
            kind, name, rest = field.groups()
            where = "fields"
            current = None
            if kind == "param" and name.split():
                current = descriptions[name.split()[-1]] = [rest]
        elif bullet and where is None:
            current = descriptions[bullet[1]] = [bullet[2]]
        elif head and _is_section(head[1]) and (line.rstrip().endswith(":") or _is_rule(following)):
            where, current = head[1].lower(), None
        elif where is None:
            current = current if line.startswith(" ") else None
            (summary if current is None else current).append(line.strip() if current else line)
        elif where == "fields":
            _append(current, line)
        elif where in _OF_PARAMETERS:
            indent = len(line) - len(line.lstrip())
            entry = _ENTRY.match(line.strip()) or re.fullmatch(r"(\w+)()", line.strip())
            if entry and (current is None or indent <= depth):
                depth = indent
                # NumPy writes the type behind the colon, and the words below
                current = descriptions[entry[1]] = [entry[2] if indent else ""]
            else:
                _append(current, line)
    joined = {name: " ".join(" ".join(lines).split()) for name, lines in descriptions.items()}
    return "\n".join(summary).strip(), joined


def _is_section(title: str) -> bool:
    return title.lower() in _OF_PARAMETERS | _OF_OTHERS


def _append(lines: list[str] | None, line: str) -> None:
    if lines is not None and not _is_rule(line):
        lines.append(line.strip())


def _is_rule(line: str) -> bool:
    return len(line.strip()) > 2 and not line.strip("- =")


def _with_next(lines: list[str]) -> Iterator[tuple[str, str]]:
    yield from pairwise([*lines, ""])
