"""One exchange with a server: a question and its answer, mended at most once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from nbchat.errors import BadRequestError
from nbchat.session import repair
from nbchat.session.offline import number_of_run
from nbchat.session.sources import Answer, Order, Source
from nbchat.session.state import STATE

if TYPE_CHECKING:
    from nbchat.api.params import ChatParams
    from nbchat.run import Run
    from nbchat.session.watchers import Watcher


class Exchange:
    """Iterate for the chunks; `answer` is the answer so far, None before one was opened.

    Where the server refuses a field that can be left out or has another name, it is asked once
    more without it or with that, if `may_mend`; then `run.params` and `run.notes` say so, and
    `was_mended` is True. `params` are those before anything was mended.
    """

    def __init__(
        self,
        run: Run,
        order: Callable[[ChatParams], Order],
        source: Source,
        *,
        params: ChatParams,
        model: str,
        may_mend: bool,
        watcher: Watcher,
    ):
        self.answer: Answer | None = None
        self.was_mended = False
        self._run = run
        self._order = order
        self._source = source
        self._params = params
        self._model = model
        self._may_mend = may_mend
        self._watcher = watcher
        self._tries_before = 0
        self._is_cancelled = False

    @property
    def tries(self) -> int:
        """Requests sent, the one that was refused included."""
        return self._tries_before + (0 if self.answer is None else self.answer.tries)

    def cancel(self) -> None:
        """Stop from another thread."""
        self._is_cancelled = True
        if self.answer is not None:
            self.answer.cancel()

    def __iter__(self) -> Iterator[Any]:
        try:
            yield from self._chunks()
        except BadRequestError as error:
            if not self._mend(error):
                raise
        else:
            return
        try:
            yield from self._chunks()
        except BadRequestError as error:
            self._mend(error)  # for the next request: this had its one try
            raise

    def _chunks(self) -> Iterator[Any]:
        run = self._run
        order = self._order(run.params)
        number = number_of_run.set(run.number_in_cell)
        try:
            self.answer = answer = self._source.open(order)
        finally:
            number_of_run.reset(number)
        if self._is_cancelled:
            return
        run.follow(lambda: answer.completion)
        if run.rounds:
            run.rounds[-1].is_answered = True
        with answer:
            for chunk in answer:
                self._watcher.update(run)
                yield chunk

    def _mend(self, error: BadRequestError) -> bool:
        """Change what this server has just refused; tell whether that can be."""
        run, base_url = self._run, self._run.base_url
        repair.explain(error, run.params, self._model)
        if not STATE.settings.repair:
            return False
        repairs = repair.repairs_of(error, run.params, self._model)
        STATE.refusals.learn(base_url, self._model, self._params, repairs)
        params, done = repair.repaired(run.params, repairs)
        if not done or self.was_mended or not self._may_mend or self._is_cancelled:
            return False
        self.was_mended = True
        run.params = params
        run.notes.extend(mended.note for mended in done)
        self._tries_before = 0 if self.answer is None else self.answer.tries
        self._watcher.status(f"Trying once more: {'; '.join(m.note for m in done)}.")
        return True


def mend_before(run: Run, model: str, watcher: Watcher) -> None:
    """Change what the server of a run is known to refuse."""
    if not STATE.settings.repair:
        return
    known = STATE.refusals.recall(run.base_url, model, run.params)
    if not known:
        return
    run.params, done = repair.repaired(run.params, known)
    run.notes.extend(mended.note for mended in done)
    new = [m for m in done if STATE.refusals.is_new(run.base_url, model, m)]
    if new:
        watcher.status(f"Known from before: {'; '.join(m.note for m in new)}.")
