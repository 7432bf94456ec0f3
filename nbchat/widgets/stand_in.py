"""A widget, and the static picture that stands in its place where there is no kernel.

A widget lives in the page and in the kernel; a saved notebook has neither, and shows an error
where it stood. So each panel is two outputs: the widget, and beside it static HTML of the same
state. While the widget lives its script hides the picture; where it does not live the picture's
style hides the place of the widget. nbconvert's pages and untrusted notebooks show the picture.

A picture may be of parts, each an output: what changes often is small, and goes alone.
"""

from __future__ import annotations

import math
import sys
import threading
import time
import uuid
import weakref
from importlib import resources
from typing import Any

import anywidget
import traitlets

from nbchat.display.publisher import Publisher, notebook_publisher

_WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
#: a panel is at rest where nothing has changed for so many seconds: then the picture is sent, so
#: that who saves the notebook after a click has it. Soon after another one it waits until it is at
#: most so many bytes a second, or until the panel has been at rest for longer, the more the larger
#: it is. One that never is at rest sends it all the same, with that many bytes a second; with what
#: is said of the changes it is as much as a cell's
REST_S = 0.3
REST_AFTER_ANOTHER_S = 1.0
LONGEST_REST_S = 3.0
BYTES_FOR_A_SECOND_OF_REST = 40_000
NO_REST_S = 10.0
BYTES_PER_S = 6_000
#: a page has loaded a panel after so many seconds
LOADED_WITHIN_S = 5.0

#: true of a saved notebook, of another page of one whose kernel runs, and of one that the page does
#: not trust: what runs cells in the server (jupyter-server-nbmodel) does not mark them as trusted
IS_A_PICTURE = (
    "this is a picture of its panel: where the kernel still runs, load the page anew, or trust the "
    "notebook (Trust Notebook, among the commands), to see it"
)

_STYLE = (
    "<style>"
    ".jp-OutputArea-child:not(:has(.nbchat-panel))"
    ":has(+ .jp-OutputArea-child [data-nbchat-stand-in]){display:none}"
    "</style>"
)


def joined(*paths: str) -> str:
    """Give files of this package (``"inspector/view.js"``) as one text, in this order.

    A widget has one module and one style sheet; their parts need no imports of one another.
    """
    root = resources.files("nbchat.widgets")
    return "\n".join(root.joinpath(path).read_text(encoding="utf-8") for path in paths)


class Panel(anywidget.AnyWidget):
    """A widget of nbchat's: a cheap repr, and a picture that stands in for it.

    A subclass gives `_esm` and `_css` (see `joined`), and overrides `stand_in_html`. Its
    script begins with the parts of ``stand_in.js``, and calls ``live(model, el)`` in `render`.
    Call `refresh_stand_in` when the state has changed; calls in quick succession become one.
    """

    _stand_in_id = traitlets.Unicode().tag(sync=True)
    _shown_at = -math.inf

    def __init__(self, **traits: Any):
        super().__init__(_stand_in_id=f"nbchat-{uuid.uuid4().hex[:16]}", **traits)
        self._picture: _Picture | None = None

    def stand_in_html(self) -> str:
        """Give the present state as static HTML that cannot act. Everything in it is escaped."""
        return ""

    def stand_in_parts(self) -> list[str]:
        """Give it in parts, always as many, of which only those are sent that have changed."""
        return [self.stand_in_html()]

    def refresh_stand_in(self) -> None:
        """Send the picture again, from whatever thread; nothing where the panel is not shown."""
        if self._picture is not None:
            self._picture.want()

    def send_stand_in(self) -> None:
        """Send the picture now, from the cell that runs; nothing where the panel is not shown.

        What executes a notebook without a page (nbclient) keeps only what a cell sends while
        it runs.
        """
        if self._picture is not None:
            self._picture.send_now()

    def close(self) -> None:
        """Take the widget out of the page; the picture stays.

        A page that is still loading the panel's script would take its end for an error: where it
        was shown just now, it goes some seconds later.
        """
        if self._picture is not None:
            self._picture.close()
        wait_s = self._shown_at + LOADED_WITHIN_S - time.monotonic()
        if wait_s <= 0 or sys.is_finalizing():
            self._leave()
            return
        timer = threading.Timer(wait_s, self._leave)
        timer.daemon = True
        timer.start()

    def show_inside(self) -> None:
        """Take note that another panel shows it from now on, which is to load it first."""
        self._shown_at = time.monotonic()

    def _leave(self) -> None:
        layout = self.layout
        super().close()
        if layout is not None:
            layout.close()  # a widget of its own, which nobody else has

    def _ipython_display_(self, **_: object) -> None:
        publisher = notebook_publisher()
        if publisher is None:
            print(repr(self))
            return
        view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        # where the view cannot be shown the picture follows: nothing of its own here
        publisher.show({_WIDGET_VIEW: view, "text/html": "", "text/plain": repr(self)})
        if self._picture is not None:
            self._picture.close()
        self._picture = _Picture(publisher, self)
        self._shown_at = time.monotonic()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class Due:
    """When a picture is to be sent. Pure: times come in as seconds of any one clock."""

    def __init__(self) -> None:
        self._first: float | None = None
        self._last = 0.0
        self._sent = -math.inf
        self._n_bytes = 0

    def want(self, now: float) -> None:
        """Take note that something has changed."""
        self._first = now if self._first is None else self._first
        self._last = now

    def at(self) -> float | None:
        """Give the time at which it is to be sent; None where nothing has changed."""
        if self._first is None:
            return None
        n_seconds = self._n_bytes / BYTES_FOR_A_SECOND_OF_REST
        long_rest_s = min(LONGEST_REST_S, max(REST_AFTER_ANOTHER_S, n_seconds))
        paid = self._sent + self._n_bytes / BYTES_PER_S
        at_rest = max(self._last + REST_S, min(paid, self._last + long_rest_s))
        return min(at_rest, self._first + max(NO_REST_S, self._n_bytes / BYTES_PER_S))

    def begin(self, now: float) -> None:
        """Take note that a picture is made: what changes from now on may not be in it."""
        self._first = None
        self._sent = now

    def weigh(self, n_bytes: int) -> None:
        """Take note of how large it was, what of it was sent."""
        self._n_bytes = n_bytes


class _Picture:
    """The static outputs beside a panel. It holds the panel weakly, so that both can go."""

    def __init__(self, publisher: Publisher, panel: Panel):
        self._publisher = publisher
        self._panel = weakref.ref(panel)
        self._id = panel._stand_in_id  # noqa: SLF001 - of the same module
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._is_closed = False
        self._due = Due()
        #: each part as it was sent last
        self._parts: list[str] = []
        self._send(is_update=False)
        self._due = Due()  # what shows it first, no later picture waits for

    def want(self) -> None:
        with self._lock:
            if not self._is_closed:
                self._due.want(time.monotonic())
                if self._timer is None:
                    self._wait()

    def _wait(self) -> None:
        at = self._due.at()
        if at is None:
            self._timer = None
            return
        self._timer = threading.Timer(max(0.0, at - time.monotonic()), self._send_again)
        self._timer.daemon = True
        self._timer.start()

    def send_now(self) -> None:
        """Send from the running cell, in the place of what is due."""
        with self._lock:
            timer, self._timer = self._timer, None
            is_closed = self._is_closed
        if timer is not None:
            timer.cancel()
        if not is_closed:
            self._send(is_update=True, publisher=notebook_publisher())

    def close(self) -> None:
        """Send what is still to be sent, and nothing after it."""
        with self._lock:
            timer, self._timer = self._timer, None
            self._is_closed = True
        if timer is not None:
            timer.cancel()
            self._send(is_update=True)

    def _send_again(self) -> None:
        with self._lock:
            if self._timer is None:
                return
            self._timer = None
            at = self._due.at()
            if at is not None and at > time.monotonic():
                self._wait()  # it has changed meanwhile
                return
        self._send(is_update=True)

    def _send(self, *, is_update: bool, publisher: Publisher | None = None) -> None:
        panel = self._panel()
        if panel is None:
            return
        with self._lock:
            self._due.begin(time.monotonic())
        parts = panel.stand_in_parts()
        with self._lock:
            # from a running cell all: it may keep nothing that came since the panel was shown
            before = self._parts if is_update and publisher is None else []
            self._parts = parts
            news = [k for k, part in enumerate(parts) if before[k : k + 1] != [part]]
            self._due.weigh(sum(len(parts[k]) for k in news))
        for k in news:
            shown, display_id = self._output(k, parts[k], repr(panel))
            (publisher or self._publisher).show(shown, display_id, is_update=is_update)

    def _output(self, k: int, part: str, plain: str) -> tuple[dict[str, str], str]:
        """Give part `k` as an output, and the id of its display."""
        if k == 0:
            html = f'{_STYLE}<div data-nbchat-stand-in="{self._id}">{part}</div>'
            return {"text/html": html, "text/plain": plain}, self._id
        html = f'<div data-nbchat-stand-in-more="{self._id}">{part}</div>'
        return {"text/html": html, "text/plain": ""}, f"{self._id}-{k}"
