"""Requests that were copied from elsewhere, read as requests."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat.code import as_call, as_curl, as_json, as_openai, draft_of
from nbchat.errors import CheckError
from nbchat.request.draft import Draft
from tests.fuzzing import examples
from tests.scripted import ScriptedServer, chunk, completion, sse

BODY: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "system", "content": "It's terse."}, {"role": "user", "content": "Hi"}],
    "temperature": 0.5,
    "top_k": 40,
}
WANTED = Draft(
    messages=BODY["messages"],
    fields={"model": "m", "temperature": 0.5},
    extra={"top_k": 40},
)


def parts(draft: Draft) -> tuple[Any, ...]:
    return draft.messages, draft.fields, draft.extra


CURL = f"""$ curl -sS https://api.openai.com/v1/chat/completions \\
  -H "Authorization: Bearer $OPENAI_API_KEY" -H 'Content-Type: application/json' \\
  --data-raw {json.dumps(json.dumps(BODY))}
"""
HERE = f"""curl http://localhost:8080/v1/chat/completions --json @- <<'EOF'
{json.dumps(BODY, indent=2)}
EOF
"""
OPENAI = """
import os
from openai import OpenAI

client = OpenAI(base_url="http://localhost:8080/v1", api_key=os.environ["KEY"])
terse = "It's " + "terse."
messages = [{"role": "system", "content": terse}, {"role": "user", "content": greeting}]
more = {"temperature": 0.5}
completion = client.chat.completions.create(
    model="m", messages=messages, stream=True, extra_body={"top_k": 40}, **more
)
print(completion.choices[0].message.content)
"""
NBCHAT = (
    'run = nbchat.chat("Hi", system="It\'s terse.", model="m", temperature=0.5, '
    'extra={"top_k": 40})'
)


@pytest.mark.parametrize(
    "text",
    [CURL, HERE, json.dumps(BODY, indent=1), OPENAI, json.dumps({"url": "/v1", "body": BODY})],
    ids=["curl", "here-document", "json", "openai", "batch"],
)
def test_what_was_copied_from_elsewhere_is_a_request(text: str) -> None:
    assert parts(draft_of(text, {"greeting": "Hi"})) == parts(WANTED)


def test_a_call_of_nbchat_is_a_request_too() -> None:
    draft = draft_of(NBCHAT)
    assert draft.system == "It's terse."
    assert draft.messages == [{"role": "user", "content": "Hi"}]
    assert (draft.fields, draft.extra) == (WANTED.fields, WANTED.extra)


def test_the_address_is_the_profile_and_the_key_stays_out() -> None:
    assert draft_of(CURL).profile == "openai"
    assert draft_of(HERE).profile == "llamacpp"
    assert draft_of(OPENAI, {"greeting": "Hi"}).profile == "llamacpp"
    key = "sk-proj-0123456789abcdefghij"
    assert key not in repr(draft_of(CURL.replace("$OPENAI_API_KEY", key)))


TO = "curl https://x.test/v1/chat/completions"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (TO, "it sends no data"),
        (f"{TO} -d @body.json", "its data is in a file"),
        (f"{TO} -d '{{\"messages\": '", "its data is no JSON"),
        (f"{TO} -d '{{}}'", "its data has no list of messages"),
        ("curl https://x.test/v1/models -d '{\"messages\": []}'", "does not end in"),
        (f"{TO} -d '{{\"a", "no closing quotation"),
        ('{"messages": [{"role": "user", "content": "Hi"', "no whole JSON"),
        ("r = client.chat.completions.create(model='m', messages=what)", "what is no value"),
        ("r = client.chat.completions.create(model='m', messages=[", "line 1"),
        ("r = client.chat.completions.create(messages=load(1))", "load(1) would have to be run"),
        ("r = client.chat.completions.create(model='m')", "has no messages"),
    ],
)
def test_what_cannot_be_read_says_why(text: str, reason: str) -> None:
    with pytest.raises(CheckError, match=r"cannot be read|no whole JSON") as error:
        draft_of(text)
    assert reason in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "curl is a tool: what does it do?",
        "What does client.chat.completions.create(model='m') do?",
        '{"city": "Ulm"} is an object. Which?',
        '{"city": "Ulm"}',
        "[1, 2, 3]",
        "import this",
        "{{ name }}",
    ],
)
def test_what_a_user_says_stays_what_a_user_says(text: str) -> None:
    assert draft_of(text) == Draft(messages=[{"role": "user", "content": text}])


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=30)


@examples(30)
@given(TEXTS, st.floats(0, 2), st.dictionaries(st.sampled_from(["top_k", "a b"]), TEXTS))
def test_what_is_written_down_is_read_again(text: str, number: float, extra: Any) -> None:
    draft = Draft(
        messages=[{"role": "system", "content": "x"}, {"role": "user", "content": text}],
        fields={"model": "m", "temperature": number},
        extra=extra,
        profile="http://localhost:8080/v1",
    )
    for written in (as_curl(draft), as_json(draft), as_openai(draft)):
        assert parts(draft_of(written)) == parts(draft)
    assert draft_of(as_call(draft)).fields == draft.fields


def test_the_code_for_openai_sends_the_very_request(server: ScriptedServer) -> None:
    server.reply(completion("Hello"))
    fields = {"response_format": {"type": "json_object"}, "logprobs": None, "seed": 2**53 + 1}
    draft = draft_of({**BODY, **fields, "profile": server.url})
    exec(as_openai(draft), {})
    wanted = json.loads(as_json(draft))
    assert server.requests[0].body == {n: v for n, v in wanted.items() if "stream" not in n}


def test_a_stream_that_was_asked_for_is_read_piece_by_piece(server: ScriptedServer) -> None:
    server.default = sse(chunk("Hello"), chunk(finish_reason="stop"))
    code = as_openai(Draft(messages=BODY["messages"], fields={"stream": True}, profile=server.url))
    exec(code, {})
    assert server.requests[0].body["stream"] is True
