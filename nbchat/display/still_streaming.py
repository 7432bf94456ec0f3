"""The line below a reply that goes on: what is cut off meanwhile does not look finished.

A page that is reloaded, a kernel that is lost and a notebook that was killed leave the last frame
as it is. So below each frame stands a line, always as the last display: what comes next takes
its place, and the line stands below that. The end takes it away.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nbchat.display.fragments import grey_bundle
from nbchat.display.growing import Show, new_slot

LINE = "…still streaming; nbchat.runs() has all of it"


class StillStreaming:
    """Puts the line below what is shown. Pure: display messages in, display messages out."""

    def __init__(self) -> None:
        #: the display that the line stands in, empty where there is none
        self._at = ""
        #: displays that took the place of a line, by the id that they have elsewhere
        self._places: dict[str, str] = {}

    def below(self, shows: Iterable[Show], *, is_shown: bool) -> Iterator[Show]:
        """Give a frame with the line below it, where it `is_shown` already."""
        for show in shows:
            yield self._placed(show)
        if is_shown and not self._at:
            line = new_slot()
            self._at = line.id
            yield line.show(grey_bundle(LINE))

    def instead(self, shows: Iterable[Show]) -> list[Show]:
        """Give the last frame, which takes the place of the line. Done twice it is the same."""
        ending = StillStreaming()
        ending._at, ending._places = self._at, {**self._places}
        return [ending._placed(show) for show in shows]

    def _placed(self, show: Show) -> Show:
        if show.is_update:
            return show._replace(display_id=self._places.get(show.display_id, show.display_id))
        if not self._at:
            return show
        place, self._at = self._at, ""
        if show.display_id:
            self._places[show.display_id] = place
        return Show(show.data, place, is_update=True)
