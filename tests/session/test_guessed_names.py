"""What is typed by guess: the name that was meant, or a sentence that has it."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pandas as pd
import pytest

import nbchat
from nbchat.errors import CheckError, ProfileError, RunNotFoundError
from nbchat.run import Run
from tests.scripted import ScriptedServer


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Chat", "nbchat.chat"),
        ("histroy", "nbchat.history"),
        ("thread", "nbchat.Thread"),
        ("ask", "nbchat.chat"),
        ("useage", "nbchat.usage"),
        ("threads", "nbchat.Thread"),
    ],
)
def test_a_wrong_name_of_the_module_names_the_nearest(name: str, meant: str) -> None:
    with pytest.raises(AttributeError) as raised:
        getattr(nbchat, name)
    assert str(raised.value) == f"module 'nbchat' has no attribute {name!r}. Did you mean {meant}?"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("cost", "cost_usd"),
        ("duration", "elapsed_s"),
        ("todict", "to_dict"),
        ("content", "text"),
        ("temperature", "params.temperature"),
        ("reasoning", "message.reasoning"),
        ("tokens_per_sec", "tokens_per_s"),
        ("elapsed", "elapsed_s"),
    ],
)
def test_a_wrong_name_of_a_run_names_what_it_has(name: str, meant: str) -> None:
    run = Run(messages=[], params=nbchat.ChatParams())
    with pytest.raises(AttributeError) as raised:
        getattr(run, name)
    assert str(raised.value) == f"a run has no attribute {name!r}. Did you mean run.{meant}?"
    first = meant.split(".", maxsplit=1)[0]
    assert hasattr(run, first)


def test_a_name_like_no_other_suggests_nothing() -> None:
    run = Run(messages=[], params=nbchat.ChatParams())
    for owner in (nbchat, run, run.usage):
        with pytest.raises(AttributeError) as raised:
            owner.qqqq  # noqa: B018
        assert "Did you mean" not in str(raised.value)


def test_token_counts_by_other_names_are_found() -> None:
    run = Run(messages=[], params=nbchat.ChatParams())
    with pytest.raises(AttributeError, match=r"run\.usage\.prompt_tokens\?"):
        run.usage.input_tokens  # noqa: B018


def test_a_run_can_be_copied_and_pickled_all_the_same() -> None:
    run = Run(messages=[], params=nbchat.ChatParams())
    assert copy.copy(run).id == run.id
    assert pickle.loads(pickle.dumps(run)).id == run.id
    with pytest.raises(AttributeError) as raised:
        run.cost  # noqa: B018
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)


def test_models_are_those_of_the_server_in_force(server: ScriptedServer) -> None:
    server.models_reply = {"data": [{"id": "large"}, {"id": "small"}]}
    assert nbchat.models() == ["large", "small"]
    assert nbchat.models("local") == [nbchat.local.MODEL]
    with pytest.raises(ProfileError):
        nbchat.models("nowhere")


def test_usage_without_a_run_is_that_of_all_runs(server: ScriptedServer) -> None:
    runs = [nbchat.chat("Hi", model="m") for _ in range(2)]
    assert nbchat.usage()["run_id"].tolist() == [run.id for run in runs]
    assert nbchat.usage(runs[0])["run_id"].tolist() == [runs[0].id]


def test_an_id_or_its_beginning_stands_for_its_run(server: ScriptedServer) -> None:
    first, second = (nbchat.chat("Hi", model="m") for _ in range(2))
    assert nbchat.runs(first.id)["run_id"].tolist() == [first.id]
    assert nbchat.usage(second.id[:16])["run_id"].tolist() == [second.id]
    assert nbchat.choices(first.id)["run_id"].tolist() == [first.id]
    with pytest.raises(RunNotFoundError, match="2 runs of this kernel"):
        nbchat.runs(first.id[:4])
    with pytest.raises(RunNotFoundError, match=r"nbchat\.runs\(\)"):
        nbchat.runs("the first one")


def test_an_id_of_an_earlier_kernel_is_looked_for_in_the_history(
    server: ScriptedServer, history: object
) -> None:
    run = nbchat.chat("Hi", model="m")
    nbchat.history.search()
    nbchat.session.STATE.runs.clear()
    assert nbchat.runs(run.id[:14])["run_id"].tolist() == [run.id]


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        (pd.DataFrame({"a": [1]}), ["DataFrame", "{{ name }}", "messages="]),
        (pd.Series([1, 2]), ["Series", "{{ name }}", "messages="]),
        (next(pd.DataFrame({"a": [1]}).itertuples()), ["{{ name }}", "messages="]),
        (Run(messages=[], params=nbchat.ChatParams()), ["Run", "run.text", "messages=[*run"]),
    ],
)
@pytest.mark.parametrize("function", [nbchat.chat, nbchat.stream, nbchat.repeat])
def test_what_is_no_prompt_is_refused_with_what_to_do(
    server: ScriptedServer, function: Any, prompt: Any, words: list[str]
) -> None:
    with pytest.raises(CheckError) as raised:
        function(prompt)
    assert all(word in str(raised.value) for word in words), str(raised.value)
    assert server.requests == []


@pytest.mark.parametrize("name", ["base_url", "client", "api_key"])
def test_arguments_of_other_packages_name_the_profile(server: ScriptedServer, name: str) -> None:
    with pytest.raises(CheckError) as raised:
        nbchat.chat("Hi", **{name: "sk-secret-secret-secret"})
    assert f"chat() has no argument {name}" in str(raised.value)
    assert "profile" in str(raised.value).lower()
    assert "sk-secret" not in str(raised.value)
    assert server.requests == []


def test_a_model_can_be_set_for_all_requests(server: ScriptedServer) -> None:
    nbchat.configure(model="small")
    assert nbchat.chat("Hi").model_asked == "small"
    assert nbchat.chat("Hi", model="large").model_asked == "large"
    assert [request.body["model"] for request in server.requests] == ["small", "large"]


def test_a_model_is_that_of_its_profile_alone(server: ScriptedServer) -> None:
    with ScriptedServer() as other:
        nbchat.configure(model="small")
        nbchat.chat("Hi", profile=other.url)
        assert "model" not in other.requests[0].body
        nbchat.configure(profile=other.url)
        nbchat.chat("Hi")
        assert "model" not in other.requests[1].body
        nbchat.configure(profile=server.url, model="tiny")
        nbchat.chat("Hi", profile=server.url)
    assert server.requests[-1].body["model"] == "tiny"


def test_a_model_that_the_embedded_server_has_not_is_refused_at_once() -> None:
    with pytest.raises(CheckError, match="gpt-4o"):
        nbchat.configure(model="gpt-4o")
    with pytest.raises(CheckError, match="model's name"):
        nbchat.configure(model=3)  # type: ignore[arg-type]
    assert nbchat.session.settings.model is None


def test_a_stream_can_be_left_like_a_file(server: ScriptedServer) -> None:
    with nbchat.stream("Hi", model="m") as reply:
        first = next(reply)
        assert reply.run.status == "running"
        assert reply.text.startswith(first)
    assert reply.run.status == "interrupted"
    with nbchat.stream("Hi", model="m") as reply:
        said = "".join(reply)
    assert reply.text == said == reply.run.text
    assert reply.run.status == "complete"
    assert reply.run is nbchat.session.runs[-1]


def test_a_stream_that_is_left_unread_asks_nothing(server: ScriptedServer) -> None:
    with nbchat.stream("Hi", model="m"):
        pass
    assert server.requests == []


def test_a_wrong_attribute_is_shown_in_a_few_lines() -> None:
    run = Run(messages=[], params=nbchat.ChatParams())
    with pytest.raises(AttributeError) as raised:
        run.cost  # noqa: B018
    lines = raised.value._render_traceback_()  # type: ignore[attr-defined]
    assert len(lines) < 4
    assert "Did you mean run.cost_usd?" in lines[-1]
