from __future__ import annotations

import json
import os
import shlex
import subprocess
from typing import Any

import pytest

import nbchat
from nbchat import local, session
from nbchat.client import Profile
from nbchat.code import as_call, as_curl, draft_of
from nbchat.magics.dry_run import mimebundle
from nbchat.request.arguments import draft_of_arguments
from nbchat.request.prepare import Prepared
from tests.scripted import ScriptedServer

PROMPT = 'It\'s a "test":\n```\n$HOME `x` \\n {{ y }}\n```\n' + "long " * 60 + "\n'''\"\"\""


def prepared(**fields: Any) -> Prepared:
    return session.prepare(draft_of_arguments(PROMPT, None, {**fields, "system": "Be brief."}))


def asked(**fields: Any) -> Prepared:
    return session.prepare(draft_of_arguments("Hi", None, fields))


REQUESTS: list[dict[str, Any]] = [
    {},
    {"temperature": 0.2, "stop": ["\n", "'"], "logprobs": True, "seed": None},
    {"logit_bias": {"1": -100}, "metadata": {"a": "b c"}, "extra": {"min_p": 0.1, "x": {"y": [1]}}},
    {"tools": [{"type": "function", "function": {"name": "f", "description": "d " * 99}}]},
]


@pytest.mark.parametrize("fields", REQUESTS)
def test_the_python_sends_the_same_request(server: ScriptedServer, fields: dict[str, Any]) -> None:
    request = prepared(**fields)
    exec(as_call(draft_of(request)), {"nbchat": nbchat})
    assert server.requests[0].body == request.body


@pytest.mark.parametrize("fields", REQUESTS)
def test_the_curl_sends_the_same_request(server: ScriptedServer, fields: dict[str, Any]) -> None:
    request = prepared(**fields)
    words = shlex.split(as_curl(draft_of(request), request.profile).replace("\\\n", " "))
    assert json.loads(words[words.index("-d") + 1]) == request.body
    assert request.url in words
    assert "Authorization: Bearer $OPENAI_API_KEY" in words


@pytest.mark.local
def test_the_curl_for_the_embedded_model_runs_after_the_line_that_stands_with_it(
    local_server: local.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = asked(max_completion_tokens=2, profile="local")
    plain = mimebundle(request)["text/plain"]
    line = plain.partition("(before it: ")[2].partition(")\n")[0]
    monkeypatch.setenv("NBCHAT_API_KEY", "")
    exec(line, {"os": os, "nbchat": nbchat})
    curl = as_curl(draft_of(request), request.profile)
    done = subprocess.run(["bash", "-c", curl], capture_output=True, text=True, check=True)
    assert local_server.key not in plain
    assert nbchat.client.read_stream([done.stdout.encode()]).choices[0].finish_reason == "length"


def test_the_json_is_the_body(server: ScriptedServer) -> None:
    request = prepared(temperature=0.2)
    plain = mimebundle(request)["text/plain"]
    assert json.JSONDecoder().raw_decode(plain, plain.index("{"))[0] == request.body


def test_the_prompt_cannot_leave_its_code_block(server: ScriptedServer) -> None:
    markdown = mimebundle(prepared())["text/markdown"]
    assert markdown.count("\n````") == 6


def test_no_key_is_shown(server: ScriptedServer) -> None:
    assert "a-key-of-the-environment" not in str(mimebundle(prepared()))


def test_a_server_without_a_key_gets_none_and_other_headers_are_kept() -> None:
    profile = Profile(name="vllm", base_url="http://localhost:8000/v1", headers={"x-a": "b c"})
    request = asked(model="m", profile=profile)
    curl = as_curl(draft_of(request), request.profile)
    assert "Authorization" not in curl
    assert "-H 'x-a: b c'" in curl


def test_a_header_of_the_servers_own_carries_the_key() -> None:
    profile = Profile(
        name="azure",
        base_url="https://x.example/openai/v1",
        key_header="api-key",
        key_variable="AZURE_OPENAI_API_KEY",
    )
    request = asked(model="m", profile=profile)
    assert '-H "api-key: $AZURE_OPENAI_API_KEY"' in as_curl(draft_of(request), request.profile)
