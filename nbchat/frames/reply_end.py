"""How likely it was that a reply ends where it does, by all listed tokens that end one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbchat.api.logprobs import VOCABULARY
from nbchat.measures import event_logprob

if TYPE_CHECKING:
    from nbchat.frames.source import RunLike
    from nbchat.frames.token_arrays import Positions
    from nbchat.measures import EventLogprob


def end_of(positions: Positions, place: int, run: RunLike) -> EventLogprob | None:
    """Give the log probability that a reply ends in the row at this place, within bounds.

    The lower one is the sum over the tokens that the row has. None where the run does not know
    which tokens end a generation, or the one that did has no number.
    """
    ends = run.end_tokens
    token_id = VOCABULARY.ids[positions.codes[place]]
    if token_id is None or token_id not in ends:
        return None
    rows = slice(positions.offsets[place], positions.offsets[place + 1])
    listed = zip(
        positions.alternative_codes[rows].tolist(),
        positions.alternative_logprobs[rows].tolist(),
        strict=True,
    )
    row = {VOCABULARY.ids[code]: logprob for code, logprob in listed}
    row.setdefault(token_id, float(positions.logprobs[place]))
    return event_logprob(row, ends)
