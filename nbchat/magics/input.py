"""Prompts reach the magic as they were typed.

IPython reads cells as Python. It takes ``>>>`` away at the beginning of lines, also below
``%%chat``, and it reads ``%chat Why is the sky blue?`` as a question for the documentation of
``blue``. Both are taken over here, before IPython sees them. So is ``x = %chat …``: a magic is
not told whether its value is wanted, and a run that was shown must not be shown again.
"""

from __future__ import annotations

import itertools
import re
import tokenize
from typing import TYPE_CHECKING, Any

from IPython.core.inputtransformer2 import EscapedCommand, MagicAssign

if TYPE_CHECKING:
    from collections.abc import Callable


# what is asked may stand on the line alone
_ASKS = re.compile(
    r"(?:^|\s)(?:--(?:messages|image|audio[-_]in|file)(?=[\s=])|(?:--help|-h)(?=\s|$))"
)
#: what a line begins with whose value is wanted: no front end types it
WANTED = "\x1f"


def cell_transform(names: set[str]) -> Callable[[list[str]], list[str]]:
    """Give the transformation that hands the text below ``%%chat`` over untouched."""

    def nbchat_cell(lines: list[str]) -> list[str]:
        first = next((n for n, line in enumerate(lines) if line.strip()), None)
        if first is None or not lines[first].startswith("%%"):
            return lines
        name, _, flags = lines[first][2:].rstrip().partition(" ")
        body = "".join(lines[first + 1 :])
        if name not in names or not (body or _ASKS.search(flags)):
            return lines
        body = body or "\n"  # IPython refuses a cell without a body
        return [f"get_ipython().run_cell_magic({name!r}, {flags!r}, {body!r})\n"]

    return nbchat_cell


def line_transform(names: set[str]) -> type[Any]:
    """Give the transformation of ``%chat …`` lines that end in a question mark."""

    class ChatLine(EscapedCommand):
        # before the one that reads a final question mark as a call for help
        priority = 4

        @classmethod
        def find(cls, tokens_by_line: list[list[tokenize.TokenInfo]]) -> Any:
            for tokens in tokens_by_line:
                words = [t for t in tokens if t.type not in (tokenize.INDENT, tokenize.DEDENT)]
                if len(words) > 2 and _asks(words, names):
                    return cls(words[0].start)
            return None

    return ChatLine


def assigned_line(names: set[str]) -> type[Any]:
    """Give the transformation of ``x = %chat …``."""

    class ChatValue(MagicAssign):
        priority = 4

        @classmethod
        def find(cls, tokens_by_line: list[list[tokenize.TokenInfo]]) -> Any:
            for tokens in tokens_by_line:
                place = super().find([tokens])  # type: ignore[no-untyped-call]
                if place is not None and _name_after_percent(tokens) in names:
                    return place
            return None

        def transform(self, lines: list[str]) -> list[str]:
            line, column = lines[self.start_line], self.start_col
            name = _NAME.match(line, column + 1)
            end = name.end() if name else column
            marked = f"{line[:end]} {WANTED}{line[end:]}"
            return super().transform(  # type: ignore[no-any-return]
                [*lines[: self.start_line], marked, *lines[self.start_line + 1 :]]
            )

    return ChatValue


_NAME = re.compile(r"\w+")


def _name_after_percent(tokens: list[tokenize.TokenInfo]) -> str:
    for token, following in itertools.pairwise(tokens):
        if token.string == "%":
            return following.string
    return ""


def _asks(tokens: list[tokenize.TokenInfo], names: set[str]) -> bool:
    percent, name = tokens[:2]
    text = name.line[name.end[1] :].strip()
    is_ours = percent.string == "%" and name.string in names and name.start == percent.end
    return is_ours and text.endswith("?") and bool(text.strip("? "))
