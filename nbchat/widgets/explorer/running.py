"""Requests that run in threads, so that the kernel is idle and the panel alive meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from nbchat import session
from nbchat.session.pool import AT_ONCE, Pool
from nbchat.widgets.explorer.entries import Entry, sentence_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbchat.client import Profile
    from nbchat.run import Run
    from nbchat.widgets.explorer.questions import Questions

_LOOK_EVERY_S = 0.02
_STOPPED = "It was stopped before it was sent."


class Runner:
    """Plays the entries of one panel; starting others stops those that go on.

    `changed` is called, from the threads, when there is something to paint; `ended` when an
    entry is over. `profiles` maps names to profiles that the user gave as objects; `questions`
    asks where calls have to be confirmed.
    """

    def __init__(
        self,
        changed: Callable[[], None],
        ended: Callable[[], None],
        profiles: Mapping[str, Profile],
        questions: Questions,
    ):
        self._changed = changed
        self._ended = ended
        self._profiles = profiles
        self._questions = questions
        self._entries: Sequence[Entry] = ()
        self._pool: Pool[_Played] = self._new_pool(AT_ONCE)

    @property
    def is_running(self) -> bool:
        """Whether an entry is not over."""
        return any(not entry.is_over for entry in self._entries)

    def start(self, entries: Sequence[Entry], *, at_once: int = AT_ONCE) -> None:
        """Play entries, some at once. What went on before is stopped.

        Raise what `nbchat.session.prepare` raises; then nothing was stopped or sent.
        """
        played = [_Played(entry, self._execution(entry)) for entry in entries]
        pool = self._new_pool(at_once)
        self.stop()
        self._entries, self._pool = entries, pool
        pool.add(played)

    def stop(self) -> None:
        """Close the connections at once. What has come is kept, as interrupted."""
        self._pool.stop()
        self._questions.decline_all()
        self._changed()

    def wait(self) -> None:
        """Wait until all is over; an interrupt stops it."""
        try:
            while self.is_running:
                self._questions.ask_in_the_cell()
                time.sleep(_LOOK_EVERY_S)
        except KeyboardInterrupt:
            self.stop()
            raise

    def close(self) -> None:
        """Stop, and wait a moment for the threads to end."""
        self._pool.stop()
        self._questions.decline_all()
        self._pool.leave()

    def _new_pool(self, at_once: int) -> Pool[_Played]:
        return Pool(
            at_once=at_once,
            on_begin=self._begun,
            on_end=self._over,
            on_skip=self._skipped,
            name="nbchat-explore",
        )

    def _execution(self, entry: Entry) -> session.Execution:
        draft = entry.sent
        name = draft.profile
        profile = self._profiles.get(name, name) if isinstance(name, str) else name
        confirm = self._questions.ask if draft.confirm is True else draft.confirm
        draft = msgspec.structs.replace(draft, profile=profile, confirm=confirm, thread=None)
        watcher = _Watcher(entry, self._changed)
        return session.Execution(session.prepare(draft, say=watcher.status), watcher=watcher)

    def _begun(self, played: _Played) -> None:
        played.entry.run = played.execution.run
        played.entry.state = "running"
        self._changed()

    def _over(self, played: _Played, error: BaseException | None) -> None:
        entry, run = played.entry, played.execution.run
        if error is not None:
            run.error = run.error or error
            entry.problem = sentence_of(error)
        entry.state = "interrupted" if run.status == "running" else run.status
        self._changed()
        self._ended()

    def _skipped(self, played: _Played, error: BaseException | None) -> None:
        entry = played.entry
        entry.problem = _STOPPED if error is None else f"It was not sent: {sentence_of(error)}"
        entry.state = "interrupted" if error is None else "error"
        self._changed()
        self._ended()


class _Played:
    """An entry that is played: a job of the pool."""

    def __init__(self, entry: Entry, execution: session.Execution):
        self.entry = entry
        self.execution = execution

    def __iter__(self) -> Iterator[Any]:
        return iter(self.execution)

    def cancel(self) -> None:
        self.execution.cancel()


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
