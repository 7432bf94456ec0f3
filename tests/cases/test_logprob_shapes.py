"""Log probabilities in the shapes of other servers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nbchat.api import TokenTable
from nbchat.client import read_stream
from tests.wire import chunk, completion, sse


def table_of(logprobs: Any, *, is_whole: bool) -> TokenTable:
    if is_whole:
        data = json.dumps(completion("Hi.", logprobs=logprobs)).encode()
    else:
        data = sse(chunk("Hi.", logprobs=logprobs), chunk(finish_reason="stop"))
    found = read_stream([data]).choices[0].logprobs
    assert found is not None
    assert found.content is not None
    return found.content


@pytest.mark.parametrize("is_whole", [True, False])
@pytest.mark.parametrize(
    "top",
    [
        pytest.param({"Hi": -0.1, "Yo": -2.5}, id="{token: logprob} (together-python)"),
        pytest.param([["Hi", -0.1], ["Yo", -2.5]], id="pairs"),
        pytest.param(
            [{"token": "Hi", "logprob": -0.1}, {"token": "Yo", "logprob": -2.5}], id="the API's"
        ),
    ],
)
def test_alternatives_are_read_in_any_shape(top: Any, is_whole: bool) -> None:
    entry = {"token": "Hi", "logprob": -0.1, "top_logprobs": top}
    (position,) = table_of({"content": [entry]}, is_whole=is_whole)
    assert [(a.token, a.logprob) for a in position.top_logprobs] == [("Hi", -0.1), ("Yo", -2.5)]


@pytest.mark.parametrize("is_whole", [True, False])
@pytest.mark.parametrize(
    "tops",
    [
        pytest.param([{"17": -0.1, "9": -3.0}, {"5": -0.2}], id="{id: logprob} (mlx_lm)"),
        pytest.param([[[17, -0.1], [9, -3.0]], [[5, -0.2]]], id="pairs of both (mlx_lm)"),
    ],
)
def test_tokens_that_are_ids_are_kept_apart(tops: Any, is_whole: bool) -> None:
    older = {"tokens": [17, 5], "token_logprobs": [-0.1, -0.2], "top_logprobs": tops}
    first, second = table_of(older, is_whole=is_whole)
    assert (first.id, second.id) == (17, 5)
    assert [(a.id, a.logprob) for a in first.top_logprobs] == [(17, -0.1), (9, -3.0)]
    assert [(a.id, a.logprob) for a in second.top_logprobs] == [(5, -0.2)]


def test_texts_that_look_like_ids_are_texts_where_the_token_is_one() -> None:
    older = {"tokens": ["7"], "token_logprobs": [-0.1], "top_logprobs": [{"7": -0.1, "8": -3.0}]}
    (position,) = table_of(older, is_whole=True)
    assert (position.token, position.id) == ("7", None)
    assert [(a.token, a.id) for a in position.top_logprobs] == [("7", None), ("8", None)]


@pytest.mark.parametrize("odd", [True, 5, "x", [5], [[]], [[1, 2, 3]], {"a": None}, [None, True]])
def test_alternatives_that_are_none_cost_nothing_else(odd: Any) -> None:
    entry = {"token": "Hi", "logprob": -0.1, "top_logprobs": odd}
    (position,) = table_of({"content": [entry]}, is_whole=True)
    assert (position.token, position.logprob) == ("Hi", -0.1)
