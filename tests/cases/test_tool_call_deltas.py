"""Tool calls whose index or id says nothing: told apart, and never torn apart."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat.client import read_stream
from tests.wire import chunk, completion, sse

Pairs = list[tuple[str, str]]
END = chunk(finish_reason="tool_calls")
A, B, C = ('{"city":"A"}', '{"city":"B"}', '{"city":"C"}')


def piece(index: Any, id: Any, name: Any = None, arguments: Any = None) -> dict[str, Any]:  # noqa: A002
    function = {k: v for k, v in (("name", name), ("arguments", arguments)) if v is not None}
    head = {k: v for k, v in (("index", index), ("id", id)) if v is not None}
    return {**head, "type": "function", "function": function}


def calls_of(*chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    events = [chunk(delta={"tool_calls": pieces}) for pieces in chunks]
    return read_stream([sse(*events, END)]).choices[0].message.tool_calls


def pairs(calls: list[dict[str, Any]]) -> Pairs:
    return [(call["function"]["name"], call["function"]["arguments"]) for call in calls]


@pytest.mark.parametrize(
    ("chunks", "wanted"),
    [
        pytest.param(
            [[piece(0, "a", "weather", A)], [piece(0, "b", "weather", B)]],
            [("weather", A), ("weather", B)],
            id="two calls in two chunks, both index 0 (ollama#15457)",
        ),
        pytest.param(
            [[piece(0, "a", "weather", A), piece(0, "b", "now", "{}")]],
            [("weather", A), ("now", "{}")],
            id="two calls in one chunk, both index 0 (vercel/ai#14277)",
        ),
        pytest.param(
            [[piece(0, f"i{n}", "weather", given)] for n, given in enumerate((A, B, C))],
            [("weather", A), ("weather", B), ("weather", C)],
            id="three calls of one function, index 0 each (lmdeploy#3412)",
        ),
        pytest.param(
            [[piece(0, "a", "now", "")], [piece(0, "b", "weather", A)]],
            [("now", ""), ("weather", A)],
            id="the first of them without arguments",
        ),
        pytest.param(
            [[piece(0, None, "weather", A)], [piece(0, None, "weather", B)]],
            [("weather", A), ("weather", B)],
            id="index 0 each and no ids at all",
        ),
        pytest.param(
            [
                [piece(0, "a", "weather", '{"city":')],
                [piece(0, "b", "now", "{}")],
                [piece(0, "a", None, '"A"}')],
            ],
            [("weather", A), ("now", "{}")],
            id="index 0 each, and the first goes on under its id",
        ),
        pytest.param(
            [[piece(0, "a1", "weather", '{"city":')], [piece(0, "a2", None, '"A"}')]],
            [("weather", A)],
            id="guard: one call whose id changes after its first piece (poolsideai/pool#9)",
        ),
        pytest.param(
            [[piece(0, f"a{n}", "weather", part)] for n, part in enumerate(('{"city"', ':"A"}'))],
            [("weather", A)],
            id="guard: an id that changes, and the name with every piece",
        ),
        pytest.param(
            [[piece(0, "a", "weather", part)] for part in ("", '{"city":', '"A"}', "")],
            [("weather", A)],
            id="guard: the head of a call with every piece",
        ),
        pytest.param(
            [[piece(0, "a", "weather", '{"city":')], [piece(None, "a", None, '"A"}')]],
            [("weather", A)],
            id="later pieces have the id alone, the first had an index too",
        ),
        pytest.param(
            [[piece("1", 7, "now", "{}"), piece("0", 8, "weather", A)]],
            [("weather", A), ("now", "{}")],
            id="indexes that are texts, ids that are numbers",
        ),
        pytest.param(
            [[piece(None, "weather", "weather", A)], [piece(None, "weather", "weather", B)]],
            [("weather", A), ("weather", B)],
            id="the function's name as the id of each call (eino-ext#652)",
        ),
    ],
)
def test_pieces_find_the_call_that_they_belong_to(
    chunks: list[list[dict[str, Any]]], wanted: Pairs
) -> None:
    assert pairs(calls_of(*chunks)) == wanted


@pytest.mark.parametrize(
    "calls",
    [
        pytest.param([piece(0, "a", "f", A), piece(0, "b", "f", B)], id="index 0 each"),
        pytest.param(
            [piece(None, "f", "f", A), piece(None, "f", "f", B)],
            id="one id for both (agent-framework#6788, brainlid/langchain#619)",
        ),
        pytest.param([piece(None, None, "f", A), piece(None, None, "f", B)], id="nothing"),
        pytest.param([piece(3, "a", "f", A), piece(3, "a", "f", B)], id="index and id the same"),
    ],
)
def test_each_item_of_a_whole_answer_is_a_call_of_its_own(calls: list[dict[str, Any]]) -> None:
    body = completion(None, message={"tool_calls": calls}, finish_reason="tool_calls")
    whole = read_stream([json.dumps(body).encode()])
    assert pairs(whole.choices[0].message.tool_calls) == [("f", A), ("f", B)]


@pytest.mark.parametrize(("given", "shown"), [(7, "7"), (7.5, "7.5"), (None, ""), (["a"], "")])
def test_an_id_is_a_text_whatever_was_sent(given: Any, shown: str) -> None:
    (call,) = calls_of([piece(0, given, "f", "{}")])
    assert call["id"] == shown


def test_a_name_that_is_a_number_is_a_text() -> None:
    (call,) = calls_of([piece(0, "a", 7, "{}")])
    assert call["function"]["name"] == "7"


@given(
    st.lists(st.dictionaries(st.text(max_size=3), st.integers()), min_size=1, max_size=5),
    st.randoms(use_true_random=False),
    st.booleans(),
)
def test_calls_one_after_another_come_whole_under_one_index_or_their_own(
    arguments: list[dict[str, int]], rng: Any, shares_index: bool
) -> None:
    chunks, wanted = [], []
    for number, given_ in enumerate(arguments):
        text = json.dumps(given_)
        cuts = sorted(rng.choices(range(len(text) + 1), k=3))
        parts = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        index = 0 if shares_index else number
        chunks.append([piece(index, f"id{number}", "f", parts[0])])
        chunks += [[piece(index, None, None, part)] for part in parts[1:]]
        wanted.append(("f", text))
    assert pairs(calls_of(*chunks)) == wanted
