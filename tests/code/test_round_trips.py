"""State to code to request to state is the identity, for each way to write a request down."""

from __future__ import annotations

import json
import shlex
import warnings
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

import nbchat
from nbchat import session
from nbchat.client import Profile
from nbchat.code import Draft, as_call, as_cell, as_curl, as_json, draft_of, problems, read_cell
from nbchat.code.as_draft import body_of
from tests.code.drafts import HARD, drafts, is_same
from tests.fuzzing import examples

if TYPE_CHECKING:
    from tests.magics.conftest import Shell
    from tests.scripted import ScriptedServer

# a fixture is as good for the next example: each one looks at the last request alone
with_fixtures = examples(
    60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
profiles = st.sampled_from([None, "local", "openai", "http://localhost:1/v1", 'it\'s "x"'])
NOWHERE = Profile(name="nowhere", base_url="http://localhost:1/v1")


def assert_same(one: Draft, other: Draft) -> None:
    assert is_same(*map(msgspec.to_builtins, (one, other))), (one, other)


def as_asked(draft: Draft) -> Draft:
    """The state without what a body does not show: whether it was said or is the default."""
    fields = draft_of({**draft.fields, "messages": draft.messages}).fields
    hidden = ("stream_options",) if fields.get("stream") is False else ()
    fields = {n: v for n, v in fields.items() if n != "stream" and n not in hidden}
    return Draft(messages=draft.messages, fields=fields, extra=draft.extra)


@given(drafts())
def test_the_drafts_of_these_tests_break_no_rule(draft: Draft) -> None:
    elsewhere = msgspec.structs.replace(draft, profile="http://host/v1")  # with any model
    assert problems(elsewhere, "some-model") == []


@pytest.mark.long
@given(drafts(profile=profiles))
@examples(300)
def test_a_cell_is_read_as_what_it_was_made_of(draft: Draft) -> None:
    assert_same(read_cell(as_cell(draft)), draft)


@pytest.mark.parametrize("text", HARD)
@pytest.mark.parametrize("around", ["{}", "a{}", "{}a", "a{}b", " {} ", "{}\n", "\n{}"])
def test_any_text_survives_in_any_place_of_a_cell(text: str, around: str) -> None:
    hard = around.format(text) if text not in "{}" else around.replace("{}", text)
    for role in ("system", "user", "assistant"):
        messages = [{"role": role, "content": hard}, {"role": "user", "content": "Hi"}]
        for said in (messages, messages[:1], messages[::-1]):
            draft = Draft(messages=said, fields={"user": hard, "stop": hard}, extra={hard: hard})
            assert_same(read_cell(as_cell(draft)), draft)


@pytest.mark.usefixtures("no_pace")
@given(draft=drafts())
@with_fixtures
def test_a_cell_that_is_run_sends_the_body_of_its_draft(
    shell: Shell,
    server: ScriptedServer,
    draft: Draft,
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        shell.ask(as_cell(draft))
    assert_sent(server, draft)


@given(draft=drafts())
@with_fixtures
def test_a_call_that_is_run_sends_the_body_of_its_draft(
    server: ScriptedServer,
    draft: Draft,
) -> None:
    variables: dict[str, Any] = {"nbchat": nbchat}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        exec(as_call(draft), variables)
    assert_sent(server, draft)
    assert_same(
        draft_of(variables["run"]),
        Draft(messages=draft.messages, fields=draft.fields, extra=draft.extra, profile="openai"),
    )


def assert_sent(server: ScriptedServer, draft: Draft) -> None:
    """The server got what the draft says, and from what it got the draft can be made again."""
    body = server.requests.pop().body
    assert server.requests == []
    assert is_same(body, body_of(draft))
    back = draft_of(body)
    assert_same(as_asked(back), as_asked(draft))


@given(drafts())
def test_json_is_read_as_what_it_was_made_of(draft: Draft) -> None:
    text = as_json(draft, NOWHERE)
    back = draft_of(json.loads(text))
    assert_same(as_asked(back), as_asked(draft))
    if draft.fields.get("stream") is not False:
        assert json.loads(as_json(back, NOWHERE)) == json.loads(text)


@given(drafts())
def test_curl_sends_the_json(draft: Draft) -> None:
    words = shlex.split(as_curl(draft, NOWHERE).replace(" \\\n  ", " ", 2))
    assert json.loads(words[words.index("-d") + 1]) == json.loads(as_json(draft, NOWHERE))


@given(drafts())
def test_the_body_is_that_of_the_session(draft: Draft) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        prepared = session.prepare(msgspec.structs.replace(draft, profile=NOWHERE))
    assert body_of(draft, NOWHERE) == prepared.body
