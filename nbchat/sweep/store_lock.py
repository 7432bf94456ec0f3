"""One process writes a sweep's folder at an object store: an object with a heartbeat says which.

No store is asked for a lock. Who wants to write puts an object of its own below ``writers/``, and
then looks which others are there: where there is one whose heart beats, it takes its own away
again. So of two that come at the same time at most one writes, wherever a list shows what was put
before it, as S3, GCS and Azure promise. One whose heart has not beaten for a minute, by the store's
own clock, is over; who finds out that it was taken for that, or that another one writes, stops.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable

import msgspec

from nbchat.errors import FolderInUseError
from nbchat.sweep.object_path import ObjectPath
from nbchat.sweep.writer_lock import Writer, writer_here

#: seconds between two beats, and after which one that does not beat is over
BEAT_S, OVER_AFTER_S = 10.0, 60.0
#: how the object of one that writes ends; one that only wants to has none of it
_HELD = ".held.json"


class StoreLock:
    """See `nbchat.sweep.writer_lock.WriterLock`; `on_lost` is called when another has taken it."""

    def __init__(self, folder: ObjectPath, on_lost: Callable[[], object] = lambda: None):
        self._folder, self._on_lost = folder, on_lost
        self._here: ObjectPath | None = None
        self._data = b""
        self._is_freed = threading.Event()

    @property
    def is_held(self) -> bool:
        return self._here is not None

    def take(self, notebook: str | None = None) -> None:
        """Become the one who writes. Raise FolderInUseError, which says who is, and OSError."""
        if self._here is not None:
            return
        self._data = msgspec.json.encode(writer_here(notebook))
        token = os.urandom(8).hex()
        wish = self._folder / "writers" / f"{token}.json"
        wish.parent.mkdir()
        wish.write_bytes(self._data)
        here = wish.parent / f"{token}{_HELD}"
        try:
            others = self._others(wish, now=wish.stat().st_mtime)
            if not others:
                here.write_bytes(self._data)
        finally:
            wish.unlink(missing_ok=True)
        if others:
            raise FolderInUseError(
                f"The folder {self._folder} is being written by {others[0]}. Here it can be read: "
                "runs(), table(), tokens(). Stop it there, or give another folder. One that was "
                f"killed is over after {OVER_AFTER_S:.0f} s."
            )
        self._here, self._is_freed = here, threading.Event()
        threading.Thread(
            target=self._beat, args=(here, self._is_freed), name="nbchat-writer", daemon=True
        ).start()

    def free(self) -> None:
        """Let others write."""
        here, self._here = self._here, None
        self._is_freed.set()
        if here is not None:
            with contextlib.suppress(OSError):  # it is over after a minute all the same
                here.unlink(missing_ok=True)

    def writer(self) -> Writer | None:
        """Give who writes now; None where nobody does. Clocks are taken to be right."""
        others = self._others(None, now=time.time(), tidies=False)
        return others[0] if others else None

    def _others(
        self, here: ObjectPath | None, *, now: float, tidies: bool = True, kind: str = ".json"
    ) -> list[Writer]:
        """Give those whose heart beats, and take away what is left of the others."""
        alive = []
        for path in (self._folder / "writers").glob(f"*{kind}"):
            if path == here:
                continue
            try:
                if now - path.stat().st_mtime <= OVER_AFTER_S:
                    alive.append(msgspec.json.decode(path.read_bytes(), type=Writer))
                elif tidies:
                    path.unlink(missing_ok=True)
            except FileNotFoundError:
                continue
            except msgspec.MsgspecError:
                alive.append(Writer(0, "another machine", "a while ago"))
        return alive

    def _beat(self, here: ObjectPath, is_freed: threading.Event) -> None:
        beaten_at = time.monotonic()
        while not is_freed.wait(BEAT_S):
            try:
                is_there = here.exists()
                if is_there:
                    here.write_bytes(self._data)
                    beaten_at = time.monotonic()
                    is_there = not self._others(here, now=here.stat().st_mtime, kind=_HELD)
            except OSError:
                is_there = True
            if is_freed.is_set():
                with contextlib.suppress(OSError):
                    here.unlink(missing_ok=True)
                return
            if not is_there or time.monotonic() - beaten_at > OVER_AFTER_S - 2 * BEAT_S:
                self._on_lost()
                return
