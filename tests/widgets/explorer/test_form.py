"""What the page does to the draft, and what it is told of it."""

from __future__ import annotations

from typing import Any

import pytest

from nbchat.api.check import check
from nbchat.code import Draft
from nbchat.errors import CheckError
from nbchat.widgets.explorer.form import edited, form_of, is_empty

SAID = [{"role": "user", "content": "Hi"}]


def test_setting_and_unsetting_leaves_the_other_fields_as_they_were() -> None:
    draft = Draft(messages=SAID, fields={"temperature": 0.5, "seed": 2**60}, extra={"top_k": 1})
    after, note = edited(draft, {"fields": {"top_p": 0.1}, "unset": ["temperature"]})
    assert after == Draft(messages=SAID, fields={"seed": 2**60, "top_p": 0.1}, extra={"top_k": 1})
    assert note == ""


def test_what_a_field_implies_acts_at_once_and_is_said() -> None:
    after, note = edited(Draft(), {"fields": {"top_logprobs": 5}})
    assert after.fields == {"top_logprobs": 5, "logprobs": True}
    assert note == "top_logprobs: logprobs was switched on with it"


def test_a_whole_number_that_javascript_cannot_hold_survives_the_page() -> None:
    draft = Draft(messages=SAID, fields={"seed": 2**62 + 1})
    told = form_of(draft, None)["fields"]["seed"]
    assert told == str(2**62 + 1)
    assert edited(draft, {"fields": {"seed": told}})[0] == draft


def test_a_wrong_value_is_told_in_the_words_of_check() -> None:
    fields: dict[str, Any] = {"temperature": 3, "n": "many"}
    problems = form_of(Draft(messages=SAID, fields=fields), None)["problems"]
    for name, value in fields.items():
        with pytest.raises(CheckError) as caught:
            check({name: value})
        assert problems[name] == str(caught.value)


def test_what_belongs_to_no_control_is_told_beside_the_extra_fields() -> None:
    problems = form_of(
        Draft(messages=SAID, extra={"temperature": 1}, fields={"temperature": 1}), None
    )
    assert list(problems["problems"]) == ["extra"]


def test_an_empty_draft_is_no_error_but_has_nothing_to_send() -> None:
    form = form_of(Draft(), None)
    assert form["problems"] == {}
    assert form["messages"] == [{"role": "user", "content": ""}]
    assert is_empty(Draft())
    assert is_empty(Draft(messages=[{"role": "user", "content": ""}]))
    assert not is_empty(Draft(messages=[{"role": "assistant", "content": "", "tool_calls": []}]))


def test_a_key_that_was_typed_into_the_page_is_dropped_and_refused() -> None:
    after, note = edited(Draft(), {"extra": {"api_key": "sk-secret", "top_k": 3}})
    assert after.extra == {"top_k": 3}
    assert "belongs to the profile" in note
    assert "secret" not in note


def test_known_refusals_are_told_with_their_reason() -> None:
    form = form_of(Draft(messages=SAID, fields={"model": "o3-mini"}), None)
    assert "reasoning models refuse it" in form["refusals"]["logprobs"]
