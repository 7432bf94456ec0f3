"""A line that says how far many requests are; when they are over it is gone."""

from __future__ import annotations

import threading
import time
import uuid
from typing import Any, Self

from nbchat.display.publisher import Publisher, notebook_publisher

#: seconds after which the line is shown, and between two of its frames
SHOWN_AFTER_S, PAUSE_S = 2.0, 0.5
_STYLE = "color: #7f7f7f; font-size: 85%"


class Progress:
    """Use it in a ``with`` statement; ``step()`` counts one more, from whatever thread.

    In a notebook it is a display that is empty in the end; elsewhere tqdm draws it to stderr.
    """

    def __init__(self, total: int, what: str, unit: str):
        self._total, self._what, self._unit = total, what, unit
        self._publisher = notebook_publisher()
        self._lock = threading.Lock()
        self._display_id = ""
        self._done = 0
        self._started = self._painted = time.monotonic()
        self._bar: Any = None

    def __enter__(self) -> Self:
        if self._publisher is None:
            from tqdm import tqdm

            self._bar = tqdm(
                total=self._total,
                desc=self._what,
                unit=self._unit,
                delay=SHOWN_AFTER_S,
                leave=False,
            )
        return self

    def step(self) -> None:
        """One more is done."""
        if self._bar is not None:
            self._bar.update()
            return
        with self._lock:
            self._done += 1
            now = time.monotonic()
            is_due = now - self._started > SHOWN_AFTER_S and now - self._painted > PAUSE_S
            if self._publisher is not None and is_due:
                self._painted = now
                self._show(self._publisher, self._line(now))

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
        elif self._publisher is not None and self._display_id:
            self._show(self._publisher, "")

    def _line(self, now: float) -> str:
        units = self._unit + "s" * (self._total != 1)
        left_s = (now - self._started) / self._done * (self._total - self._done)
        return f"{self._what}: {self._done} of {self._total} {units}, about {left_s:.0f} s to go"

    def _show(self, publisher: Publisher, line: str) -> None:
        is_update = self._display_id != ""
        self._display_id = self._display_id or f"nbchat-{uuid.uuid4().hex[:16]}"
        markup = f'<span style="{_STYLE}">{line}</span>' if line else ""
        publisher.show(
            {"text/html": markup, "text/plain": line}, self._display_id, is_update=is_update
        )
