from __future__ import annotations

import json
import random
import struct
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat.api.logprobs import TokenTable
from nbchat.errors import UnreadableRunError
from nbchat.history.token_columns import packed, unpacked
from tests.random_runs import tables
from tests.wire import logprob_entry

COLUMNS = (
    "codes", "logprobs", "arrivals", "offsets", "alternative_codes", "alternative_logprobs",
)  # fmt: skip


def as_bytes(table: TokenTable) -> dict[str, bytes]:
    """The columns bit for bit: NaN, -0.0 and infinity included."""
    return {name: getattr(table, name).tobytes() for name in COLUMNS}


@pytest.mark.long
@given(tables())
def test_a_table_comes_back_bit_for_bit(table: TokenTable) -> None:
    found = unpacked(packed(table))
    assert as_bytes(found) == as_bytes(table)
    assert found.builtins().__repr__() == table.builtins().__repr__()


def words(kind: str) -> TokenTable:
    """100 tokens with 20 alternatives, drawn as models draw them, and written as servers do."""
    rng = random.Random(7)
    known = [f" {''.join(rng.choices('etaoinshrdlu', k=rng.randint(2, 7)))}" for _ in range(2000)]

    def number(value: float) -> float:
        single: float = struct.unpack("f", struct.pack("f", value))[0]
        return single if kind == "llama.cpp" else float(f"{single:.8g}")

    def entry() -> dict[str, object]:
        top, logprob = [], -2 * rng.random()
        for _ in range(20):
            top.append((known[min(int(rng.expovariate(1 / 250)), 1999)], number(logprob)))
            logprob -= 0.8 * rng.random()
        return logprob_entry(top[0][0], top[0][1], top)

    return TokenTable.build([entry() for _ in range(100)])


@pytest.mark.parametrize("kind", ["llama.cpp", "openai"])
def test_a_hundred_tokens_with_twenty_alternatives_take_about_a_tenth_of_their_json(
    kind: str,
) -> None:
    table = words(kind)
    assert len(packed(table)) < 15_000
    assert len(json.dumps(table.builtins())) > 150_000


@given(st.binary(max_size=50))
def test_bytes_that_are_no_table_are_refused(data: bytes) -> None:
    with pytest.raises(UnreadableRunError, match="damaged"):
        unpacked(data)


@given(tables(), st.randoms())
def test_a_damaged_table_is_refused_or_read_but_raises_nothing_else(
    table: TokenTable, rng: random.Random
) -> None:
    data = array("B", packed(table))
    for _ in range(3):
        data[rng.randrange(len(data))] = rng.randrange(256)
    for damaged in (data.tobytes(), data.tobytes()[: rng.randrange(len(data))]):
        try:
            found = unpacked(damaged)
        except UnreadableRunError:
            continue
        assert len(found.logprobs) == len(found)
