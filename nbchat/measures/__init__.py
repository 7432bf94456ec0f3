"""Numbers about token probabilities: pure functions on arrays.

Log probabilities go in as natural logarithms; nats come out unless a name says bits. What a
server sends in the place of a number (-9999.0, the lowest float, NaN) is left out of every
sum and mean.
"""

from __future__ import annotations

from nbchat.measures.answers import ClassProbabilities, class_probabilities
from nbchat.measures.judgements import Calibration, calibration
from nbchat.measures.samples import predictive_entropy, semantic_entropy
from nbchat.measures.sequences import bits_per_byte, perplexity, surprisal
from nbchat.measures.truncated import (
    DivergenceBounds,
    divergence_bounds,
    entropy_bounds,
    temper,
)

__all__ = [
    "Calibration",
    "ClassProbabilities",
    "DivergenceBounds",
    "bits_per_byte",
    "calibration",
    "class_probabilities",
    "divergence_bounds",
    "entropy_bounds",
    "perplexity",
    "predictive_entropy",
    "semantic_entropy",
    "surprisal",
    "temper",
]


def __dir__() -> list[str]:
    return list(__all__)
