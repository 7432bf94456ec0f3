from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat.api.check import all_offences, check
from nbchat.api.fields import FIELDS
from nbchat.api.messages import check_messages
from nbchat.code import Draft, problems, refusals
from nbchat.errors import CheckError
from tests.api.valid import VALID

if TYPE_CHECKING:
    from collections.abc import Callable

USER = {"role": "user", "content": "Hi"}
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)
fields = st.dictionaries(
    st.sampled_from([*FIELDS(), "temprature", "api_key", "messages"]),
    anything | st.sampled_from([*VALID]).flatmap(lambda name: VALID[name]),
    max_size=5,
)
message = st.dictionaries(
    st.sampled_from(["role", "content", "name", "tool_calls", "tool_call_id", "roel"]),
    anything | st.sampled_from(["system", "user", "assistant", "tool"]),
    max_size=4,
)


def refusal(call: Callable[[], object]) -> CheckError | None:
    try:
        call()
    except CheckError as error:
        return error
    return None


def said(**parts: Any) -> list[tuple[str, str]]:
    return [(p.field, p.sentence) for p in problems(Draft(**{"messages": [USER], **parts}))]


def test_every_broken_rule_is_said_in_the_words_of_check() -> None:
    wrong = {"temperature": 3, "n": "two", "top_logprobs": 5, "tools": []}
    found = dict(said(fields=wrong))
    assert list(found) == ["temperature", "n", "tools", "top_logprobs"]
    for name, value in wrong.items():
        with pytest.raises(CheckError) as caught:
            check({name: value})
        assert found[name] == str(caught.value)


def test_every_broken_rule_of_every_message_is_said() -> None:
    messages = [{"role": "user"}, {"role": "nobody", "content": ""}, {"role": "user", "content": 5}]
    found = problems(Draft(messages=messages))
    assert {problem.field for problem in found} == {"messages"}
    paths = ["messages[0].content", "messages[1].role", "messages[2].content"]
    assert [problem.path for problem in found] == paths
    for place, problem in enumerate(found):
        with pytest.raises(CheckError) as caught:
            check_messages([messages[place]])
        assert problem.sentence.replace(f"[{place}]", "[0]") == str(caught.value)


def test_a_wrong_field_is_not_said_to_be_missing_too() -> None:
    assert [field for field, _ in said(fields={"logprobs": "yes", "top_logprobs": 5})] == [
        "logprobs"
    ]
    assert [field for field, _ in said(fields={"tools": 5, "tool_choice": "auto"})] == ["tools"]


@given(fields, st.dictionaries(st.text(max_size=3), anything, max_size=2))
def test_there_are_problems_exactly_where_check_refuses(
    fields: dict[str, Any], extra: dict[str, Any]
) -> None:
    found = all_offences(fields, extra=extra)
    error = refusal(lambda: check(fields, extra=extra))
    assert (error is None) == (found == [])
    if error is not None:
        assert str(error).startswith(found[0].sentence)
        assert error.field == found[0].path


@given(st.lists(message, max_size=3))
def test_messages_have_problems_exactly_where_they_are_refused(
    messages: list[dict[str, Any]],
) -> None:
    found = [p for p in problems(Draft(messages=messages), "m") if p.field == "messages"]
    error = refusal(lambda: check_messages(messages))
    assert (error is None) == (found == [])
    if error is not None:
        assert (found[0].sentence, found[0].path) == (str(error), error.field)


def test_a_key_is_a_problem_that_does_not_repeat_it() -> None:
    for draft in (
        Draft(fields={"api_key": "sk-whatever"}),
        Draft(extra={"api_key": "sk-whatever"}),
    ):
        assert "belongs to the profile" in problems(draft)[0].sentence
        assert "whatever" not in repr(problems(draft))


def test_an_empty_draft_lacks_messages() -> None:
    assert [problem.field for problem in problems(Draft())] == ["messages"]


def test_a_provider_without_a_default_model_needs_one() -> None:
    draft = Draft(messages=[USER], profile="groq")
    assert [problem.field for problem in problems(draft)] == ["model"]
    assert problems(draft, "m") == []
    named = Draft(messages=[USER], profile="groq", fields={"model": "m"})
    assert problems(named) == []


def test_a_profile_that_nobody_knows_is_a_problem() -> None:
    (problem,) = problems(Draft(messages=[USER], profile="nowhere"))
    assert problem.field == "profile"
    assert "no profile 'nowhere'" in problem.sentence


def test_what_a_family_refuses_is_named_set_or_not() -> None:
    found = refusals(Draft(), "o3-mini")
    assert found["temperature"] == "reasoning models take only 1"
    assert found["stop"] == "reasoning models refuse it"
    assert "max_completion_tokens" not in found
    fields = {"model": "o3", "stop": "a"}
    assert problems(Draft(messages=[USER], fields=fields, profile="http://host/v1")) == []
    (problem,) = problems(Draft(messages=[USER], fields=fields))
    assert (problem.field, "has no model 'o3'" in problem.sentence) == ("model", True)


def test_what_is_refused_depends_on_the_other_fields() -> None:
    assert "temperature" in refusals(Draft(), "gpt-5.1")
    assert "temperature" not in refusals(Draft(fields={"temperature": 1}), "gpt-5.1")
    assert "logprobs" in refusals(Draft(), "gpt-5.1")
    assert "logprobs" not in refusals(Draft(fields={"reasoning_effort": "none"}), "gpt-5.1")


def test_the_model_of_the_draft_goes_before_the_default_one() -> None:
    assert refusals(Draft(fields={"model": "o3"}), "gpt-4o") == refusals(Draft(), "o3")
    for model in (None, "", "nobody-has-heard-of-it"):
        assert refusals(Draft(), model) == {}
    assert refusals(Draft(fields={"model": 5})) == {}
