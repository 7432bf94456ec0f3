"""The probability of an event that several tokens can bring about, as that a reply ends."""

from __future__ import annotations

from math import exp
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nbchat.measures.sentinels import is_known, log_sum_exp

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


class EventLogprob(NamedTuple):
    """The log probability of an event lies from `lower` to `upper`, in nats."""

    lower: float
    upper: float


def event_logprob(row: Mapping[Any, float], event: Collection[Any]) -> EventLogprob:
    """Give ln of the sum of the probabilities of all tokens of an event, within bounds.

    `row` maps the tokens listed at a position to log probabilities, `event` has the tokens
    that make it happen: that a reply ends here is the sum over all of a model's end-of-generation
    tokens, and not the likeliest of them. A token that the row does not list has at most the
    smallest probability that it does, and all of them together what the row leaves. Of a whole
    row, or one that lists them all, both bounds are the value; -inf where none can be.
    Raise ValueError for an event without tokens.
    """
    members = set(event)
    if not members:
        raise ValueError("an event has at least one token")
    known = {token: float(value) for token, value in row.items() if bool(is_known(value))}
    values = np.array(list(known.values()))
    lower = log_sum_exp(np.array([known[token] for token in members & known.keys()]))
    unseen = max(0.0, 1.0 - float(np.exp(values).sum()))
    cap = exp(values.min()) if len(values) else 1.0
    most = min(unseen, cap * len(members - known.keys()))
    if not most:
        return EventLogprob(lower, lower)
    with np.errstate(divide="ignore"):
        upper = float(np.logaddexp(lower, np.log(most)))
    return EventLogprob(lower, max(lower, min(upper, 0.0)))
