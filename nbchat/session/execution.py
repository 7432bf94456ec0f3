"""A run while it goes on, and how it is recorded."""

from __future__ import annotations

import sys
from collections.abc import Hashable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from nbchat.api.params import ChatParams
from nbchat.api.response import Completion
from nbchat.client import retry
from nbchat.client.profiles import LOCAL, Profile
from nbchat.client.stream import Stream, Timeouts
from nbchat.display.characters import write
from nbchat.errors import ApiError, BadRequestError, TransportError
from nbchat.run import Run
from nbchat.session import repair, rounds
from nbchat.session.cost import cost_of
from nbchat.session.interrupts import shorten
from nbchat.session.prepared import Prepared, comes_whole, prepare, refuse_media, streams
from nbchat.session.rounds import Toolbox
from nbchat.session.settings import client_of, endpoint, logprob_bases, resolved, settings
from nbchat.session.threads import Thread, Turn

if TYPE_CHECKING:
    from nbchat.structured import Structure

#: every run of this process, in the order of their start
runs: list[Run] = []


class Watcher(Protocol):
    """Something that shows a run while it goes on."""

    def status(self, line: str) -> None:
        """Show a line about what is waited for."""

    def update(self, run: Run) -> None:
        """Take note of a chunk. Called for each, so it must be cheap."""

    def finish(self, run: Run) -> None:
        """Show the end. Called once, after an error or interrupt too."""


class StatusLines:
    """The watcher of calls that show nothing of their own: it prints what is waited for."""

    def status(self, line: str) -> None:
        write(sys.stderr, f"{line}\n")

    def update(self, run: Run) -> None: ...

    def finish(self, run: Run) -> None: ...


def run(
    prompt: Any,
    params: ChatParams,
    *,
    profile: str | Profile | None = None,
    watcher: Watcher | None = None,
    system: str | None = None,
    thread: Thread | None = None,
    cell: Hashable = None,
    fork: bool = False,
    timeout: float | Timeouts | None = None,
    max_retries: int | None = None,
    structure: Structure | None = None,
    toolbox: Toolbox | None = None,
) -> Run:
    """Send a request, watch its answer, record and give the run.

    With a `toolbox`, the calls that the answer asks for are run, and the model is asked
    again with their results, until it asks for no more.

    An error or interrupt is raised again after the run is recorded; errors carry it as
    ``.run``.
    """
    prepared = prepare(
        prompt,
        params,
        profile=profile,
        system=system,
        thread=thread,
        cell=cell,
        fork=fork,
        structure=structure,
    )
    shown = watcher or StatusLines()
    playing = Playing(prepared, profile, shown, timeout, max_retries, toolbox)
    for _ in playing:
        pass
    return playing.run


class Playing:
    """A run that goes on: iterate for its chunks; `run` is the run so far."""

    def __init__(
        self,
        prepared: Prepared,
        profile: str | Profile | None,
        watcher: Watcher,
        timeout: float | Timeouts | None,
        max_retries: int | None,
        toolbox: Toolbox | None = None,
    ):
        self.run = Run(
            messages=prepared.messages,
            params=prepared.params,
            profile=prepared.profile.name,
            base_url=prepared.profile.base_url,
            thread=None if prepared.thread is None else prepared.thread.name,
            turn=prepared.turn,
        )
        self.run.structure = prepared.structure
        self._prepared = prepared
        self._profile = profile
        self._watcher = watcher
        self._timeout = Timeouts.of(settings.timeout if timeout is None else timeout)
        self._max_retries = retry.checked(
            settings.max_retries if max_retries is None else max_retries
        )
        self._stream: Stream | None = None
        self._model = ""
        self._tries_before = 0
        self._is_cancelled = False
        self._toolbox = toolbox
        self._elapsed_before_s = 0.0
        self._retries_before = 0

    def cancel(self) -> None:
        """Stop from another thread. The run ends as interrupted, with what has come."""
        self._is_cancelled = True
        if self._stream is not None:
            self._stream.cancel()

    def __iter__(self) -> Iterator[Any]:
        run = self.run
        try:
            runs.append(run)
            yield from self._chunks()
            run.status = "interrupted" if self._is_cancelled else "complete"
        except (KeyboardInterrupt, GeneratorExit) as interrupt:
            run.status = "interrupted"
            if isinstance(interrupt, KeyboardInterrupt):
                shorten(interrupt, [run])
            raise
        except BaseException as error:
            run.status = "error"
            run.error = error
            if isinstance(error, (ApiError, TransportError)):
                error.run = run
            raise
        finally:
            try:
                self._record()
            except KeyboardInterrupt:
                self._record()  # whoever presses the button twice loses nothing
                raise
            finally:
                self._watcher.finish(run)

    def _chunks(self) -> Iterator[Any]:
        run = self.run
        profile = resolved(self._profile, self._watcher.status)
        if profile.name == LOCAL:
            run.base_url = profile.base_url
            run.vocab_size = _local_vocab_size()
            refuse_media(profile.model, run.messages)
            run.notes.extend(rounds.local_notes(profile.model, run.params))
        asked, self._model = run.params, _model(profile, run.params)
        self._mend_before(profile)
        whole = comes_whole(run.params)
        if whole is not None:
            run.notes.append(f"came whole: no stream carries {whole}")
        yield from self._reply(profile, asked)
        while self._toolbox is not None and self._has_played():
            yield from self._reply(profile, asked)

    def _has_played(self) -> bool:
        """Run the calls that the reply asks for; tell whether it is to be asked again."""
        run, toolbox = self.run, self._toolbox
        self._take_facts()
        if toolbox is None or self._is_cancelled:
            return False
        last = rounds.next_round(run, toolbox)
        if last is None:
            return False
        try:
            is_to_go_on = rounds.play_round(run, toolbox, self._watcher, lambda: self._is_cancelled)
        finally:
            self._elapsed_before_s = (run.elapsed_s or 0.0) + (last.elapsed_s or 0.0)
            run.elapsed_s = self._elapsed_before_s
        if is_to_go_on:
            run.messages = [*run.messages, *last.messages]
        return is_to_go_on

    def _reply(self, profile: Profile, asked: ChatParams) -> Iterator[Any]:
        try:
            yield from self._answer(profile)
        except BadRequestError as error:
            if not self._mend_after(error, profile, asked):
                raise
        else:
            return
        try:
            yield from self._answer(profile)
        except BadRequestError as error:
            self._mend_after(error, profile, asked)  # for the next request: this had its one try
            raise

    def _mend_before(self, profile: Profile) -> None:
        """Change what this server is known to refuse."""
        if not settings.repair:
            return
        run, model = self.run, self._model
        known = repair.memory.recall(profile.base_url, model, run.params)
        run.params, done = repair.repaired(run.params, known)
        run.notes.extend(mended.note for mended in done)
        new = [m for m in done if repair.memory.is_new(profile.base_url, model, m)]
        if new:
            self._watcher.status(f"Known from before: {'; '.join(m.note for m in new)}.")

    def _mend_after(self, error: BadRequestError, profile: Profile, asked: ChatParams) -> bool:
        """Change what this server has just refused; tell whether that can be."""
        run, model = self.run, self._model
        repair.explain(error, run.params, model)
        if not settings.repair:
            return False
        found = repair.repairs_of(error, run.params, model)
        repair.memory.learn(profile.base_url, model, asked, found)
        params, done = repair.repaired(run.params, found)
        if not done or self._tries_before or self._is_cancelled:
            return False
        run.params = params
        run.notes.extend(mended.note for mended in done)
        self._tries_before = 0 if self._stream is None else self._stream.tries
        self._watcher.status(f"Trying once more: {'; '.join(m.note for m in done)}.")
        return True

    def _answer(self, profile: Profile) -> Iterator[Any]:
        run = self.run
        self._stream = stream = self._open(profile)
        if self._is_cancelled:
            return
        run.follow(lambda: self._whole(stream.completion))
        if run.rounds:
            run.rounds[-1].is_answered = True
        with stream:
            for chunk in stream:
                self._watcher.update(run)
                yield chunk

    def _open(self, profile: Profile) -> Stream:
        run = self.run
        return client_of(profile).start(
            run.messages,
            rounds.relaxed(run.params) if run.rounds else run.params,
            streams=streams(run.params),
            **self._manners(),
        )

    def _manners(self) -> dict[str, Any]:
        """Give how a request is sent: how long it waits, how often it is tried again."""
        return {
            "timeout": self._timeout,
            "max_retries": self._max_retries,
            "on_wait": lambda pause: self._watcher.status(str(pause)),
        }

    def _whole(self, completion: Completion) -> Completion:
        """Give the run's completion when this has come; one with no choices is none."""
        return completion

    def _take_facts(self) -> None:
        """Note what the stream that has ended says of itself; times and retries add up."""
        run, stream = self.run, self._stream
        if stream is None:
            return
        completion = self._whole(stream.completion)
        run.completion = completion if completion.choices else None
        if not run.rounds:
            run.ttft_s = stream.ttft_s
        if stream.elapsed_s is not None:
            run.elapsed_s = self._elapsed_before_s + stream.elapsed_s
        run.tries = self._tries_before + self._retries_before + stream.tries
        run.request_id = stream.request_id
        # last, so that what an interrupt cuts short can be done again
        self._retries_before += max(stream.tries - 1, 0)
        self._stream = None

    def _record(self) -> None:
        """Note the outcome, in the thread too. Done twice it is the same."""
        run = self.run
        self._take_facts()
        if run.tries:
            cost = cost_of(run, settings.prices)
            run.cost_usd, run.cost_source = (cost.usd, cost.source) if cost else (None, None)
            run.vocab_size = run.vocab_size or _vocab_size(run)
            run.logprob_basis = logprob_bases.get(
                (endpoint(run.profile, run.base_url), self._model), "unknown"
            )
        thread = self._prepared.thread
        if thread is None and run.status == "complete":
            Thread.forget(self._prepared.key)
        if thread is not None and (run.status == "complete" or run.text or run.rounds):
            thread.record(
                Turn(self._prepared.key, self._prepared.asked, run, self._prepared.system)
            )


def _model(profile: Profile, params: ChatParams) -> str:
    return params.given().get("model") or profile.model or ""


def _local_vocab_size() -> int | None:
    from nbchat import local

    return local.ensure(lambda _: None).vocab_size


def _vocab_size(run: Run) -> int | None:
    from nbchat.api.support import vocab_size
    from nbchat.session.server_kind import vocabulary_sizes

    if run.base_url in vocabulary_sizes:
        return vocabulary_sizes[run.base_url]
    return None if run.model is None else vocab_size(run.model)
