"""What Tab offers on a line of ``%chat`` and ``%%chat``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.completer import SimpleCompletion, context_matcher

from nbchat.api.fields import FIELDS, Field
from nbchat.api.messages import LITERALS
from nbchat.client import presets
from nbchat.code.flags import OPTION_FLAGS
from nbchat.code.media_flags import MEDIA
from nbchat.code.notebook_variables import may_be_variable
from nbchat.session import Thread

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult

_MOST_PATHS = 1_000
_OPEN_TEMPLATE = re.compile(r"\{[{%](?:(?!\}\}|%\}).)*?([^\W\d]?\w*)$")
_LAST_FLAG = re.compile(r"(?:^|\s)--([\w-]+)(?:\s+|=)(\S*)$")
_LAST_WORD = re.compile(r"(\S*)$")
_SHORT = re.compile(r"(?:^|\s)-([a-z])\s+(\S*)$")


def matcher(shell: Any, names: set[str], models: Callable[[str | None], list[str]]) -> Any:
    """Give IPython's completer a matcher for the lines of these magics.

    `models` gives the models of a profile, at once or after half a second at the most.
    """

    def nbchat_matcher(context: CompletionContext) -> SimpleMatcherResult:
        head, is_first = _magic_line(context, names)
        if head is None:
            return _nothing()
        before = context.text_until_cursor
        match = _OPEN_TEMPLATE.search(before)
        if match is not None:
            return _result(match[1], _variables(shell))
        if not is_first:
            return _nothing()
        word, offered = _offered(head, shell, models)
        return _result(word, offered)

    return context_matcher(identifier="nbchat", priority=100)(nbchat_matcher)


def _magic_line(context: CompletionContext, names: set[str]) -> tuple[str | None, bool]:
    """Give the text of a magic's line up to the cursor, and if it is the line of the cursor."""
    first = context.full_text.lstrip("\n").partition("\n")[0]
    line = context.text_until_cursor
    for text, is_cell in ((line.lstrip(), False), (first, True)):
        name, blank, flags = text.partition(" ")
        if blank and name.lstrip("%") in names and name.startswith("%%" if is_cell else "%"):
            is_first = not is_cell or context.full_text[: len(line)] == line
            return flags, is_first
    return None, False


def _offered(
    line: str, shell: Any, models: Callable[[str | None], list[str]]
) -> tuple[str, Iterable[str]]:
    short = _SHORT.search(line)
    if short is not None:
        return short[2], {"t": Thread.names(), "o": _variables(shell)}.get(short[1], [])
    flag = _LAST_FLAG.search(line)
    if flag is not None:
        values = _values(flag[1].replace("_", "-"), line, shell, models)
        if values is not None:
            return flag[2], values
    match = _LAST_WORD.search(line)
    word = match[1] if match else ""
    return word, _flags() if word.startswith("-") or not word else ()


def _values(
    flag: str, line: str, shell: Any, models: Callable[[str | None], list[str]]
) -> Iterable[str] | None:
    """Give the values of a flag; None where it takes none, so that flags can follow."""
    if flag in OPTION_FLAGS:
        offers: dict[str, Callable[[], Iterable[str]]] = {
            "profile": presets.names,
            "thread": Thread.names,
            "out": lambda: _variables(shell),
            "schema": lambda: _variables(shell),
            **{name: lambda: [*_variables(shell), *_paths(line)] for name in MEDIA},
            "detail": lambda: LITERALS["detail"],
            "messages": lambda: _variables(shell),
            "params": lambda: _variables(shell),
        }
        return None if OPTION_FLAGS[flag].takes == "nothing" else offers.get(flag, tuple)()
    field = FIELDS().get(flag.replace("-", "_"))
    if field is None or field.kind == "boolean":
        return None
    if field.name == "model":
        profile = re.search(r"--profile(?:\s+|=)(\S+)", line)
        return models(profile[1] if profile else None)
    return _declared_values(field, shell)


def _declared_values(field: Field, shell: Any) -> list[str]:
    values = list(field.choices)
    return values + _variables(shell) if may_be_variable(field) else values


def _flags() -> list[str]:
    flags = [f"--{name}" for name in OPTION_FLAGS if name != "param"]
    for field in FIELDS().values():
        flags.append(f"--{field.name.replace('_', '-')}")
        if field.kind == "boolean":
            flags.append(f"--no-{field.name.replace('_', '-')}")
    return flags


def _paths(line: str) -> list[str]:
    """Name the files of the folder that the last word on the line stands in."""
    match = _LAST_FLAG.search(line)
    folder, slash, _ = (match[2] if match else "").rpartition("/")
    try:
        entries = sorted(Path(folder + slash or ".").expanduser().iterdir())
    except OSError:
        return []
    names = (f"{folder}{slash}{e.name}{'/' if e.is_dir() else ''}" for e in entries[:_MOST_PATHS])
    return [name for name in names if " " not in name]


def _variables(shell: Any) -> list[str]:
    hidden = getattr(shell, "user_ns_hidden", {})
    return [name for name in shell.user_ns if not name.startswith("_") and name not in hidden]


def _result(word: str, offered: Iterable[str]) -> SimpleMatcherResult:
    completions = [
        SimpleCompletion(text=text, type="param") for text in offered if text.startswith(word)
    ]
    return {
        "completions": completions,
        "matched_fragment": word,
        "suppress": True,
        "ordered": True,
    }


def _nothing() -> SimpleMatcherResult:
    return {"completions": [], "suppress": False}
