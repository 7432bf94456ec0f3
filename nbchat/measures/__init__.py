"""Numbers about token probabilities: pure functions on arrays.

Log probabilities go in as natural logarithms; nats come out unless a name says bits. What a
server sends in the place of a number (-9999.0, the lowest float, NaN) is left out of every
sum and mean.
"""

from __future__ import annotations

from nbchat.measures.bounds import entropy_bounds, temper
from nbchat.measures.calibration import Calibration, calibration, calibration_band
from nbchat.measures.calibration_interval import CalibrationInterval, calibration_interval
from nbchat.measures.class_probabilities import ClassProbabilities, class_probabilities
from nbchat.measures.discrimination import auroc
from nbchat.measures.divergence import DivergenceBounds, divergence_bounds
from nbchat.measures.events import EventLogprob, event_logprob
from nbchat.measures.proportions import wilson
from nbchat.measures.selective_prediction import RiskCoverage, risk_coverage
from nbchat.measures.self_consistency import Consistency, normalised, self_consistency
from nbchat.measures.semantic_entropy import predictive_entropy, semantic_entropy
from nbchat.measures.sequences import (
    bits_per_byte,
    length_normalised_probability,
    mean_nll,
    perplexity,
    sequence_logprob,
    surprisal,
)
from nbchat.measures.temperature_scaling import (
    TemperatureFit,
    at_temperature,
    fit_temperature,
)
from nbchat.measures.top_k import Rank, entropy_top, log_margin, margin, rank, top_mass

__all__ = [
    "Calibration",
    "CalibrationInterval",
    "ClassProbabilities",
    "Consistency",
    "DivergenceBounds",
    "EventLogprob",
    "Rank",
    "RiskCoverage",
    "TemperatureFit",
    "at_temperature",
    "auroc",
    "bits_per_byte",
    "calibration",
    "calibration_band",
    "calibration_interval",
    "class_probabilities",
    "divergence_bounds",
    "entropy_bounds",
    "entropy_top",
    "event_logprob",
    "fit_temperature",
    "length_normalised_probability",
    "log_margin",
    "margin",
    "mean_nll",
    "normalised",
    "perplexity",
    "predictive_entropy",
    "rank",
    "risk_coverage",
    "self_consistency",
    "semantic_entropy",
    "sequence_logprob",
    "surprisal",
    "temper",
    "top_mass",
    "wilson",
]


def __dir__() -> list[str]:
    return list(__all__)
