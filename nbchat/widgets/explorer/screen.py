"""The lanes that the panel shows, painted in the turn of all displays of the process."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import msgspec

from nbchat.display.pace import PAINTER, Cost, Painter
from nbchat.display.publisher import ENVELOPE_BYTES
from nbchat.widgets.explorer.entries import Entry, row_of, spent_text
from nbchat.widgets.explorer.feed import LaneFeed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Record = dict[str, Any]
_WATCHED = ("state", "pinned", "mark", "note")


class Screen:
    """What the pages see of the entries.

    `send` takes a message for the pages, from whatever thread. `entries` are all of the
    panel, the oldest first; `shown` those whose replies stand side by side.
    """

    def __init__(self, send: Callable[[Record], object], painter: Painter = PAINTER):
        self.entries: list[Entry] = []
        self.shown: list[Entry] = []
        self._send = send
        self._painter = painter
        self._feeds: list[LaneFeed] = []
        self._rows: dict[str, Record] = {}
        self._lock = threading.RLock()
        self._is_closed = False
        self._surface = _Surface(self._paint)
        self._n_columns = 0
        self._has_sources = False

    @property
    def dirty(self) -> bool:
        """Whether a frame is still to be painted."""
        return self._surface.dirty

    def open(self, entries: Sequence[Entry], *, varies: bool = False, n_columns: int = 0) -> None:
        """Show these entries, side by side, `n_columns` in a row where it is not 0."""
        with self._lock:
            # what the replies before cost is not to be waited for
            self._painter.drop(self._surface)
            self._surface.is_gone = True
            self._surface = _Surface(self._paint)
            self.shown = [*entries]
            self._n_columns = n_columns
            self._feeds = [LaneFeed(entry, has_source=self._has_sources) for entry in entries]
            for feed in self._feeds:
                feed.delta()
            self._tell({**self._about_lanes(), "varies": varies})
        self.want()

    def show_sources(self) -> None:
        """Tell the Markdown of the replies, too, from now on."""
        with self._lock:
            if self._has_sources:
                return
            self._has_sources = True
            self.open(self.shown, n_columns=self._n_columns)

    def tell_all(self, view: str) -> None:
        """Send all that there is to one page, which has just been opened."""
        with self._lock:
            for feed in self._feeds:
                feed.delta()
            self._tell({**self._about_lanes(), "to": view})
            # the others take no deltas from this: they are told the same as a frame
            self._tell({"on": "frame", "lanes": self._lanes()})
            rows = [self._row(place) for place in range(len(self.entries))]
            self._tell(self._about_rows(rows) | {"whole": True, "to": view})

    def want(self) -> None:
        """Ask for a frame. Costs next to nothing."""
        if not self._is_closed:
            self._painter.want(self._surface)

    def _paint(self) -> Cost:
        with self._lock:
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
        self._painter.drop(self._surface)

    def _tell(self, message: Record) -> int:
        self._send(message)
        return ENVELOPE_BYTES + len(msgspec.json.encode(message))

    def _about_lanes(self) -> Record:
        return {"on": "lanes", "columns": self._n_columns, "lanes": self._lanes()}

    def _lanes(self) -> list[Record]:
        return [feed.whole() for feed in self._feeds]

    def _about_rows(self, rows: list[Record]) -> Record:
        pinned = sum(entry.is_pinned for entry in self.entries)
        return {"on": "rows", "rows": rows, "pinned": pinned, "spent": spent_text(self.entries)}

    def _changed_rows(self) -> list[Record]:
        """Give the rows whose state has changed; a text that grows is no change."""
        changed = []
        for place, entry in enumerate(self.entries):
            told = self._rows.get(entry.id)
            now = (entry.state, entry.is_pinned, entry.mark, entry.note)
            if told is None or tuple(told[name] for name in _WATCHED) != now:
                changed.append(self._row(place))
        return changed

    def _row(self, place: int) -> Record:
        entry = self.entries[place]
        row = row_of(entry, self.entries[place - 1] if place else None)
        self._rows[entry.id] = row
        return row


class _Surface:
    """What the painter paints of one opening: each begins with a budget of its own."""

    def __init__(self, paint: Callable[[], Cost]):
        self.dirty = False
        self.is_gone = False
        self._paint = paint

    def paint(self) -> Cost:
        """Send one frame. The painter calls it."""
        self.dirty = False
        return Cost(0, 0) if self.is_gone else self._paint()
