"""Bounds held against real rows of the embedded model, whose exact figures are in the test data.

`tests/data/real_rows.py` made them, with numpy alone. What is exact is exact for the row as it
was sent (`entropy`) or divided by its mass (the others): the bounds have to hold for both.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nbchat import frames
from nbchat.measures import divergence_bounds, entropy_bounds, temper
from tests.frames.made import choice, entry, run_of, token

DATA = json.loads((Path(__file__).parents[1] / "data" / "real_rows.json").read_text())
ROWS, PAIRS, V = DATA["rows"], DATA["pairs"], DATA["vocab_size"]
KEPT = [1, 2, 3, 5, 10, 20]
E = 3e-4  # of the definition: how far the masses of these rows are off
NOTHING = 1e-12


def logprobs_of(row: dict[str, Any], k: int) -> Any:
    return np.array(row["logprobs"][:k], dtype=np.float32).astype(float)


def listed(row: dict[str, Any], k: int) -> dict[int, float]:
    return dict(zip(row["ids"][:k], np.exp(logprobs_of(row, k)).tolist(), strict=True))


def defined_bounds(logprobs: Any, e: float) -> tuple[float, float]:
    """The bounds as they are defined, token by token."""
    p = np.exp(logprobs)
    seen = -(p * logprobs).sum()
    unseen = max(0.0, 1.0 - p.sum())
    lower, left = seen, max(0.0, unseen - e)
    while left > 0 and p[-1] > 0:
        piece = min(left, p[-1])
        lower -= piece * math.log(piece)
        left -= piece
    most = min(1.0, unseen + e)
    upper = seen + (most * math.log((V - len(p)) / most) if most else 0.0)
    return lower, upper


def test_the_rows_are_300_real_ones_sure_and_unsure() -> None:
    assert len(ROWS) == 300
    assert len(PAIRS) == 900
    masses = [row["mass"] for row in ROWS]
    assert max(masses) > 1.0001
    assert max(abs(mass - 1) for mass in masses) < E
    entropies = [row["entropy"] for row in ROWS]
    assert min(entropies) < 0.01
    assert max(entropies) > 4


@pytest.mark.parametrize("k", KEPT)
def test_no_entropy_crosses_its_bounds(k: int) -> None:
    without_rounding = 0
    for row in ROWS:
        logprobs = logprobs_of(row, k)
        lower, upper = entropy_bounds(logprobs, V)
        assert upper is not None
        for exact in (row["entropy"], row["entropy_normalised"]):
            assert lower <= exact + NOTHING
            assert exact <= upper + NOTHING
        least, most = defined_bounds(logprobs, E)
        # as defined, and wider by what dividing by the mass can do
        assert least - 2 * E * max(1.0, least) <= lower <= least + NOTHING
        assert most - NOTHING <= upper <= most + 2 * E * max(1.0, most)
        assert entropy_bounds(logprobs)[0] == pytest.approx(lower)
        _, blind = entropy_bounds(logprobs, V, rounding=0)
        assert blind == pytest.approx(max(defined_bounds(logprobs, 0)))
        assert blind is not None
        without_rounding += row["entropy"] > blind
    if k == 20:
        assert without_rounding > 0  # these rows put the rounding to the test


@pytest.mark.parametrize("k", KEPT)
def test_nor_with_a_sampled_token_from_far_outside_the_list(k: int) -> None:
    for row in ROWS:
        lower, upper = entropy_bounds(logprobs_of(row, k), V, sampled=row["sampled"][1])
        assert upper is not None
        assert lower <= row["entropy"] + NOTHING
        assert row["entropy"] <= upper + NOTHING


@pytest.mark.parametrize("k", KEPT)
def test_the_tokens_frame_has_the_same_bounds(k: int) -> None:
    entries = []
    for row in ROWS:
        top = [
            token(f"t{i}", logprob, number=i)
            for i, logprob in zip(row["ids"][:k], logprobs_of(row, k).tolist(), strict=True)
        ]
        entries.append(entry(top[0]["token"], top[0]["logprob"], *top, number=row["ids"][0]))
    tokens = frames.tokens(run_of(choice(*entries), vocab_size=V))
    exact = np.array([row["entropy"] for row in ROWS])
    assert (tokens["entropy_lo"] <= exact + NOTHING).all()
    assert (exact <= tokens["entropy_hi"] + NOTHING).all()
    bounds = [entropy_bounds(logprobs_of(row, k), V, rounding=E) for row in ROWS]
    np.testing.assert_allclose(tokens[["entropy_lo", "entropy_hi"]], np.array(bounds, float))


@pytest.mark.long
@pytest.mark.parametrize("k", KEPT)
def test_no_divergence_crosses_its_bounds(k: int) -> None:
    shares = []
    for pair in PAIRS:
        a, b = (listed(ROWS[i], k) for i in pair["rows"])
        bounds = divergence_bounds(a, b)
        for name in ("kl", "jsd", "tv"):
            assert 0 <= getattr(bounds, name) <= pair[name] + NOTHING
        assert pair["tv"] - NOTHING <= bounds.tv_hi <= 1
        assert pair["jsd"] - NOTHING <= bounds.jsd_hi <= math.log(2)
        shares.append(bounds.tv / pair["tv"] if pair["tv"] > 0.01 else 1.0)
    if k == 20:
        assert np.median(shares) > 0.9


def least_total_variation(a: dict[int, float], b: dict[int, float]) -> float:
    """The least total variation by its definition, as flows: what can be the same is the same."""
    unseen = [max(0.0, 1 - sum(side.values())) for side in (a, b)]
    caps = [min(min(side.values()), r) for side, r in zip((a, b), unseen, strict=True)]
    same = sum(min(a[t], b[t]) for t in a.keys() & b.keys())
    at_b = min(unseen[1], sum(min(p, caps[1]) for t, p in a.items() if t not in b))
    at_a = min(unseen[0], sum(min(q, caps[0]) for t, q in b.items() if t not in a))
    return 1 - same - at_a - at_b - min(unseen[0] - at_a, unseen[1] - at_b)


@pytest.mark.long
@pytest.mark.parametrize("k", KEPT)
def test_the_least_total_variation_is_that_of_its_definition(k: int) -> None:
    for pair in PAIRS:
        sides = [listed(ROWS[i], k) for i in pair["rows"]]
        # as distributions whose masses are right, so that rounding is no question
        sides = [{t: p / max(1.0, sum(side.values())) for t, p in side.items()} for side in sides]
        found = divergence_bounds(*sides, rounding=0).tv
        assert found == pytest.approx(max(0.0, least_total_variation(*sides)), abs=1e-9)
        assert divergence_bounds(*sides, rounding=E).tv <= found + NOTHING


@pytest.mark.parametrize("k", KEPT)
def test_no_tempered_probability_crosses_its_bounds(k: int) -> None:
    for found in DATA["tempered"]:
        row = logprobs_of(ROWS[found["row"]], k)
        for temperature in (0.5, 0.8, 1.2, 2.0):
            exact = np.array(found[str(temperature)][:k])
            for most in (None, row[-1]):
                lower, upper = temper(row, temperature, V, most)
                assert (lower <= exact + NOTHING).all()
                assert (exact <= upper + NOTHING).all()
