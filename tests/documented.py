"""The code blocks of README, docs and the pages of the root, and what a test does with each.

A block runs, is parsed, or has a reason. Before the fence a comment can say which:

    <!-- test: server -->        a scripted server stands behind http://localhost:8000/v1
    <!-- test: not run: WHY -->  left alone, for a reason that a reader of this file accepts
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
#: run in a kernel, block by block, in the order of the page
RUN = frozenset({"python", "ipython"})
_FENCE = re.compile(r"^(`{3,})([^`\s]*)[^`\n]*\n(.*?)^\1[ ]*$", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"<!--\s*test:\s*((?:(?!-->).)*?)\s*-->\s*\Z", re.DOTALL)


class Block(NamedTuple):
    """A fenced block: `line` is that of its fence, `mark` what its comment says, else ""."""

    page: str
    line: int
    language: str
    code: str
    mark: str

    @property
    def is_run(self) -> bool:
        return self.language in RUN and not self.mark.startswith("not run:")


def pages() -> list[Path]:
    """Give every page that a person wrote."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    blocks = []
    for fence in _FENCE.finditer(text):
        language = fence[2]
        if language.startswith("{"):  # a directive of Sphinx's
            continue
        mark = _MARK.search(text[: fence.start()])
        line = text.count("\n", 0, fence.start()) + 1
        name = page.relative_to(ROOT).as_posix()
        blocks.append(Block(name, line, language, fence[3], mark[1] if mark else ""))
    return blocks


def all_blocks() -> list[Block]:
    return [block for page in pages() for block in blocks_of(page)]
