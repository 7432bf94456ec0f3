"""Analyses in a replay that asks nobody: recorded answers come back, nothing else is sent."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nbchat
from nbchat import local
from nbchat.errors import NotRecordedError
from nbchat.history import store
from nbchat.run import Run
from nbchat.session.state import STATE
from tests.history.made import run_of
from tests.random_runs import assert_says_the_same
from tests.scripted import ScriptedServer

Ask = Callable[[], Any]
PROFILES = ["local", "http://127.0.0.1:9/v1"]
#: what asks a server for more than answers, and what is recorded of it are the answers alone
IN_STEPS: dict[str, Callable[[str], Any]] = {
    "branch": lambda where: nbchat.branch(a_run(), 0, 1, profile=where),
    "branch, exact": lambda where: nbchat.branch(a_run(), 0, 1, profile=where, method="exact"),
    "branch, by text": lambda where: nbchat.branch(a_run(), 0, 1, profile=where, method="text"),
    "score": lambda where: nbchat.score("Name a colour.", ["Red"], profile=where),
    "score, a text alone": lambda where: nbchat.score(None, ["Red is one."], profile=where),
    "minimal pairs": lambda where: nbchat.minimal_pairs([("It is.", "It are.")], profile=where),
    "classify": lambda where: nbchat.classify("A fruit?", ["Yes", "No"], profile=where),
    "classify, pmi": lambda where: nbchat.classify("?", ["Yes", "No"], method="pmi", profile=where),
    "classify, first token": lambda where: nbchat.classify(
        "?", ["Yes", "No"], method="first_token", profile=where
    ),
    "rescore": lambda where: nbchat.rescore(a_run(), profile=where),
    "probe": lambda where: nbchat.probe(where),
    "texts in logit_bias": lambda where: nbchat.chat("?", logit_bias={" Paris": 1}, profile=where),
    "whole rows": lambda where: nbchat.chat(
        "?", logprobs=True, top_logprobs="all", max_completion_tokens=2, profile=where
    ),
    "repeat": lambda where: nbchat.repeat("Name a colour.", times=2, profile=where),
    "uncertainty": lambda where: nbchat.uncertainty("?", samples=2, profile=where),
    "compare": lambda where: nbchat.compare("A?", "B?", profile=where),
    "resampling": lambda where: nbchat.branch(a_run(), 0, 1, profile=where, method="resampling"),
}


def a_run() -> Run:
    return run_of(params={})


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is sent or started fails the test."""

    def refuse(*_: Any, **__: Any) -> Any:
        pytest.fail("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "sendall", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(local, "ensure", refuse)
    monkeypatch.setattr("getpass.getpass", refuse)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("where", PROFILES)
@pytest.mark.parametrize("name", IN_STEPS)
def test_what_is_not_recorded_is_refused_with_a_sentence_and_nothing_is_sent(
    name: str, where: str, history: Path
) -> None:
    nbchat.configure(replay="only")
    with pytest.raises(NotRecordedError, match=r'replay="only": .*Nothing was sent.*"auto"'):
        IN_STEPS[name](where)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("where", PROFILES)
def test_a_call_that_says_only_itself_asks_nobody(where: str, history: Path) -> None:
    with pytest.raises(NotRecordedError):
        nbchat.chat("?", logit_bias={" Paris": 1}, profile=where, replay="only")
    with pytest.raises(NotRecordedError):
        nbchat.repeat("?", times=2, profile=where, replay="only")


@pytest.mark.usefixtures("no_network")
def test_a_provider_is_asked_for_no_key(history: Path) -> None:
    nbchat.configure(replay="only")
    with pytest.raises(NotRecordedError):
        nbchat.repeat("?", times=2, profile="openai", model="gpt-4o")


def test_analyses_whose_requests_are_ordinary_come_back(
    server: ScriptedServer, history: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asks: list[Ask] = [
        lambda: nbchat.repeat("Name a colour.", times=3, model="m"),
        lambda: nbchat.uncertainty("Name a colour.", samples=3, model="m", logprobs=True),
        lambda: nbchat.compare("A?", "B?", model="m"),
    ]
    before = [said(ask()) for ask in asks]
    n_sent = len(server.requests)
    url = server.url
    STATE.reset()
    nbchat.configure(replay="only", profile=url)
    assert [said(ask()) for ask in asks] == before
    assert len(server.requests) == n_sent


def said(value: Any) -> str:
    frame = getattr(value, "frame", None)
    return repr(value if frame is None else frame())


@pytest.mark.local
def test_what_asks_in_steps_is_recorded_all_the_same(local_server: Any, history: Path) -> None:
    nbchat.configure(profile="local")
    run = nbchat.chat("Name a colour.", logprobs=True, seed=1, max_completion_tokens=4)
    branch = nbchat.branch(run, 1, seed=1)
    scores = nbchat.score("Name a colour.", ["Red", "🦊"])
    alone = nbchat.score(None, ["Red is one."])
    assert branch.method == "exact"
    assert store.flush(30)
    for made in [run, *branch.runs, *scores.runs, *alone.runs]:
        assert_says_the_same(nbchat.history.get(made.id), made)


@pytest.mark.local
def test_whole_rows_come_back_without_the_model(
    local_server: Any, history: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    asked = {"logprobs": True, "top_logprobs": "all", "max_completion_tokens": 2, "seed": 1}
    nbchat.configure(profile="local", cassette=tmp_path / "study.jsonl.gz")
    run = nbchat.chat("Name a colour.", **asked)
    for source in (tmp_path / "study.jsonl.gz", "off"):
        STATE.reset()
        request.getfixturevalue("no_network")
        nbchat.configure(profile="local", replay="only", cassette=source)
        again = nbchat.chat("Name a colour.", **asked)
        assert again.is_replayed
        assert again.tokens().drop(columns="run_id").equals(run.tokens().drop(columns="run_id"))
