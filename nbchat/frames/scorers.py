"""How sure an answer is, by several scorers that need no second model."""

from __future__ import annotations

from math import exp, log, nan
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from nbchat.frames.distinct_answers import answer_of
from nbchat.frames.per_choice import choices
from nbchat.frames.per_token import tokens
from nbchat.measures import semantic_entropy
from nbchat.measures.self_consistency import normalised

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from nbchat.frames.source import RunLike


def scorers(
    runs: Sequence[RunLike],
    *,
    normalise: Callable[[str], Hashable] = normalised,
    contradiction: Callable[[str, str], float] | None = None,
) -> pd.DataFrame:
    """Give one row for each scorer of an answer: how sure it is of the first choice of `runs[0]`.

    The other runs are samples of the same question. All scores are confidences, higher is
    surer; those of one scorer can be compared among questions (`plots.risk_coverage` compares
    scorers). Columns: `scorer` (string), `kind` (category: white, from log probabilities; black,
    from texts), `score` (float64, from 0 to 1; NA where it cannot be had), `n_samples` (int64,
    the answers that it is from).

    - `min_token_probability`, `mean_token_probability`: over the answer's tokens, end aside
    - `normalized_probability`: exp(L / T); `sequence_probability`: exp(L)
    - `probability_margin`: the mean of p1 - p2
    - `monte_carlo_probability`: the mean of exp(L / T) over all answers
    - `exact_match`: the share of the samples that are the answer, where `normalise` makes equal
    - `semantic_negentropy`: 1 - H / ln M, H the discrete entropy of the M answers' clusters
    - `noncontradiction`: the mean of 1 - contradiction(answer, sample), both ways round, where
      `contradiction` gives a probability (a function of yours, as of an NLI model)

    Names and definitions follow uqlm (Bouchard and Chauhan, arXiv 2504.19254). Raise
    ValueError where there is no run or a contradiction is no probability.
    """
    if not runs:
        raise ValueError("there is no run to score")
    of_first = tokens(runs[0])
    of_first = of_first[(of_first["choice"] == 0) & ~of_first["is_special"]]
    firsts = choices(runs).drop_duplicates("run_id").set_index("run_id")
    firsts = firsts.reindex([run.id for run in runs])
    is_known = (~firsts["perplexity_is_bound"]).fillna(value=False).to_numpy(dtype=bool)
    normalized = np.where(is_known, np.exp(-firsts["mean_nll"].to_numpy(dtype=float)), nan)
    total = float(firsts["sum_logprob"].iloc[0]) if is_known[0] else nan
    probs = of_first["prob"].to_numpy(dtype=float) if is_known[0] else np.array([nan])
    margins = of_first["margin"].dropna()
    answers = [answer_of(run) for run in runs]
    white = {
        "min_token_probability": probs.min(initial=1.0),
        "mean_token_probability": probs.mean() if len(probs) else nan,
        "normalized_probability": normalized[0],
        "sequence_probability": exp(total),
        "probability_margin": margins.mean() if len(margins) else nan,
    }
    known = normalized[~np.isnan(normalized)]
    rows: list[dict[str, Any]] = [
        {"scorer": name, "kind": "white", "score": value, "n_samples": 1}
        for name, value in white.items()
    ]
    rows.append(
        {
            "scorer": "monte_carlo_probability",
            "kind": "white",
            "score": known.mean() if len(known) else nan,
            "n_samples": len(known),
        }
    )
    black = _black(answers, normalise, contradiction)
    rows += [
        {"scorer": name, "kind": "black", "score": value, "n_samples": len(runs)}
        for name, value in black.items()
    ]
    return pd.DataFrame(rows).astype(
        {"scorer": "string", "kind": "category", "score": "float64", "n_samples": "int64"}
    )


def _black(
    answers: list[str],
    normalise: Callable[[str], Hashable],
    contradiction: Callable[[str, str], float] | None,
) -> dict[str, float]:
    names = [normalise(answer) for answer in answers]
    first, others = names[0], names[1:]
    figures = {
        "exact_match": sum(name == first for name in others) / len(others) if others else nan,
        "semantic_negentropy": 1 - semantic_entropy(None, names) / log(len(names))
        if others
        else nan,
    }
    if contradiction is not None:
        pairs = [
            pair for other in answers[1:] for pair in ((answers[0], other), (other, answers[0]))
        ]
        against = [float(contradiction(*pair)) for pair in pairs]
        if not all(0 <= p <= 1 for p in against):
            raise ValueError("contradiction must give a probability, from 0 to 1")
        figures["noncontradiction"] = 1 - sum(against) / len(against) if against else nan
    return figures
