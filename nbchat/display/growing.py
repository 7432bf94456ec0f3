"""The text of one reply while it grows, as displays. Pure: text in, display messages out.

Each frame costs what is new in it, however long the reply is: finished blocks of Markdown are
looked at once, and of the open one no more is rendered than takes a tenth of a second.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

from msgspec import Struct

from nbchat.display.blocks import MarkdownBlocks
from nbchat.display.characters import visible
from nbchat.display.sanitise import (
    MOST_IN_A_FRAME,
    MOST_SCANNED_IN_A_FRAME,
    frame_bundle,
    is_harmless_so_far,
    open_html,
)


class Show(NamedTuple):
    """Show data (MIME type to text), as a new display or in the place of that of the id."""

    data: dict[str, str]
    display_id: str = ""
    is_update: bool = False


class Slot(Struct, eq=False):
    """A display: its id, and whether it is on the page."""

    id: str
    is_shown: bool = False

    def show(self, data: dict[str, str]) -> Show:
        """Show data here."""
        is_update, self.is_shown = self.is_shown, True
        return Show(data, self.id, is_update)


def new_slot() -> Slot:
    """Give a display that is not on the page yet."""
    return Slot(f"nbchat-{uuid.uuid4().hex[:16]}")


class WholeText:
    """A reply as one display, sent whole each time. `thought`: that of its reasoning."""

    def __init__(self, slot: Slot, thought: Slot | None = None):
        self.slot = slot
        self.thought = thought
        self.seen = 0
        self.is_behind = False
        self._blocks = MarkdownBlocks()
        self._is_harmless = True
        self._html: list[str] = []
        self._not_rendered: list[str] = []

    def take(self, text: str) -> Iterator[Show]:
        """Give the frame of the text so far; none where nothing is new."""
        if len(text) != self.seen:
            yield self.slot.show(self._frame(text))

    def _frame(self, text: str) -> dict[str, str]:
        new, self.seen = _share(text, self.seen)
        for block in self._blocks.feed(new):
            self._not_rendered.append(block)
            self._is_harmless = self._is_harmless and is_harmless_so_far(block)
        rest = text[self.seen :]
        still_open = self._blocks.open
        self.is_behind = bool(rest)
        if not rest and self._is_harmless and is_harmless_so_far(still_open):
            return {"text/markdown": text, "text/plain": visible(text)}
        self._render_some()
        rest = "".join([*self._not_rendered, still_open, rest])
        html = "".join([*self._html, open_html(rest) if rest.strip() else ""])
        return {"text/html": html, "text/plain": visible(text)}

    def _render_some(self) -> None:
        count = 0
        for size in accumulate(map(len, self._not_rendered)):
            if count and size > MOST_IN_A_FRAME:
                break
            count += 1
        self._html += map(open_html, self._not_rendered[:count])
        del self._not_rendered[:count]


class TextInPieces:
    """A reply as displays below one another, of which only the last is sent again."""

    def __init__(self, slot: Slot, thought: Slot | None = None):
        self.slot = slot
        self.thought = thought
        self.seen = 0
        self.is_behind = False
        self._blocks = MarkdownBlocks()

    def take(self, text: str) -> Iterator[Show]:
        """Give the frames of what is new in the text so far."""
        if len(text) == self.seen:
            return
        new, self.seen = _share(text, self.seen)
        self.is_behind = self.seen < len(text)
        finished = "".join(self._blocks.feed(new))
        if finished.strip():
            yield self.slot.show(frame_bundle(finished, is_finished=True))
            self.slot = new_slot()
        still_open = self._blocks.open
        if still_open.strip():
            yield self.slot.show(frame_bundle(still_open))


GrowingText = WholeText | TextInPieces


def _share(text: str, seen: int) -> tuple[str, int]:
    """Give what a frame takes of the text that came since, and how much is seen then."""
    end = min(len(text), seen + MOST_SCANNED_IN_A_FRAME)
    return text[seen:end], end
