"""Whole rows of the embedded model as it sends them, rounded: what its rounding must not do.

`test_exact_rows` takes the rounding out and holds the bounds against the exact values.
"""

import itertools
import math

import numpy as np
import pytest

import nbchat
from nbchat import measures
from nbchat.measures import divergence_bounds, entropy_bounds, temper
from nbchat.run import Run

pytestmark = pytest.mark.local

KEPT = (1, 2, 3, 5, 10, 20)
PROMPTS = [
    "Name a colour.",
    "The capital of France is",
    "Write one word about the sea.",
    "Repeat exactly: one two three four five six seven",  # sure of itself: little is unseen
]
# the server sums 32-bit floats: a whole row has a mass of up to 1.0003
ROUNDING = 1e-3


@pytest.fixture(scope="module")
def whole(weights) -> list[Run]:
    return [
        nbchat.chat(
            prompt,
            profile="local",
            temperature=1,
            seed=seed,
            max_completion_tokens=6,
            logprobs=True,
            top_logprobs="all",
        )
        for seed, prompt in enumerate(PROMPTS)
    ]


@pytest.fixture(scope="module")
def rows(whole):
    """One array of log probabilities for each position, from likely to unlikely."""
    frame = nbchat.alternatives(whole)
    groups = frame.groupby(["run_id", "position"], observed=True, sort=False)["logprob"]
    found = [group.to_numpy() for _, group in groups]
    assert len(found) >= 10
    return found


def entropy_of(row):
    """The definition, summed in another order than nbchat's, in extended precision."""
    values = row[::-1].astype(np.longdouble)
    return float(-(np.exp(values) * values).sum())


def test_some_rows_are_sure_and_some_are_not(rows):
    highest = [math.exp(row[0]) for row in rows]
    assert min(highest) < 0.5
    assert max(highest) > 0.95


def test_a_row_has_the_whole_vocabulary_and_all_the_mass(rows, whole):
    for row in rows:
        assert len(row) == whole[0].vocab_size
        assert measures.top_mass(row) == pytest.approx(1, abs=ROUNDING)


def test_the_tokens_frame_has_the_exact_entropy(rows, whole):
    tokens = nbchat.tokens(whole)
    assert tokens["entropy_lo"].tolist() == tokens["entropy_hi"].tolist()
    np.testing.assert_allclose(tokens["entropy_lo"], [entropy_of(row) for row in rows], atol=1e-9)


def test_intervals_narrow_as_the_list_grows(rows):
    for row in rows:
        widths = [np.diff(entropy_bounds(row[:k], len(row)))[0] for k in KEPT]
        assert all(b <= a + 1e-9 for a, b in itertools.pairwise(widths))


def test_what_is_renormalised_over_the_list_is_no_entropy(rows):
    """Why nbchat never does it: mostly the figure is less than the entropy can be."""
    below = 0
    for row in rows:
        p = np.exp(row[:5])
        p = p / p.sum()
        below += -(p * np.log(p)).sum() < entropy_bounds(row[:5])[0]
    assert below >= len(rows) / 2


@pytest.mark.parametrize("k", KEPT)
def test_other_temperatures_hold_though_a_sure_row_seems_to_have_all_its_mass(rows, k):
    for row, temperature in itertools.product(rows, (0.25, 0.7, 1, 1.5, 3)):
        weights = np.exp((row - row[0]).astype(np.longdouble) / temperature)
        exact = (weights / weights.sum())[:k].astype(float)
        for most in (None, row[k - 1]):
            lower, upper = temper(row[:k], temperature, len(row), most, rounding=ROUNDING)
            assert (lower <= exact + ROUNDING).all()
            assert (upper >= exact - ROUNDING).all()


def test_divergences_of_whole_rows_are_their_values(whole):
    frame = nbchat.alternatives(whole)
    first = frame[frame["position"] == 0]
    sides = [
        group.set_index("token_id")["prob"]
        for _, group in first.groupby("run_id", observed=True, sort=False)
    ]
    for p, q in itertools.permutations(sides, 2):
        found = divergence_bounds(p.to_dict(), q.to_dict())
        by_token = q.reindex(p.index)
        assert found.tv == pytest.approx(float((p - by_token).abs().sum()) / 2, abs=ROUNDING)
        assert found.kl == pytest.approx(float((p * np.log(p / by_token)).sum()), abs=ROUNDING)
        # of a list that seems to have all the mass, too
        for k in KEPT:
            assert divergence_bounds(p[:k].to_dict(), q[:k].to_dict()).kl <= found.kl + ROUNDING
