"""Scores of answers: what a reply says, how sure it was, what a judge thinks of it.

``nbchat.sweep(…, evaluate={"right": nbchat.evaluators.equals("{{ answer }}")})``. A function of a
row (the mapping of its variables) and its run is an evaluator, too.
"""

from __future__ import annotations

from nbchat.evaluators.evaluator import Evaluator
from nbchat.evaluators.judge import Judge, judge
from nbchat.evaluators.of_probabilities import confidence, entropy, mean_surprisal
from nbchat.evaluators.of_texts import contains, equals, field, json_equals, matches, number_within

__all__ = [
    "Evaluator",
    "Judge",
    "confidence",
    "contains",
    "entropy",
    "equals",
    "field",
    "json_equals",
    "judge",
    "matches",
    "mean_surprisal",
    "number_within",
]


def __dir__() -> list[str]:
    return list(__all__)
