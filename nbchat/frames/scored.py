"""Frames of texts that were scored, and of labels that were compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbchat.frames.source import RunLike


class ScoreLike(Protocol):
    """What a scored text has: see `nbchat.analysis.score.Score`."""

    @property
    def text(self) -> str: ...
    @property
    def run(self) -> RunLike: ...
    @property
    def logprobs(self) -> Sequence[float]: ...
    @property
    def end_logprob(self) -> float: ...


def scores(scored: Sequence[ScoreLike]) -> pd.DataFrame:
    """Give one row for each text; `nbchat.analysis.Scores.frame` says what the columns are."""
    n_tokens = np.array([len(score.logprobs) for score in scored], dtype=np.int64)
    n_bytes = np.array([len(score.text.encode()) for score in scored], dtype=np.int64)
    sums = np.array([float(sum(score.logprobs)) for score in scored], dtype=np.float64)
    ends = np.array([score.end_logprob for score in scored], dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return pd.DataFrame(
            {
                "text": pd.array([score.text for score in scored], dtype="string"),
                "n_tokens": n_tokens,
                "n_bytes": n_bytes,
                "sum_logprob": sums,
                "mean_logprob": np.where(n_tokens > 0, sums / n_tokens, np.nan),
                "logprob_per_byte": np.where(n_bytes > 0, sums / n_bytes, np.nan),
                "prob": np.exp(sums),
                "end_logprob": ends,
                "sum_logprob_with_end": sums + ends,
                "mean_logprob_with_end": (sums + ends) / (n_tokens + 1),
                "run_id": pd.array([score.run.id for score in scored], dtype="string"),
            }
        )


class ClassLike(Protocol):
    """What a label of a prompt has: see `nbchat.analysis.classify.Class`."""

    @property
    def prompt(self) -> int: ...
    @property
    def prompt_text(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def logprob(self) -> float: ...
    @property
    def n_tokens(self) -> int: ...
    @property
    def prob(self) -> float: ...
    @property
    def prob_lo(self) -> float: ...
    @property
    def prob_hi(self) -> float: ...
    @property
    def coverage(self) -> float: ...
    @property
    def logprob_neutral(self) -> float: ...


def classes(
    scored: Sequence[ClassLike], method: str, truth: Sequence[str | None] | None
) -> pd.DataFrame:
    """Give one row for each prompt and label; `nbchat.classify` says what the columns are."""
    frame = pd.DataFrame(
        {
            "prompt": np.array([c.prompt for c in scored], dtype=np.int64),
            "prompt_text": pd.array([c.prompt_text for c in scored], dtype="string"),
            "label": pd.array([c.label for c in scored], dtype="string"),
            "method": pd.Categorical([method] * len(scored)),
            "logprob": np.array([c.logprob for c in scored], dtype=np.float64),
            "n_tokens": np.array([c.n_tokens for c in scored], dtype=np.int64),
            "prob": np.array([c.prob for c in scored], dtype=np.float64),
            "prob_lo": np.array([c.prob_lo for c in scored], dtype=np.float64),
            "prob_hi": np.array([c.prob_hi for c in scored], dtype=np.float64),
            "coverage": np.array([c.coverage for c in scored], dtype=np.float64),
        }
    )
    # of equals the first; where nothing is known, none
    known = frame["prob"].dropna()
    best = known.groupby(frame["prompt"]).idxmax()
    frame["is_predicted"] = frame.index.isin(best)
    if method == "pmi":
        neutral = np.array([c.logprob_neutral for c in scored], dtype=np.float64)
        frame["logprob_neutral"] = neutral
        frame["pmi"] = frame["logprob"] - neutral
    if truth is not None:
        told = pd.array([truth[c.prompt] for c in scored], dtype="string")
        frame["truth"] = told
        frame["is_correct"] = pd.array(frame["label"].array == told, dtype="boolean")
    return frame


def pairs_frame(pairs: pd.DataFrame | Sequence[tuple[object, object]]) -> pd.DataFrame:
    """Give pairs as a frame of their own, numbered from 0."""
    if isinstance(pairs, pd.DataFrame):
        return pairs.reset_index(drop=True)
    return pd.DataFrame(list(pairs), columns=["good", "bad"])


def scored_pairs(
    pairs: pd.DataFrame, good: Sequence[ScoreLike], bad: Sequence[ScoreLike]
) -> pd.DataFrame:
    """Give the pairs with the log probability of each sentence, and which is likelier."""
    sums = [np.array([float(sum(one.logprobs)) for one in side]) for side in (good, bad)]
    margin = sums[0] - sums[1]
    is_judged = (margin != 0) & ~np.isnan(margin)
    is_right = pd.Series(margin > 0).astype("boolean").where(pd.Series(is_judged))
    return pairs.assign(good_logprob=sums[0], bad_logprob=sums[1], is_right=is_right)
