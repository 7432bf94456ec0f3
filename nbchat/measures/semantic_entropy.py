"""Measures of several answers to the same question."""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING

import numpy as np

from nbchat.measures.sentinels import is_known_sum, log_sum_exp

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from numpy.typing import ArrayLike, NDArray


def predictive_entropy(logprobs: ArrayLike, lengths: ArrayLike | None = None) -> float:
    """Give -(1/M) · sum of L_i over M samples, in nats.

    `logprobs` has one sequence log probability L_i for each sample. With `lengths` (the
    samples' tokens T_i) it is -(1/M) · sum of L_i / T_i. Unknown ones (NaN, sentinels) are
    left out; NaN where none is left. Raise ValueError where a length is not positive or
    there are not as many as samples. Source: Malinin and Gales, arXiv 2002.07650.
    """
    values = np.asarray(logprobs, dtype=np.float64)
    known = is_known_sum(values)
    if lengths is not None:
        counts = np.asarray(lengths, dtype=np.float64)
        if counts.shape != values.shape:
            raise ValueError(f"{counts.size} lengths for {values.size} samples")
        if not (counts > 0).all():
            raise ValueError("every length must be positive")
        values = values / counts
    return 0.0 - float(values[known].mean()) if known.any() else nan


def semantic_entropy(logprobs: ArrayLike | None, clusters: Sequence[Hashable]) -> float:
    """Give -sum of P(C) ln P(C) over the clusters C of samples that mean the same, in nats.

    `clusters` names the cluster of each sample. `logprobs` has one log probability for
    each sample, length-normalised or not; P(C) is the share of their exponentials, taken
    in log space, so that long sequences do not underflow. With None, P(C) is the share of
    the samples (the discrete variant). Samples with an unknown log probability are left
    out; NaN where none is left. Raise ValueError where the numbers of samples differ.
    Source: Kuhn et al., arXiv 2302.09664.
    """
    members = _numbered(clusters)
    weights = np.zeros(members.size) if logprobs is None else np.asarray(logprobs, dtype=np.float64)
    if weights.shape != members.shape:
        raise ValueError(f"{weights.size} log probabilities for {members.size} samples")
    known = is_known_sum(weights)
    if not known.any():
        return nan
    weights, members = weights[known], members[known]
    total = log_sum_exp(weights)
    shares = np.array([log_sum_exp(weights[members == c]) for c in np.unique(members)]) - total
    return max(0.0, float(-(np.exp(shares) * shares).sum()))


def _numbered(clusters: Iterable[Hashable]) -> NDArray[np.int64]:
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(c, len(numbers)) for c in clusters], dtype=np.int64)
