"""What is noted of a run when it has ended. Done twice it is the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from nbchat.api.logprobs import VOCABULARY
from nbchat.client.presets import LOCAL
from nbchat.errors import ApiError, TransportError
from nbchat.session.cost import cost_of
from nbchat.session.keeping import to_history
from nbchat.session.offline import can_replay_steps
from nbchat.session.server_kind import end_tokens_of
from nbchat.session.settings import endpoint, resolved
from nbchat.session.state import STATE
from nbchat.session.threads import Thread, Turn

if TYPE_CHECKING:
    from nbchat.request.prepare import Prepared
    from nbchat.run import Run


def record(run: Run, prepared: Prepared, model: str) -> None:
    """Note the outcome of a run that was asked of `model`, in all places that keep it."""
    if run.tries:
        cost = cost_of(run, STATE.settings.prices)
        run.cost_usd, run.cost_source = (cost.usd, cost.source) if cost else (None, None)
        run.vocab_size = run.vocab_size or _vocab_size(run, prepared)
        run.logprob_basis = STATE.logprob_bases.get(
            (endpoint(run.profile, _address(run, prepared)), model), "unknown"
        )
    if run.tries or (run.is_replayed and can_replay_steps()):
        run.end_tokens = run.end_tokens or _end_tokens(run, prepared, model)
    if run.sweep is not None:
        return  # its folder keeps it
    for note in RECORDERS:
        note(run, prepared)


def to_thread(run: Run, prepared: Prepared) -> None:
    """Put the turn of a run into its conversation."""
    thread, cell = prepared.thread, prepared.cell
    if thread is None and run.status == "complete":
        Thread.forget(cell)
    if isinstance(thread, Thread) and (run.status == "complete" or run.text or run.rounds):
        thread.record(Turn(cell, prepared.new_messages, run, prepared.options.system))


#: told of each run that has ended, in this order
RECORDERS: list[Callable[[Run, Prepared], None]] = [to_thread, to_history]


def _address(run: Run, prepared: Prepared) -> str:
    """Give the address under which things are known of a run's server: of several, the first."""
    return prepared.profile.base_url if prepared.profile.base_urls else run.base_url


def _vocab_size(run: Run, prepared: Prepared) -> int | None:
    from nbchat.api.support import vocab_size

    known = STATE.vocabulary_sizes.get(_address(run, prepared))
    if known is not None:
        return known
    return None if run.model is None else vocab_size(run.model)


def _end_tokens(run: Run, prepared: Prepared, model: str) -> list[int]:
    """Give what ends a generation of the run's model, as far as it is known.

    The embedded model is asked where a row is that of an end: one such question for a process.
    """
    known = STATE.end_tokens.get((_address(run, prepared), model or None))
    if known is not None or run.profile != LOCAL or not _has_end_row(run):
        return list(known or [])
    try:
        return list(end_tokens_of(resolved(prepared.options.profile, _say_nothing), model or None))
    except (ApiError, TransportError):
        return []  # the run is whole without it


def _say_nothing(_: str) -> None:
    """The server has answered, so that there is nothing to be said of its start."""


def _has_end_row(run: Run) -> bool:
    choices = run.completion.choices if run.completion is not None else []
    tables = [choice.logprobs.content for choice in choices if choice.logprobs is not None]
    return any(table and not VOCABULARY.tokens[table.codes[-1]] for table in tables)
