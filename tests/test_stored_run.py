"""Runs to plain data and back: nothing that a frame or a view reads is lost."""

from __future__ import annotations

import json
import pickle
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nbchat.api.params import ChatParams
from nbchat.api.response import Completion
from nbchat.errors import RateLimitError, RecordedError, UnreadableRunError
from nbchat.run import Run
from nbchat.stored_error import error_as_dict, error_of
from nbchat.structured import response_format
from tests.fuzzing import examples
from tests.random_runs import ERRORS, FACTS, assert_says_the_same, completions, runs

#: attributes that belong to this process, and are no part of what a run is
OF_THE_PROCESS = {"is_shown", "_parses", "_so_far", "_background"}


def through_json(run: Run) -> Run:
    return Run.from_dict(json.loads(json.dumps(run.to_dict(), allow_nan=False)))


@pytest.mark.fuzz
@examples(15)
@given(runs())
def test_a_run_that_went_through_json_says_the_same(run: Run) -> None:
    assert_says_the_same(through_json(run), run)


@pytest.mark.fuzz
@examples(8)
@given(runs())
def test_a_run_that_was_pickled_says_the_same(run: Run) -> None:
    if not isinstance(run.error, UnicodeDecodeError):
        assert_says_the_same(pickle.loads(pickle.dumps(run)), run)


@pytest.mark.fuzz
@examples(15)
@given(runs())
def test_what_is_written_twice_is_written_the_same(run: Run) -> None:
    once = run.to_dict()
    assert Run.from_dict(once).to_dict() == once
    assert msgspec.json.decode(msgspec.json.encode(once)) == once


@pytest.mark.fuzz
@examples(30)
@given(completions())
def test_a_completion_has_a_way_back(completion: Completion) -> None:
    found = Completion.from_dict(json.loads(json.dumps(completion.to_dict())))
    assert repr(found.to_dict()) == repr(completion.to_dict())


@pytest.mark.fuzz
@examples(20)
@given(runs())
def test_every_attribute_of_a_run_is_kept(run: Run) -> None:
    found = through_json(run)
    names = vars(run).keys() - OF_THE_PROCESS
    plain = names - {"error", "structure", "_completion", "rounds"}
    assert {name: getattr(found, name) for name in plain} == {
        name: getattr(run, name) for name in plain
    }
    assert names - plain == {"error", "structure", "_completion", "rounds"}
    assert plain - set(FACTS) == {"id", "created_at", "messages", "params", "status"}


@pytest.mark.fuzz
@examples(40)
@given(ERRORS)
@example(RateLimitError("slow down", status=429, code="rate_limit_exceeded"))
def test_an_error_keeps_its_name_and_sentence(error: BaseException) -> None:
    found = error_of(json.loads(json.dumps(error_as_dict(error))))
    assert type(found).__name__ == type(error).__name__
    assert str(found) == str(error)
    assert str(pickle.loads(pickle.dumps(found))) == str(error)


def test_an_error_of_the_api_keeps_its_facts() -> None:
    error = RateLimitError("slow down", status=429, code="full", request_id="req_1", body={"a": 1})
    found = error_of(error_as_dict(error))
    assert isinstance(found, RateLimitError)
    assert (found.status, found.code, found.request_id) == (429, "full", "req_1")
    assert (found.message, found.body) == ("slow down", {"a": 1})


@pytest.mark.parametrize("name", ["os.system", "api_error_class", "Path", "print", "", "a" * 500])
def test_an_error_of_a_name_that_is_no_error_class_is_one_of_ours(name: str) -> None:
    found = error_of({"type": name, "sentence": "hm", "args": ["echo"], "facts": {"run": 1}})
    assert isinstance(found, RecordedError)
    assert str(found) == "hm"


def test_a_class_of_a_functions_own_does_not_keep_a_run_from_being_pickled() -> None:
    class Answer(msgspec.Struct):
        n: int

    run = Run.from_completion(
        {"choices": [{"index": 0, "message": {"content": '{"n": 1}'}, "finish_reason": "stop"}]},
        structure=response_format(Answer),
    )
    assert run.parsed == Answer(1)
    assert pickle.loads(pickle.dumps(run)).parsed == {"n": 1}
    assert through_json(run).parsed == {"n": 1}


def test_params_that_break_todays_rules_are_read_as_they_were_sent() -> None:
    run = Run(messages=[], params=ChatParams(temperature=9, n=2, extra={"x": 1}))
    found = through_json(run)
    assert found.params.given() == {"n": 2, "temperature": 9}
    assert found.params.extra == {"x": 1}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"status": "done"}, "status"),
        ({"created_at": "yesterday"}, "created_at"),
        ({"messages": [1]}, "messages"),
        ({"object": "chat.completion"}, "object"),
        ({"completion": {"choices": [{"index": 0, "message": {}, "logprobs": [1]}]}}, "logprobs"),
        ({"completion": {"choices": [{"message": {}}]}}, "index"),
    ],
)
def test_data_that_is_no_run_is_refused_with_its_place(change: dict[str, Any], words: str) -> None:
    stored = Run(messages=[], params=ChatParams()).to_dict()
    with pytest.raises(UnreadableRunError, match=words):
        Run.from_dict({**stored, **change})


@pytest.mark.fuzz
@examples(20)
@given(st.dictionaries(st.text(max_size=5), st.integers(), max_size=3))
def test_keys_that_a_later_nbchat_writes_are_left_out(more: dict[str, int]) -> None:
    stored = Run(messages=[], params=ChatParams()).to_dict()
    assert Run.from_dict({**more, **stored}).to_dict() == stored
