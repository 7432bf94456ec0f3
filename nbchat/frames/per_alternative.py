"""The alternatives frame: one row for each token that could have stood at a position."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nbchat.frames.alternatives_lists import lists_of, with_unlisted
from nbchat.frames.assembly import assemble
from nbchat.frames.per_token import key_columns
from nbchat.frames.source import runs_of, warn_of_missing_logprobs
from nbchat.frames.token_arrays import positions_of
from nbchat.frames.token_texts import Words, categorical
from nbchat.measures.top_k_arrays import running_sums

if TYPE_CHECKING:
    import pandas as pd

    from nbchat.frames.source import Source
    from nbchat.frames.token_arrays import Positions


def alternatives(source: Source) -> pd.DataFrame:
    """Give one row for each alternative of each token, from likely to unlikely.

    `source` is a run, an iterable of runs or anything with `.runs`. The key is that of the
    tokens frame and `alternative`; `nbchat.frames.columns` declares the columns. Doubles
    are removed. A sampled token that the server's list lacks has a row all the same, with
    `is_listed` false, so that each position has one row with `is_sampled`. Where logprobs
    were asked for and did not come, a `MissingLogprobsWarning` says so. Raise TypeError
    where `source` has no runs to give.
    """
    runs = runs_of(source)
    warn_of_missing_logprobs(runs)
    return alternatives_at(positions_of(runs))


def alternatives_at(positions: Positions) -> pd.DataFrame:
    """Give the alternatives frame of positions that were collected before."""
    words = Words(positions.codes, positions.alternative_codes)
    lists = with_unlisted(lists_of(positions, words), positions, words)
    counts = np.diff(lists.offsets)
    probs = np.exp(lists.logprobs)
    starts = np.repeat(lists.offsets[:-1].astype(np.int32), counts)
    return assemble(
        "alternatives",
        {
            **key_columns(positions, counts),
            "alternative": np.arange(len(starts), dtype=np.int32) - starts,
            "token_id": words.token_ids(lists.places),
            "token": categorical(words.tokens, lists.places),
            "bytes": categorical(words.sent, lists.places),
            "display": categorical(words.displays, lists.places),
            "logprob": lists.logprobs,
            "prob": probs,
            "cum_prob": running_sums(probs, lists.offsets),
            "is_sampled": lists.is_sampled,
            "is_listed": lists.is_listed,
            "censored": np.isnan(lists.logprobs),
        },
    )
