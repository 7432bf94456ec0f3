from __future__ import annotations

from typing import Any

import pytest

import nbchat
from nbchat import session
from nbchat.errors import BadRequestError, CheckError
from tests.frames.made import choice, entry, run_of
from tests.scripted import ScriptedServer, error, speaking


def test_two_prompts_are_asked_with_the_same_fields(server: ScriptedServer) -> None:
    server.default = lambda request: speaking(
        "The sky is blue."
        if "sky" in request.body["messages"][0]["content"]
        else "The sea is blue."
    )(request)
    compared = nbchat.compare("Why the sky?", "Why the sea?", model="m", temperature=0)
    bodies = [request.body for request in server.requests]
    assert {(b["temperature"], b["logprobs"], b["top_logprobs"]) for b in bodies} == {(0, True, 20)}
    assert (compared.a.text, compared.b.text) == ("The sky is blue.", "The sea is blue.")
    assert compared.names == ("Why the sky?", "Why the sea?")
    frame = compared.frame()
    assert frame["op"].tolist() == ["same", "only_a", "only_b", "same", "same", "same"]
    assert frame["display_b"].dropna().tolist() == ["The", "␣sea", "␣is", "␣blue", "."]
    assert len(session.runs) == 2


def test_one_prompt_is_asked_with_the_fields_of_each(server: ScriptedServer) -> None:
    compared = nbchat.compare(
        {"temperature": 0}, {"temperature": 1, "top_logprobs": 3}, prompt="Hi", model="m"
    )
    bodies = sorted((request.body for request in server.requests), key=lambda b: b["temperature"])
    assert [(b["temperature"], b["top_logprobs"]) for b in bodies] == [(0, 20), (1, 3)]
    assert compared.names == (
        "top_logprobs=20, temperature=0.0",
        "top_logprobs=3, temperature=1.0",
    )
    models = nbchat.compare({"model": "small"}, {"model": "large"}, prompt="Hi")
    assert models.names == ("small", "large")


def test_runs_that_came_before_are_compared_without_asking(server: ScriptedServer) -> None:
    a = nbchat.chat("Hi", model="m", logprobs=True, top_logprobs=2)
    compared = nbchat.compare(a, "Hi", model="m", top_logprobs=2)
    assert compared.a is a
    assert len(server.requests) == 2
    assert nbchat.compare(a, compared.b).frame()["delta_bits"].tolist() == [0] * len(a.tokens())
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("a", "b", "more", "sentence"),
    [
        ({"temperature": 0}, {"temperature": 1}, {}, "needs a prompt"),
        ("Hi", "Ho", {"prompt": "Hu"}, "takes prompt where"),
        ("Hi", "Ho", {"thread": "main"}, "takes no thread"),
        ("Hi", "Ho", {"n": 2}, "takes no n"),
        ("Hi", "Ho", {"temperature": 9}, "temperature"),
        (run_of(choice(entry("a", -1.0))), run_of(choice(entry("a", -1.0))), {"seed": 1}, "seed"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_sending(
    server: ScriptedServer, a: Any, b: Any, more: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(CheckError, match=sentence):
        nbchat.compare(a, b, **({"model": "m"} if isinstance(a, str) else {}), **more)
    assert server.requests == []


def test_a_request_that_fails_is_the_error(server: ScriptedServer) -> None:
    server.reply(error(400, "no such thing"))
    with pytest.raises(BadRequestError, match="no such thing"):
        nbchat.compare("Hi", "Ho", model="m")


def test_a_server_without_logprobs_is_an_error_that_says_so(server: ScriptedServer) -> None:
    server.default = speaking("Hi.", logprobs=False)
    with pytest.raises(ValueError, match="no token probabilities in choice 0"):
        nbchat.compare("Hi", "Ho", model="m")


@pytest.mark.local
def test_the_embedded_models_change_with_the_prompt_is_bounded(local_server: Any) -> None:
    """Whole rows give the true divergence; what 20 alternatives give is below it."""
    asked = ["Name a colour.", "Name a fruit."]
    fields: dict[str, Any] = {"profile": "local", "temperature": 0, "max_tokens": 4}
    short = nbchat.compare(*asked, **fields).frame()
    size = local_server.vocab_size
    whole = nbchat.compare(*asked, **fields, extra={"top_logprobs": size}).frame()
    assert short["has_same_prefix"].iloc[0]
    for bound in ("kl_lo", "jsd_lo", "tv_lo"):
        assert 0 < short[bound].iloc[0] <= whole[bound].iloc[0] + 1e-6
    same = nbchat.compare("Name a colour.", "Name a colour.", **fields).frame()
    assert set(same["op"]) == {"same"}
    assert same["delta_bits"].abs().max() < 1e-3
    assert same["jsd_lo"].dropna().max() < 1e-6
