"""Several answers to one question: what each was, how likely, and which mean the same."""

from __future__ import annotations

import warnings
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from nbchat.frames.distinct_answers import answer_of
from nbchat.frames.per_choice import choices
from nbchat.frames.source import MissingLogprobsWarning
from nbchat.measures.sentinels import log_sum_exp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nbchat.frames.source import RunLike


class Samples(NamedTuple):
    """The first choice of each of several runs.

    - `texts`: its text, else its refusal, else its tool calls as JSON
    - `logprobs`: float64, L in nats without the end token; `normalised`: L / T. NaN where the
      server sent none, or where one of a token is censored
    - `n_cut`: how many ended at their token limit
    """

    texts: list[str]
    logprobs: NDArray[np.float64]
    normalised: NDArray[np.float64]
    n_cut: int


def samples(runs: Sequence[RunLike]) -> Samples:
    """Read the answers of runs that are complete."""
    with warnings.catch_warnings():
        # who asks for samples says so once, for all of them
        warnings.simplefilter("ignore", MissingLogprobsWarning)
        frame = choices(runs)
    firsts = frame.drop_duplicates("run_id").set_index("run_id")
    firsts = firsts.reindex([run.id for run in runs])
    is_known = (~firsts["perplexity_is_bound"]).fillna(value=False).to_numpy(dtype=bool)
    return Samples(
        texts=[answer_of(run) for run in runs],
        logprobs=np.where(is_known, firsts["sum_logprob"].to_numpy(), np.nan),
        normalised=np.where(is_known, -firsts["mean_nll"].to_numpy(), np.nan),
        n_cut=int((firsts["finish_reason"] == "length").sum()),
    )


def answers(
    texts: Sequence[str],
    clusters: Sequence[int],
    logprobs: NDArray[np.float64],
    run_ids: Sequence[str],
) -> pd.DataFrame:
    """Give one row for each cluster of answers that mean the same, the most frequent first.

    Each argument has one entry for each sample; `logprobs` are in nats, NaN where unknown.
    Columns: `cluster` (int64, from 0 in this order), `answer` (string, its most frequent text),
    `count` (int64), `share` (float64, of the samples), `weight` (float64, its share of the
    exponentials of `logprobs`; NA where none is known), `run_ids` (object, list of str).
    """
    members: dict[int, list[int]] = {}
    for place, cluster in enumerate(clusters):
        members.setdefault(cluster, []).append(place)
    known = ~np.isnan(logprobs)
    total = log_sum_exp(logprobs[known])
    weights = {
        cluster: float(np.exp(log_sum_exp(logprobs[places][known[places]]) - total))
        if known.any()
        else float("nan")
        for cluster, places in members.items()
    }
    order = sorted(members, key=lambda c: (-len(members[c]), -np.nan_to_num(weights[c])))
    groups = [members[cluster] for cluster in order]
    firsts = [Counter(texts[place] for place in group).most_common(1)[0][0] for group in groups]
    return pd.DataFrame(
        {
            "cluster": pd.array(range(len(groups)), dtype="int64"),
            "answer": pd.array(firsts, dtype="string"),
            "count": pd.array([len(group) for group in groups], dtype="int64"),
            "share": pd.array([len(group) / len(texts) for group in groups], dtype="float64"),
            "weight": pd.array([weights[cluster] for cluster in order], dtype="float64"),
            "run_ids": pd.Series(
                [[run_ids[place] for place in group] for group in groups], dtype=object
            ).array,
        }
    )
