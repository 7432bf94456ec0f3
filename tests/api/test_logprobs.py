from __future__ import annotations

import math
import pickle

import pytest

from nbchat.api.logprobs import TokenTable
from tests.scripted import logprob_entry


@pytest.fixture
def table() -> TokenTable:
    return TokenTable.build(
        [
            logprob_entry("a", -0.1, [("a", -0.1), ("b", -2.0)]),
            logprob_entry("é", -0.2, [("é", -0.2)]),
            logprob_entry("c", -0.3, []),
            logprob_entry("d", -0.4, [("x", -0.01), ("d", -0.4), ("y", -9.0)]),
        ],
        arrival_s=1.5,
    )


@pytest.mark.parametrize(("start", "stop"), [(0, 4), (0, 0), (1, 3), (2, 4), (3, 4), (4, 4)])
def test_a_part_has_the_positions_and_their_alternatives(
    table: TokenTable, start: int, stop: int
) -> None:
    part = table.part(start, stop)
    assert list(part) == list(table)[start:stop]
    assert all(math.isnan(arrival) for arrival in part.arrivals)


def test_parts_put_together_again_are_the_whole(table: TokenTable) -> None:
    for border in range(5):
        assert table.part(0, border).followed_by(table.part(border, 4)) == table
    assert len(table) == 4
    assert pickle.loads(pickle.dumps(table.part(1, 4))) == table.part(1, 4)


def test_a_part_is_its_own(table: TokenTable) -> None:
    part = table.part(0, 2)
    part.logprobs[0] = -5.0
    part.alternative_logprobs[0] = -5.0
    assert table[0].logprob == -0.1
    assert table[0].top_logprobs[0].logprob == -0.1
