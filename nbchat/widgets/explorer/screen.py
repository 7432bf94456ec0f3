"""The lanes that the panel shows, painted in the turn of all displays of the process."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import msgspec

from nbchat.display.pace import PAINTER, Cost, Painter
from nbchat.display.publisher import ENVELOPE_BYTES
from nbchat.widgets.explorer.entries import Entry, row_of
from nbchat.widgets.explorer.feed import LaneFeed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Record = dict[str, Any]


class Screen:
    """What the pages see of the entries; a surface of the painter.

    `send` takes a message for the pages, from whatever thread. `entries` are all of the
    panel, the oldest first; `shown` those whose replies stand side by side.
    """

    def __init__(self, send: Callable[[Record], None], painter: Painter = PAINTER):
        self.dirty = False
        self.entries: list[Entry] = []
        self.shown: list[Entry] = []
        self._send = send
        self._painter = painter
        self._feeds: list[LaneFeed] = []
        self._rows: dict[str, Record] = {}
        self._lock = threading.RLock()
        self._is_closed = False

    def open(self, entries: Sequence[Entry], *, varies: bool = False) -> None:
        """Show these entries, side by side."""
        with self._lock:
            self.shown = [*entries]
            self._feeds = [LaneFeed(entry) for entry in entries]
            for feed in self._feeds:
                feed.delta()
            self._tell({"on": "lanes", "varies": varies, "lanes": self._lanes()})
        self.want()

    def tell_all(self, view: str) -> None:
        """Send all that there is to one page, which has just been opened."""
        with self._lock:
            for feed in self._feeds:
                feed.delta()
            self._tell({"on": "lanes", "to": view, "lanes": self._lanes()})
            # the others take no deltas from this: they are told the same as a frame
            self._tell({"on": "frame", "lanes": self._lanes()})
            rows = [self._row(place) for place in range(len(self.entries))]
            self._tell(self._about_rows(rows) | {"whole": True, "to": view})

    def want(self) -> None:
        """Ask for a frame. Costs next to nothing."""
        if not self._is_closed:
            self._painter.want(self)

    def paint(self) -> Cost:
        """Send one frame. The painter calls it."""
        with self._lock:
            self.dirty = False
            if self._is_closed:
                return Cost(0, 0)
            sizes = []
            lanes = [delta for feed in self._feeds if (delta := feed.delta()) is not None]
            if lanes:
                sizes.append(self._tell({"on": "frame", "lanes": lanes}))
            rows = self._changed_rows()
            if rows:
                sizes.append(self._tell(self._about_rows(rows)))
            return Cost(len(sizes), sum(sizes))

    def close(self) -> None:
        """Paint no more."""
        self._is_closed = True
        self._painter.drop(self)

    def _tell(self, message: Record) -> int:
        self._send(message)
        return ENVELOPE_BYTES + len(msgspec.json.encode(message))

    def _lanes(self) -> list[Record]:
        return [feed.whole() for feed in self._feeds]

    def _about_rows(self, rows: list[Record]) -> Record:
        pinned = sum(entry.is_pinned for entry in self.entries)
        return {"on": "rows", "rows": rows, "pinned": pinned}

    def _changed_rows(self) -> list[Record]:
        """Give the rows whose state has changed; a text that grows is no change."""
        changed = []
        for place, entry in enumerate(self.entries):
            told = self._rows.get(entry.id)
            if told is None or (told["state"], told["pinned"]) != (entry.state, entry.is_pinned):
                changed.append(self._row(place))
        return changed

    def _row(self, place: int) -> Record:
        entry = self.entries[place]
        row = row_of(entry, self.entries[place - 1] if place else None)
        self._rows[entry.id] = row
        return row
