"""What follows of a truncated row, held against the whole rows of the embedded model."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nbchat
from nbchat.measures import divergence_bounds, entropy_bounds, temper

pytestmark = pytest.mark.local
KEPT = [1, 2, 3, 5, 10, 20]
PROMPTS = [
    "Name a colour.",
    "Name a color.",
    "What is 2 + 2?",
    "Write a poem about 🎉.",
    "Répondez en français.",
]


@pytest.fixture(scope="module")
def rows(weights: Path) -> list[dict[int, float]]:
    """Whole rows, id to log probability, most likely first; the server's rounding taken out."""
    found = []
    for prompt in PROMPTS:
        run = nbchat.chat(
            prompt, profile="local", temperature=0, max_completion_tokens=5, logprobs=True,
            top_logprobs="all",
        )  # fmt: skip
        for _, row in run.alternatives().groupby("position"):
            values = row["logprob"].to_numpy()
            values = values - np.log(np.exp(values).sum())
            found.append(dict(zip(row["token_id"].astype(int), values, strict=True)))
    assert len(found) >= 15
    return found


def first(row: dict[int, float], k: int) -> dict[int, float]:
    return dict(itertools.islice(row.items(), k))


def values_of(row: dict[int, float]) -> Any:
    return np.array(list(row.values()))


@pytest.mark.parametrize("k", KEPT)
def test_the_entropy_lies_in_its_interval(rows: list[dict[int, float]], k: int) -> None:
    widths = []
    for row in rows:
        whole = values_of(row)
        exact = -(np.exp(whole) * whole).sum()
        lower, upper = entropy_bounds(values_of(first(row, k)), len(row))
        assert upper is not None
        assert lower - 1e-9 <= exact <= upper + 1e-9
        widths.append(upper - lower)
        # and with a sampled token from far outside the list
        lower, upper = entropy_bounds(values_of(first(row, k)), len(row), whole[500])
        assert upper is not None
        assert lower - 1e-9 <= exact <= upper + 1e-9
    assert max(widths) > 0.01  # the rows put the bounds to the test


@pytest.mark.parametrize("temperature", [0.0, 0.3, 0.7, 1.0, 1.5, 2.0])
@pytest.mark.parametrize("k", KEPT)
def test_tempered_probabilities_lie_in_their_intervals(
    rows: list[dict[int, float]], k: int, temperature: float
) -> None:
    for row in rows:
        whole = values_of(row)
        if temperature:
            scaled = whole / temperature
            exact = np.exp(scaled - scaled.max())
            exact /= exact.sum()
        else:
            exact = (whole == whole.max()) / (whole == whole.max()).sum()
        lower, upper = temper(values_of(first(row, k)), temperature, len(row))
        assert (lower - 1e-9 <= exact[:k]).all()
        assert (exact[:k] <= upper + 1e-9).all()


@pytest.fixture(scope="module")
def pairs(rows: list[dict[int, float]]) -> list[tuple[dict[int, float], dict[int, float], Any]]:
    """Each two of the rows, and their divergences: KL, Jensen-Shannon, total variation."""
    order = np.array([[row[i] for i in range(len(row))] for row in rows])
    found = []
    for a, b in itertools.combinations(range(len(rows)), 2):
        p, q = np.exp(order[a]), np.exp(order[b])
        log_mean = np.log((p + q) / 2)
        kl = (p * (order[a] - order[b])).sum()
        jsd = ((p * (order[a] - log_mean)).sum() + (q * (order[b] - log_mean)).sum()) / 2
        found.append((rows[a], rows[b], (kl, jsd, np.abs(p - q).sum() / 2)))
    return found


@pytest.mark.parametrize("k", KEPT)
def test_divergences_are_not_below_their_lower_bounds(pairs: list[Any], k: int) -> None:
    above_nothing = 0
    for one, other, (kl, jsd, tv) in pairs:
        listed = [
            {i: float(np.exp(value)) for i, value in first(row, k).items()} for row in (one, other)
        ]
        bounds = divergence_bounds(*listed)
        assert bounds.kl <= kl + 1e-9
        assert bounds.jsd <= jsd + 1e-9
        assert bounds.tv <= tv + 1e-9
        above_nothing += bounds.tv > 0
        assert jsd - 1e-9 <= bounds.jsd_hi
        assert tv - 1e-9 <= bounds.tv_hi
        same = divergence_bounds(listed[0], listed[0])
        assert max(same.kl, same.jsd, same.tv) < 1e-9
    assert above_nothing > 0


def test_of_whole_rows_the_bounds_are_the_values(rows: list[dict[int, float]]) -> None:
    row = rows[0]
    whole = values_of(row)
    lower, upper = entropy_bounds(whole, len(row))
    assert lower == upper == pytest.approx(-(np.exp(whole) * whole).sum(), abs=1e-9)
    lowers, uppers = temper(whole, 0.7, len(row))
    np.testing.assert_allclose(lowers, uppers)
    assert uppers.sum() == pytest.approx(1, abs=1e-9)
