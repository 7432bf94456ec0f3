"""Growing Markdown, cut into blocks that are finished and one that is still open.

A finished block is never changed by what comes after it, so it need not be sent again while
the rest streams. Blocks are cut only where a renderer would begin afresh: at a blank line, or
after a fence; never inside a fence, a list, a formula or an HTML element. The blocks and the
open one, joined, are the text. Each character is looked at once.
"""

from __future__ import annotations

import re

_FENCE = re.compile(r"( *)(`{3,}(?=[^`]*$)|~{3,})")
_ITEM = re.compile(r" *(?:[-+*]|\d{1,9}[.)])(?:\s|$)")
_COULD_BE_ITEM = re.compile(r" *(?:[-+*]|\d{1,9}[.)]?)?$")
_COMMENT = re.compile(r" {0,3}<!--")
_MATH = re.compile(r" {0,3}(\$\$|\\\[)")
_ELEMENT = re.compile(
    r" {0,3}<(address|article|aside|blockquote|center|details|dialog|div|dl|figure|footer|form|"
    r"header|main|nav|ol|pre|script|section|style|table|textarea|ul)(?=[\s/>]|$)",
    re.IGNORECASE,
)
_CLOSES_MATH = {"$$": "$$", "\\[": "\\]"}

# enough of a line to see whether it goes on with a list
_HEAD = 64


class MarkdownBlocks:
    """Takes the text piece by piece; `feed` gives the blocks that the piece finished."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._tail: list[str] = []
        self._head = ""
        self._fence = ""
        self._closer = ""
        self._element: tuple[re.Pattern[str], re.Pattern[str]] | None = None
        self._depth = 0
        self._is_list = False
        self._is_indented = False
        self._after_blank = False
        self._is_empty = True

    @property
    def open(self) -> str:
        """The block that can still grow."""
        return "".join(self._lines) + "".join(self._tail)

    def feed(self, piece: str) -> list[str]:
        """Take the next piece of the text and give the blocks that are finished now, in order."""
        finished: list[str] = []
        *complete, rest = piece.split("\n")
        for part in complete:
            line = "".join([*self._tail, part, "\n"])
            self._tail, self._head = [], ""
            self._take(line, finished)
        if rest:
            self._tail.append(rest)
            if len(self._head) < _HEAD:
                self._head += rest[:_HEAD]
                self._cut_before(self._head, finished, is_whole=False)
        return finished

    def closing_fence(self) -> str:
        """Give the fence that would close the code block at the end of the text, else ""."""
        tail = "".join(self._tail)
        if self._fence:
            return "" if _closes(tail, self._fence) else self._fence
        opening = self._opening_fence(tail)
        return opening if self._can_open() else ""

    def _take(self, line: str, finished: list[str]) -> None:
        is_blank = not line.strip()
        if not is_blank:
            self._cut_before(line, finished, is_whole=True)
        self._lines.append(line)
        if self._fence:
            if _closes(line, self._fence):
                self._fence = ""
                if not self._is_list:
                    self._finish(finished)
        elif self._closer:
            if self._closer in line:
                self._closer = ""
        elif self._element:
            self._count(line)
        elif is_blank:
            self._blank(finished)
        else:
            self._begin(line)
            self._is_empty = False

    def _blank(self, finished: list[str]) -> None:
        if self._is_empty:
            return
        if self._is_list or self._is_indented:
            self._after_blank = True
        else:
            self._finish(finished)

    def _begin(self, line: str) -> None:
        """See what a line at the top level opens."""
        indent = len(line) - len(line.lstrip(" "))
        if self._is_empty:
            self._is_indented = indent >= 4 or line.startswith("\t")
        if _ITEM.match(line) and (indent < 4 or self._is_list):
            self._is_list = True
            self._is_indented = False
            line = _ITEM.sub("", line, count=1)
        self._fence = self._opening_fence(line)
        if self._fence or self._is_indented:
            return
        if match := _MATH.match(line):
            closer = _CLOSES_MATH[match[1]]
            if closer not in line[match.end() :]:
                self._closer = closer
        elif match := _COMMENT.match(line):
            if "-->" not in line[match.end() :]:
                self._closer = "-->"
        elif match := _ELEMENT.match(line):
            name = match[1].lower()
            self._element = (
                re.compile(rf"<{name}(?=[\s/>]|$)", re.IGNORECASE),
                re.compile(rf"</{name}\s*>", re.IGNORECASE),
            )
            self._depth = 0
            self._count(line)

    def _can_open(self) -> bool:
        return not (self._closer or self._element or self._is_indented)

    def _opening_fence(self, line: str) -> str:
        match = _FENCE.match(line.rstrip("\r\n"))
        if match is None or (len(match[1]) > 3 and not self._is_list):
            return ""
        return match[2]

    def _count(self, line: str) -> None:
        if self._element is None:
            return
        opens, closes = self._element
        self._depth += len(opens.findall(line)) - len(closes.findall(line))
        if self._depth <= 0:
            self._element = None

    def _cut_before(self, line: str, finished: list[str], *, is_whole: bool) -> None:
        """Finish the block where this line, whole or its beginning, does not go on with it."""
        if not self._after_blank or self._fence or self._closer or self._element:
            return
        if not is_whole and len(line) < _HEAD and _is_undecided(line, is_list=self._is_list):
            return
        width = 2 if self._is_list else 4
        goes_on = line.startswith((" " * width, "\t")) or (self._is_list and _ITEM.match(line))
        self._after_blank = False
        if not goes_on:
            self._finish(finished)

    def _finish(self, finished: list[str]) -> None:
        finished.append("".join(self._lines))
        self._lines = []
        self._is_list = self._is_indented = self._after_blank = False
        self._is_empty = True


def _is_undecided(head: str, *, is_list: bool) -> bool:
    if not head.strip():
        return True
    return is_list and _COULD_BE_ITEM.match(head) is not None


def _closes(line: str, fence: str) -> bool:
    stripped = line.strip()
    return len(stripped) >= len(fence) and not stripped.strip(fence[0])
