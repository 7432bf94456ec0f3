from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from nbchat.client import Client, native
from nbchat.client.profiles import Profile
from nbchat.client.secret import Secret
from nbchat.errors import ApiError, FirstByteTimeout, ServerError
from tests.scripted import HANG, Reply, ScriptedServer

KEY = "sk-native-0123456789abcdef"


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[Client]:
    with Client(Profile(name="here", base_url=server.url, key=Secret(KEY))) as made:
        yield made


@pytest.mark.parametrize(
    ("models", "kind"),
    [
        ({"data": [{"owned_by": "llamacpp"}]}, "llama.cpp"),
        ({"data": [{"owned_by": "vllm"}]}, "vllm"),
        ({"data": [{"owned_by": "library"}]}, "other"),
        ({"data": [{"id": "m"}]}, "other"),
        ({"data": []}, "other"),
        ({"nothing": 1}, "other"),
        (Reply(b"<html>"), "other"),
        (Reply.json({"error": "no"}, 500), "other"),
    ],
)
def test_a_server_is_known_by_the_owner_of_its_models(
    server: ScriptedServer, client: Client, models: Any, kind: str
) -> None:
    server.models_reply = models
    assert native.kind(client) == kind
    assert server.requests == []


@pytest.mark.parametrize(
    ("name", "url", "kind"),
    [
        ("local", "http://127.0.0.1:1/v1", "llama.cpp"),
        ("llamacpp", "http://host:8080/v1", "llama.cpp"),
        ("vllm", "http://host:8000/v1", "vllm"),
        ("openai", "https://api.openai.com/v1", "other"),
        ("groq", "https://api.groq.com/openai/v1", "other"),
        ("openai", "http://127.0.0.1:8000/v1", None),
        ("127.0.0.1:8000", "http://127.0.0.1:8000/v1", None),
    ],
)
def test_a_provider_is_known_by_its_name_and_never_asked(
    name: str, url: str, kind: str | None
) -> None:
    assert native.kind_of_profile(Profile(name=name, base_url=url)) == kind


def test_its_own_addresses_stand_beside_the_api_and_get_the_key(
    server: ScriptedServer, client: Client
) -> None:
    server.reply({"prompt": "<user>Hi"}, {"tokens": [{"id": 3, "piece": [240, 159]}]})
    fields = {"temperature": 0, "stream": True, "logprobs": True, "tools": [1], "grammar": "x"}
    assert native.templated(client, [{"role": "user", "content": "Hi"}], fields) == "<user>Hi"
    assert native.tokenized(client, "🎉") == [native.Token(3, b"\xf0\x9f")]
    asked, told = server.requests
    assert (asked.path, told.path) == ("/apply-template", "/tokenize")
    assert set(asked.body) == {"temperature", "tools", "messages"}
    assert asked.headers["authorization"] == f"Bearer {KEY}"


def test_an_error_is_the_servers_and_hides_the_key(server: ScriptedServer, client: Client) -> None:
    server.reply(Reply.json({"error": {"message": f"bad key {KEY}"}}, 500))
    with pytest.raises(ServerError, match="bad key") as caught:
        native.tokenized(client, "a")
    assert KEY not in str(caught.value)
    assert KEY not in str(vars(caught.value))


@pytest.mark.parametrize("answer", [{"x": 1}, [], Reply(b"<html>")])
def test_another_answer_is_an_error(server: ScriptedServer, client: Client, answer: Any) -> None:
    server.default = answer if not isinstance(answer, list) else Reply.json(answer)
    with pytest.raises(ApiError, match="did not answer with tokens"):
        native.tokenized(client, "a")
    with pytest.raises(ApiError, match="did not answer with"):
        native.templated(client, [], {})
    with pytest.raises(ApiError, match="did not answer with"):
        native.vllm_tokens(client, "m", prompt="a")
    with pytest.raises(ApiError, match="did not answer with a completion"):
        native.written(client, [1], n_tokens=1, top=1)


def test_a_silent_server_is_given_up(server: ScriptedServer, client: Client) -> None:
    server.default = Reply([HANG])
    with pytest.raises(FirstByteTimeout):
        client.ask(f"{server.url}/x", timeout_s=0.2)


def test_a_step_forces_one_token(server: ScriptedServer, client: Client) -> None:
    entry = {"id": 7, "token": "a", "bytes": [97], "logprob": -1.5, "top_logprobs": []}
    choice = {"index": 0, "text": "a", "logprobs": {"content": [entry]}, "finish_reason": "stop"}
    server.reply({"object": "text_completion", "choices": [choice]})
    found = native.step(client, [1, 2], forced=7, top=3, model="m")
    assert found.ends
    assert found.table[0].logprob == -1.5
    body = server.requests[0].body
    assert server.requests[0].path == "/v1/completions"
    assert body == {
        "prompt": [1, 2], "max_tokens": 1, "temperature": 0, "logprobs": 3, "model": "m",
        "logit_bias": {"7": 1e6},
    }  # fmt: skip
