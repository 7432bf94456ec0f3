"""Docstrings, as Markdown that Sphinx reads, with links to the names that have a page."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable

_CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_NAME = re.compile(r"(nbchat(?:\.\w+)+|\b[A-Z]\w+)(\(.*\))?\Z", re.DOTALL)
_DRAWN = re.compile(r"[│├└┌▼]")


def markdown_of(docstring: str | None, names: Iterable[str] = ()) -> str:
    """Give a docstring as Markdown; `names` are the dotted names that links may lead to."""
    text = inspect.cleandoc(docstring or "")
    paragraphs = [_paragraph(part) for part in re.split(r"\n\s*\n", text)]
    return linked("\n\n".join(paragraphs), names)


def first_sentence(docstring: str | None) -> str:
    """Give what a docstring says first, on one line."""
    first = inspect.cleandoc(docstring or "").split("\n\n")[0].replace("\n", " ")
    end = re.search(r"(?<!e\.g)(?<!i\.e)[.:](?= [A-Z`]|\Z)", first)
    return first[: end.start()] + "." if end else first


def linked(text: str, names: Iterable[str]) -> str:
    """Make a link of each name in backticks that has a page; what stands in fences stays."""
    by_end = _by_end(names)
    done, fence = [], ""
    for piece in re.split(r"(?m)(^[ ]*(?:`{3,}|~{3,})[^\n]*$\n?)", text):
        mark = re.match(r"[ ]*(`{3,}|~{3,})", piece)
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1] == fence:
            fence = ""
        elif not fence:
            done.append(_CODE.sub(lambda code: _link(code, by_end), piece))
            continue
        done.append(piece)
    return "".join(done)


def named_in(text: str) -> set[str]:
    """Give the dotted names of nbchat's that stand in backticks outside of fences."""
    without = re.sub(r"(?ms)^[ ]*(`{3,}|~{3,}).*?^[ ]*\1[ ]*$", "", text)
    matches = {_NAME.match(code[2]) for code in _CODE.finditer(without)}
    return {match[1] for match in matches if match and match[1].startswith("nbchat.")}


def _paragraph(text: str) -> str:
    if _DRAWN.search(text):
        return f"```text\n{text}\n```"
    return outside_of_code(text, _escaped)


def outside_of_code(text: str, change: Callable[[str], str]) -> str:
    """Give the text with what stands in no backticks changed."""
    done, last = [], 0
    for code in _CODE.finditer(text):
        done += [change(text[last : code.start()]), code[0]]
        last = code.end()
    return "".join([*done, change(text[last:])])


def _escaped(text: str) -> str:
    text = re.sub(r"<(?=[\w/|!])", r"\\<", text)
    return re.sub(r"(?m)^(\s*)([+*])(?= )", r"\1\\\2", text)


def _by_end(names: Iterable[str]) -> dict[str, str]:
    """Map each dotted name to itself, and class names that are one's alone to that one."""
    known = {name: name for name in names}
    ends: dict[str, list[str]] = {}
    for name in known:
        ends.setdefault(name.rpartition(".")[2], []).append(name)
    alone = {end: full[0] for end, full in ends.items() if len(full) == 1 and end[0].isupper()}
    return known | alone


def _link(match: re.Match[str], by_end: dict[str, str]) -> str:
    code = match[2]
    name = _NAME.match(code)
    target = by_end.get(name[1]) if name else None
    if target is None or "<" in code or "`" in code:
        return match[0]
    return f"{{py:obj}}`{code} <{target}>`"
