"""Requests that run in threads, so that the kernel is idle and the panel alive meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from nbchat import session
from nbchat.api.check import check
from nbchat.widgets.explorer.entries import Entry, sentence_of

if TYPE_CHECKING:
    from nbchat.client import Profile
    from nbchat.run import Run
    from nbchat.session import Playing

AT_ONCE = 4
_LEAVE_WITHIN_S = 2.0
_LOOK_EVERY_S = 0.02


class Runner:
    """Plays the entries of one panel; starting others stops those that go on.

    `changed` is called, from the threads, when there is something to paint; `ended` when an
    entry is over. `profiles` maps names to profiles that the user gave as objects.
    """

    def __init__(
        self,
        changed: Callable[[], None],
        ended: Callable[[], None],
        profiles: Mapping[str, Profile],
    ):
        self._changed = changed
        self._ended = ended
        self._profiles = profiles
        self._batch: _Batch | None = None

    @property
    def is_running(self) -> bool:
        """Whether an entry is not over."""
        return self._batch is not None and self._batch.is_running

    def start(self, entries: Sequence[Entry]) -> None:
        """Play entries, at most four at once. What went on before is stopped."""
        self.stop()
        played = [_Played(entry, self._playing(entry)) for entry in entries]
        self._batch = _Batch(played, self._changed, self._ended)
        self._batch.start()

    def stop(self) -> None:
        """Close the connections at once. What has come is kept, as interrupted."""
        if self._batch is not None:
            self._batch.stop()

    def wait(self) -> None:
        """Wait until all is over; an interrupt stops it."""
        batch = self._batch
        try:
            while batch is not None and batch.is_running:
                time.sleep(_LOOK_EVERY_S)
        except KeyboardInterrupt:
            self.stop()
            raise

    def close(self) -> None:
        """Stop, and wait a moment for the threads to end."""
        if self._batch is not None:
            self._batch.stop()
            self._batch.join(_LEAVE_WITHIN_S)

    def _playing(self, entry: Entry) -> Playing:
        draft = entry.draft
        params = check(draft.fields, extra=draft.extra or None)
        name = draft.profile
        profile = self._profiles.get(name, name) if name is not None else None
        prepared = session.prepare(draft.messages, params, profile=profile)
        watcher = _Watcher(entry, self._changed)
        return session.Playing(prepared, profile, watcher, None, None)


class _Played:
    def __init__(self, entry: Entry, playing: Playing):
        self.entry = entry
        self.playing = playing


class _Watcher:
    """Takes note of what a run does. The painter reads it when its time has come."""

    def __init__(self, entry: Entry, changed: Callable[[], None]):
        self._entry = entry
        self._changed = changed

    def status(self, line: str) -> None:
        self._entry.line = line
        self._changed()

    def update(self, run: Run) -> None:  # noqa: ARG002 - the entry has it
        self._changed()

    def finish(self, run: Run) -> None: ...


class _Batch:
    def __init__(
        self, played: list[_Played], changed: Callable[[], None], ended: Callable[[], None]
    ):
        self._played = played
        self._waiting = iter(played)
        self._changed = changed
        self._ended = ended
        self._lock = threading.Lock()
        self._is_stopped = False
        # daemons: a server that is silent must not hold back the end of the kernel
        self._workers = [
            threading.Thread(target=self._work, name=f"nbchat-explore-{number}", daemon=True)
            for number in range(min(AT_ONCE, len(played)))
        ]

    @property
    def is_running(self) -> bool:
        return any(not one.entry.is_over for one in self._played)

    def start(self) -> None:
        for worker in self._workers:
            worker.start()

    def stop(self) -> None:
        with self._lock:
            self._is_stopped = True
        for one in self._played:
            if one.entry.state == "waiting":
                one.entry.problem = "It was stopped before it was sent."
                one.entry.state = "interrupted"
            elif one.entry.state == "running":
                one.playing.cancel()
        self._changed()

    def join(self, within_s: float) -> None:
        leave_at = time.monotonic() + within_s
        for worker in self._workers:
            worker.join(max(0.0, leave_at - time.monotonic()))

    def _work(self) -> None:
        while (one := self._next()) is not None:
            entry = one.entry
            try:
                for _ in one.playing:
                    pass
            except BaseException as error:  # noqa: BLE001 - it is shown, and is the run's
                if one.playing.run.error is None:
                    one.playing.run.error = error
                entry.problem = sentence_of(error)
            status = one.playing.run.status
            entry.state = "interrupted" if status == "running" else status
            self._changed()
            self._ended()

    def _next(self) -> _Played | None:
        with self._lock:
            one = None if self._is_stopped else next(self._waiting, None)
            if one is not None:
                one.entry.run = one.playing.run
                one.entry.state = "running"
        if one is not None:
            self._changed()
        return one
