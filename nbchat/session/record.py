"""What is noted of a run when it has ended. Done twice it is the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from nbchat.session.cost import cost_of
from nbchat.session.keeping import to_history
from nbchat.session.settings import endpoint
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
        run.vocab_size = run.vocab_size or _vocab_size(run)
        run.logprob_basis = STATE.logprob_bases.get(
            (endpoint(run.profile, run.base_url), model), "unknown"
        )
    for note in RECORDERS:
        note(run, prepared)


def to_thread(run: Run, prepared: Prepared) -> None:
    """Put the turn of a run into its conversation."""
    thread, key = prepared.thread, prepared.key
    if thread is None and run.status == "complete":
        Thread.forget(key)
    if isinstance(thread, Thread) and (run.status == "complete" or run.text or run.rounds):
        thread.record(Turn(key, prepared.new_messages, run, prepared.options.system))


#: told of each run that has ended, in this order
RECORDERS: list[Callable[[Run, Prepared], None]] = [to_thread, to_history]


def _vocab_size(run: Run) -> int | None:
    from nbchat.api.support import vocab_size

    known = STATE.vocabulary_sizes.get(run.base_url)
    if known is not None:
        return known
    return None if run.model is None else vocab_size(run.model)
