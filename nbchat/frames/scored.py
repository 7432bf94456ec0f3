"""Frames of texts that were scored, and of labels that were compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbchat.frames.source import RunLike


class ScoreLike(Protocol):
    """What a scored text has: see `nbchat.analysis.scoring.Score`."""

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
