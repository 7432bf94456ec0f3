"""`Execution`: a run that goes on, from what was prepared to what is recorded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nbchat.api.params import ChatParams
from nbchat.cell_turn import CellTurn
from nbchat.client import retry
from nbchat.client.presets import LOCAL
from nbchat.client.profiles import Profile
from nbchat.client.stream import Timeouts
from nbchat.errors import ApiError, TransportError
from nbchat.options import kept_options
from nbchat.request.prepare import Prepared, comes_whole
from nbchat.run import Run
from nbchat.session import embedded, rounds
from nbchat.session.exchange import Exchange, mend_before
from nbchat.session.interrupts import shorten
from nbchat.session.notebook import current_cell, current_notebook
from nbchat.session.record import record
from nbchat.session.replay import FromRecord, source_for
from nbchat.session.server_kind import vocabulary_size_of
from nbchat.session.settings import resolved
from nbchat.session.sources import FromServer, Order, Source
from nbchat.session.spending import within_budget
from nbchat.session.state import STATE
from nbchat.session.watchers import PrintingWatcher, Watcher

FROM_SERVER = FromServer()


def execute(
    prepared: Prepared, *, watcher: Watcher | None = None, source: Source = FROM_SERVER
) -> Run:
    """Send a request, watch its answer, record and give the run.

    Where functions may run, the calls that the answer asks for are run, and the model is asked
    again with their results, until it asks for no more.

    An error or interrupt is raised again after the run is recorded; errors carry it as
    ``.run``.
    """
    execution = Execution(prepared, watcher=watcher, source=source)
    for _ in execution:
        pass
    return execution.run


class Execution:
    """A run that goes on: iterate for its chunks; `run` is the run so far.

    `watcher` is told what happens; `source` answers, the server of the profile by default. What
    is a row of a `sweep`, by its name, is kept by that, and neither here nor in the history.
    """

    def __init__(
        self,
        prepared: Prepared,
        *,
        watcher: Watcher | None = None,
        source: Source = FROM_SERVER,
        sweep: str | None = None,
    ):
        options, settings = prepared.options, STATE.settings
        self.run = Run(
            messages=prepared.messages,
            params=prepared.params,
            profile=prepared.profile.name,
            base_url=prepared.profile.base_url,
            thread=None if prepared.thread is None else prepared.thread.name,
            turn=prepared.turn,
        )
        self.run.structure = prepared.structure
        self.run.sweep = sweep
        self.run.notebook, self.run.cell = current_notebook(), current_cell().id or None
        if isinstance(prepared.cell, tuple):
            self.run.cell, magic = prepared.cell
            self.run.cell_turn = _cell_turn(prepared, magic)
        self.run.notes = [*prepared.notes]
        self.run.model_asked = prepared.body.get("model")
        self.run.options = kept_options(options)
        self._prepared = prepared
        self._source = source_for(self.run, prepared, source)
        self._record_played = self._source if isinstance(self._source, FromRecord) else None
        self._watcher: Watcher = watcher or PrintingWatcher()
        timeout, retries = options.timeout, options.max_retries
        self._timeout = Timeouts.of(settings.timeout if timeout is None else timeout)
        self._max_retries = retry.checked(settings.max_retries if retries is None else retries)
        self._exchange: Exchange | None = None
        self._model = ""
        self._was_mended = False
        self.was_begun = False
        self._is_listed = False
        self._is_cancelled = False
        self._elapsed_before_s = 0.0
        self._tries_before = 0

    def get_ready_here(self) -> None:
        """Ask for a key that is in no variable, and list the run, before another thread plays it.

        Raise ProfileError where there is no key.
        """
        if self._prepared.profile.name != LOCAL:
            self._ready_profile()
        self._enlist()

    def _enlist(self) -> None:
        if not self._is_listed and self.run.sweep is None:
            self._is_listed = True
            STATE.runs.append(self.run)

    def cancel(self) -> None:
        """Stop from another thread. The run ends as interrupted, with what has come."""
        self._is_cancelled = True
        if self._exchange is not None:
            self._exchange.cancel()

    def __iter__(self) -> Iterator[Any]:
        run = self.run
        self.was_begun = True
        try:
            self._enlist()
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
        profile = self._ready_profile()
        params = run.params
        self._model = params.model or profile.model or ""
        if self._source.needs_server:
            mend_before(run, self._model, self._watcher)
        if self._record_played is not None:
            self._record_played.begin(run)
        whole = comes_whole(run.params)
        if whole is not None:
            run.notes.append(f"came whole: no stream carries {whole}")
        yield from self._reply(profile, params)
        while self._has_played():
            yield from self._reply(profile, params)

    def _ready_profile(self) -> Profile:
        """Give the profile, its server started and its key asked for where need be."""
        run, prepared = self.run, self._prepared
        if not self._source.needs_server:
            return prepared.profile
        profile = resolved(prepared.options.profile, self._watcher.status)
        if profile.name == LOCAL:
            run.base_url = profile.base_url
            run.vocab_size = vocabulary_size_of(profile)
            embedded.refuse_media(profile.model, run.messages)
            run.notes.extend(embedded.notes_of(profile.model, run.params))
        return profile

    def _reply(self, profile: Profile, params: ChatParams) -> Iterator[Any]:
        """Ask once; the answer is the run's."""
        run, watcher = self.run, self._watcher

        def order(params: ChatParams) -> Order:
            return Order(
                profile=profile,
                messages=run.messages,
                params=rounds.relaxed(params) if run.rounds else params,
                timeout=self._timeout,
                max_retries=self._max_retries,
                on_wait=lambda pause: watcher.status(str(pause)),
            )

        self._exchange = exchange = Exchange(
            run,
            order,
            self._source,
            params=params,
            model=self._model,
            may_mend=not self._was_mended,
            watcher=watcher,
        )
        if self._is_cancelled:
            exchange.cancel()
        if not self._source.needs_server or STATE.budget.limit_usd is None:
            yield from exchange
            return
        with within_budget(run, order(run.params), exchange):
            yield from exchange

    def _has_played(self) -> bool:
        """Run the calls that the reply asks for; tell whether it is to be asked again."""
        run, toolbox = self.run, self._prepared.toolbox
        self._take_facts()
        if toolbox is None or self._is_cancelled or self._record_played is not None:
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

    def _take_facts(self) -> None:
        """Note what the exchange that has ended says of itself; times and retries add up."""
        run, exchange = self.run, self._exchange
        answer = None if exchange is None else exchange.answer
        if exchange is None or answer is None:
            return
        completion = answer.completion
        run.base_url = getattr(answer, "base_url", run.base_url)
        run.completion = completion if completion.choices else None
        if not run.rounds:
            run.ttft_s = answer.ttft_s
        if answer.elapsed_s is not None:
            run.elapsed_s = self._elapsed_before_s + answer.elapsed_s
        run.tries = self._tries_before + exchange.tries
        run.request_id = answer.request_id
        self._was_mended = self._was_mended or exchange.was_mended
        # last, so that what an interrupt cuts short can be done again
        self._tries_before += max(exchange.tries - 1, 0)
        self._exchange = None

    def _record(self) -> None:
        """Note the outcome. Done twice it is the same."""
        self._take_facts()
        if self._record_played is not None:
            self._record_played.finish(self.run)
        record(self.run, self._prepared, self._model)


def _cell_turn(prepared: Prepared, magic: int) -> CellTurn:
    """Give what a later kernel takes the conversation of a cell up with."""
    n_messages = len(prepared.messages)
    begins = max(n_messages - len(prepared.new_messages), 0)
    return CellTurn(magic, begins, n_messages, prepared.options.system)
