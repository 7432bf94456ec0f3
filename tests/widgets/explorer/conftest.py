from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from nbchat.widgets.explorer import Explorer, explore
from nbchat.widgets.protocol import EXPLORER
from tests.scripted import ScriptedServer
from tests.widgets.messages import read

#: what main.js adds where a test says no more
BESIDE: dict[str, dict[str, Any]] = {
    "edit": {"fields": {}, "unset": []},
    "run": {"auto": False},
    "tokens": {"choice": 0},
    "vary": {"repeats": 1, "seeds": False},
    "plan": {"repeats": 1, "seeds": False},
    "sweep": {"repeats": 1, "seeds": False},
}


class Page:
    """What a page of the panel sends and hears, without a browser."""

    def __init__(self, panel: Explorer) -> None:
        self.panel = panel
        self.heard: list[dict[str, Any]] = []
        self.desk = panel._desk
        self.desk.send = self._hear

    def _hear(self, content: dict[str, Any], buffers: Any = None) -> None:
        read(content, EXPLORER.kernel)
        self.heard.append(content)

    def ask(self, do: str, **content: Any) -> None:
        asked = {"do": do, "view": "page", **BESIDE.get(do, {}), **content}
        read(asked, EXPLORER.page)
        self.panel._answers.take(asked)

    def heard_of(self, on: str) -> list[dict[str, Any]]:
        return [message for message in self.heard if message["on"] == on]

    def last(self, on: str) -> dict[str, Any]:
        return self.heard_of(on)[-1]

    def wait(self, is_so: Callable[[], object], timeout: float = 5.0) -> None:
        deadline = time.monotonic() + timeout
        while not is_so():
            assert time.monotonic() < deadline, self.heard[-5:]
            time.sleep(0.01)

    def wait_over(self) -> None:
        """Wait until nothing runs and the last frame was painted."""
        self.wait(lambda: not self.desk.runner.is_running and not self.desk.screen.dirty)
        with self.desk.screen._lock:  # it is no more dirty once its painting has begun
            pass

    @property
    def entries(self) -> list[Any]:
        return self.desk.entries

    def texts(self) -> dict[tuple[str, int], str]:
        """The HTML of each shown choice, put together from the deltas as the page does it."""
        blocks: dict[tuple[str, int], list[str]] = {}
        for message in self.heard:
            if message["on"] == "lanes":
                blocks = {}
            for lane in message.get("lanes", ()):
                for choice in lane.get("choices", ()):
                    if "html" in choice:
                        place = blocks.setdefault((lane["id"], choice["index"]), [])
                        take(place, choice)
        return {key: "".join(html) for key, html in blocks.items()}


def take(blocks: list[str], delta: dict[str, Any]) -> None:
    """Put a delta on blocks, as reply.js does: what is kept is counted as JavaScript counts."""
    html = list(delta["html"])
    if html and delta["keep"]:
        kept = blocks[delta["at"]].encode("utf-16-le")[: 2 * delta["keep"]]
        html[0] = kept.decode("utf-16-le") + html[0]
    blocks[delta["at"] :] = html


@pytest.fixture
def open_page(server: ScriptedServer) -> Iterator[Callable[..., Page]]:
    """Open a panel on the scripted server; it is closed at the end, and leaves no thread."""
    panels: list[Explorer] = []

    def open_it(source: Any = "Hi", **fields: Any) -> Page:
        panels.append(explore(source, **{"profile": server.url, **fields}))
        return Page(panels[-1])

    yield open_it
    for panel in panels:
        panel.close()
    names = [thread.name for thread in threading.enumerate()]
    assert not [
        name for name in names if name.startswith("nbchat-explore-") and "models" not in name
    ]
