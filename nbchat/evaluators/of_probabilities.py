"""Evaluators of how sure a reply was; they need log probabilities (``logprobs=True``)."""

from __future__ import annotations

from collections.abc import Callable
from math import log
from typing import TYPE_CHECKING, Any

from nbchat import measures
from nbchat.evaluators.evaluator import Evaluator, Row

if TYPE_CHECKING:
    from nbchat.run import Run


def mean_surprisal() -> Evaluator:
    """Score the mean surprisal of the reply's tokens, in bits; a lower bound with sentinels."""
    return _of_logprobs("mean_surprisal", lambda values: measures.mean_nll(values) / log(2))


def confidence() -> Evaluator:
    """Score exp(L / T), the geometric mean of the probabilities of the reply's tokens."""
    return _of_logprobs("confidence", measures.length_normalised_probability)


def entropy() -> Evaluator:
    """Score the mean entropy of the reply's positions, in bits, as `.lo` and `.hi`.

    They are the bounds that truncated lists leave (`nbchat.measures.entropy_bounds`); they meet
    where whole rows came.
    """

    def bounds(_: Row, run: Run) -> Any:
        tokens = run.tokens()
        if not len(tokens):
            return {"lo": None, "hi": None}
        means = {
            name: tokens[f"entropy_{name}"].astype("float64").mean(skipna=False) / log(2)
            for name in ("lo", "hi")
        }
        return {name: None if mean != mean else float(mean) for name, mean in means.items()}

    return Evaluator("entropy", bounds, "number")


def _of_logprobs(name: str, measure: Callable[[Any], float]) -> Evaluator:
    def score(_: Row, run: Run) -> float | None:
        choices = run.completion.choices if run.completion is not None else []
        logprobs = choices[0].logprobs if choices else None
        table = None if logprobs is None else logprobs.content or logprobs.refusal
        return float(measure(table.logprobs)) if table else None

    return Evaluator(name, score, "number")
