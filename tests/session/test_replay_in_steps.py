"""What an analysis asks in steps is recorded in a cassette, and comes back from it."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nbchat
from nbchat.errors import HistoryError, NotRecordedError
from nbchat.history.cassette import Cassette
from nbchat.history.places import Claims, Places
from nbchat.history.step_answer import StepAnswer
from nbchat.session.offline import number_of_run
from nbchat.session.recorded_client import RecordedClient
from nbchat.session.state import STATE
from tests.scripted import Reply, Request, ScriptedServer, chunk, sse

SCHEMA = {
    "type": "object",
    "properties": {"fruit": {"enum": ["apple", "pear"]}},
    "required": ["fruit"],
    "additionalProperties": False,
}


def replay_only(path: Path) -> None:
    """Replay as a process does that has just begun, after the one that recorded has ended."""
    nbchat.configure(cassette="off")
    STATE.reset()
    STATE.places, STATE.claims = Places(), Claims()
    nbchat.configure(cassette=path, replay="only", profile="local")


def texts_of_the_bias(request: Request) -> Reply:
    if request.path.endswith("/tokenize"):
        return Reply.json({"tokens": [{"id": 7, "piece": request.body["content"]}]})
    if request.path.endswith("/models"):
        return Reply.json({"data": [{"id": "m", "owned_by": "llamacpp"}]})
    return Reply(sse(chunk("yes", finish_reason="stop")))


def ask_with_a_bias() -> str:
    return nbchat.chat("hi", model="m", logit_bias={"Paris": 5}).text


@pytest.fixture
def recorded(server: ScriptedServer, tmp_path: Path) -> Path:
    server.default = texts_of_the_bias
    path = tmp_path / "study.jsonl"
    nbchat.configure(cassette=path)
    assert ask_with_a_bias() == "yes"
    return path


def test_token_ids_of_texts_are_replayed(server: ScriptedServer, recorded: Path) -> None:
    STATE.places, STATE.claims = Places(), Claims()
    nbchat.configure(cassette=recorded, replay="only")
    n_before = len(server.requests)
    assert ask_with_a_bias() == "yes"
    assert len(server.requests) == n_before


def test_a_step_that_is_not_recorded_is_named(server: ScriptedServer, recorded: Path) -> None:
    nbchat.configure(cassette=recorded, replay="only")
    with pytest.raises(NotRecordedError, match=r"study\.jsonl does not have .* at /tokenize"):
        nbchat.chat("hi", model="m", logit_bias={"Rome": 5})


def test_a_question_about_the_server_is_answered_as_often_as_it_is_asked(recorded: Path) -> None:
    nbchat.configure(cassette=recorded, replay="only")
    for _ in range(3):  # the same tokens, for a request that is not recorded
        with pytest.raises(NotRecordedError, match="another question"):
            nbchat.chat("another question", model="m", logit_bias={"Paris": 5})


def test_steps_are_no_runs_for_who_reads_the_file(recorded: Path) -> None:
    objects = [json.loads(line)["object"] for line in recorded.read_text().splitlines()]
    assert {"nbchat.run", "nbchat.step"} == set(objects)
    assert [run.text for run in nbchat.load(recorded)] == ["yes"]
    assert len(Cassette(recorded)) == 1


def test_a_cassette_that_is_recorded_twice_does_not_grow(
    server: ScriptedServer, recorded: Path
) -> None:
    n_lines = recorded.read_text().count("\n")
    for mode in ("refresh", "auto", "off"):
        STATE.places, STATE.claims = Places(), Claims()
        nbchat.configure(cassette=recorded, replay=mode)
        ask_with_a_bias()
        nbchat.configure(cassette="off")
        assert recorded.read_text().count("\n") == n_lines


def test_auto_leaves_the_recorded_lines_as_they_are(recorded: Path) -> None:
    before = recorded.read_bytes()
    STATE.places, STATE.claims = Places(), Claims()
    nbchat.configure(cassette=recorded, replay="auto")
    assert ask_with_a_bias() == "yes"
    nbchat.configure(cassette="off")
    assert recorded.read_bytes() == before


def test_steps_wait_until_somebody_reads_or_a_run_is_recorded(tmp_path: Path) -> None:
    path = tmp_path / "study.jsonl"
    cassette = Cassette(path)
    cassette.add_step(step("a", "tokens"))
    assert not path.exists()
    assert [record.id for record in cassette.of_request("sha")] == ["a"]  # who reads, writes
    assert Cassette(path).step("a").data == b"tokens"


def test_an_error_of_the_server_is_replayed_as_one(server: ScriptedServer, tmp_path: Path) -> None:
    server.default = lambda request: (
        Reply.json({"error": {"message": "no such address"}}, 404)
        if request.path.endswith("/tokenize")
        else texts_of_the_bias(request)
    )
    path = tmp_path / "study.jsonl"

    def sentence() -> str:
        with pytest.raises(nbchat.errors.NbchatError) as caught:
            ask_with_a_bias()
        return f"{type(caught.value).__name__}: {caught.value}"

    nbchat.configure(cassette=path)
    first = sentence()
    STATE.places, STATE.claims = Places(), Claims()
    nbchat.configure(cassette=path, replay="only")
    n_before = len(server.requests)
    assert sentence() == first
    assert "NotRecorded" not in first
    assert len(server.requests) == n_before


def step(step_id: str, text: str | None = None, **more: Any) -> StepAnswer:
    return StepAnswer(
        id=step_id, request_sha256="sha", cell="c", number_in_cell=0, text=text, **more
    )


def test_the_first_of_a_place_stays_where_it_is_to(tmp_path: Path) -> None:
    cassette = Cassette(tmp_path / "study.jsonl")
    cassette.add_step(step("a", "first"))
    cassette.write()
    cassette.add_step(step("b", "second"), is_first=True)
    assert [record.id for record in cassette.of_request("sha")] == ["a"]
    cassette.add_step(step("c", "third"))
    assert [record.id for record in cassette.of_request("sha")] == ["c"]


def test_samples_come_back_to_the_run_that_they_were_of(
    server: ScriptedServer, tmp_path: Path
) -> None:
    """Whichever thread was first: the place of a step in a run is that of the run."""
    profile = nbchat.client.resolve(server.url)
    cassette = Cassette(tmp_path / "study.jsonl")
    server.reply(
        *(Reply(sse(chunk(text, finish_reason="stop"))) for text in ("two", "zero", "one"))
    )

    def asked(number: int) -> str:
        client = RecordedClient(profile, cassette)
        before = number_of_run.set(number)
        answer = client.start("draw", nbchat.api.check({"model": "m"}), streams=True)
        number_of_run.reset(before)
        with answer:
            for _ in answer:
                pass
        return str(answer.completion.choices[0].message.content)

    assert [asked(number) for number in (2, 0, 1)] == ["two", "zero", "one"]
    nbchat.configure(replay="only")
    assert [asked(number) for number in (0, 1, 2)] == ["zero", "one", "two"]


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ({"packed": b"no zlib"}, "damaged"),
        ({"completion": {"choices": 3}}, "no completion|no bytes"),
        ({}, "holds no"),
    ],
)
def test_a_damaged_step_is_one_sentence(
    tmp_path: Path, damage: dict[str, Any], sentence: str
) -> None:
    cassette = Cassette(tmp_path / "study.jsonl")
    cassette.add_step(step("a", **damage))
    cassette.write()
    found = Cassette(tmp_path / "study.jsonl").step("a")
    with pytest.raises(HistoryError, match=sentence):
        found.data  # noqa: B018 - it reads


def test_no_key_stands_in_a_step(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", "canary-of-the-steps-4711")
    server.default = lambda request: (
        Reply.json({"tokens": [{"id": 7, "piece": "Paris"}], "echo": "canary-of-the-steps-4711"})
        if request.path.endswith("/tokenize")
        else texts_of_the_bias(request)
    )
    nbchat.configure(cassette=tmp_path / "study.jsonl")
    ask_with_a_bias()
    assert "canary" not in (tmp_path / "study.jsonl").read_text()


def scored() -> Any:
    scores = nbchat.score("What is the capital of Germany?", ["Berlin", "Köln."])
    return scores.frame().drop(columns="run_id").to_json()


def classified() -> Any:
    return repr(nbchat.classify("The film was great.", ["positive", "negative"]))


def first_reply() -> Any:
    return nbchat.chat(
        "Name a colour.", temperature=0, max_completion_tokens=6, logprobs=True, top_logprobs=5
    )


def branched() -> Any:
    branch = nbchat.branch(first_reply(), 2, n=3, temperature=1.5)
    tokens = nbchat.tokens(branch.runs).drop(columns="run_id")
    return [branch.method, branch.label, [run.text for run in branch.runs], tokens.to_json()]


def rescored() -> Any:
    return nbchat.rescore(first_reply()).tokens().drop(columns="run_id").to_json()


def exact_fields() -> Any:
    run = nbchat.chat(
        "Give a fruit as JSON.", temperature=0, max_completion_tokens=30, logprobs=True,
        top_logprobs=3, response_format=SCHEMA,
    )  # fmt: skip
    return run.fields(exact=True).drop(columns="run_id").to_json()


def grown() -> Any:
    return repr(nbchat.tree(first_reply(), depth=2, width=2))


@pytest.mark.local
@pytest.mark.parametrize("study", [scored, classified, branched, rescored, exact_fields, grown])
def test_an_analysis_on_the_embedded_model_is_replayed_without_one(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, study: Callable[[], Any]
) -> None:
    path = tmp_path / "study.jsonl"
    nbchat.configure(cassette=path, profile="local")
    first = study()
    replay_only(path)

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "sendall", refuse)  # whatever is open, or opened
    assert study() == first
    assert nbchat.runs()["is_replayed"].all()
    assert (nbchat.runs()["cost_usd"].fillna(0) == 0).all()
