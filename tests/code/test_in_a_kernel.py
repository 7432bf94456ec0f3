"""A cell that was written by nbchat, run by a real kernel: what the server gets is the request."""

from __future__ import annotations

import pytest

from nbchat.code import Draft, as_call, as_cell
from nbchat.code.as_draft import body_of
from tests.code.drafts import HARD, is_same
from tests.kernel import Kernel
from tests.scripted import ScriptedServer

pytestmark = pytest.mark.kernel

CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": "\\n"}'}}
CONVERSATION = [
    {"role": "developer", "content": [{"type": "text", "text": "Be {{ brief }}.\r\n"}]},
    {"role": "user", "name": "Ada", "content": "\u2028".join(HARD)},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c", "content": ""},
]
ODD = "\n\n%%chat --n 2\n>>> x\n--n\n?\n\n"
DRAFTS = [
    Draft(
        messages=[
            *CONVERSATION,
            {"role": "user", "content": "\n\n%%chat --n 2\n>>> x\n--n\n?\n\n"},
        ],
        fields={
            "model": 'it\'s "a" model',
            "temperature": None,
            "seed": -(2**63),
            "stop": ["\n", "{{", ""],
            "logprobs": True,
            "top_logprobs": 5,
            "user": "".join(HARD),
            "prompt_cache_key": "null",
            "metadata": {"a b": "'", "": "--n"},
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "x", "schema": {"b": [1, {"a": None}], "a": 2**70}},
            },
        },
        extra={"min_p": 0.05, "a b=": {"c": [2**70, None, "\x00"]}},
    ),
    Draft(
        messages=[
            {"role": "system", "content": "Be brief, d'oh."},
            {"role": "user", "content": "?"},
        ],
        fields={"temperature": 0.2, "stop": "null", "logprobs": False},
    ),
    Draft(messages=CONVERSATION),
]


def test_the_server_gets_the_request_of_the_draft() -> None:
    with ScriptedServer() as server, Kernel() as kernel:
        kernel.run("%load_ext nbchat")
        for draft in DRAFTS:
            here = Draft(
                messages=draft.messages, fields=draft.fields, extra=draft.extra, profile=server.url
            )
            kernel.run(as_cell(here))
            kernel.run(as_call(here))
            for request in (server.requests.pop(), server.requests.pop()):
                assert is_same(request.body, body_of(here))
        assert server.requests == []
