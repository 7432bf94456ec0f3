from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nbchat
from nbchat import local, session
from nbchat.errors import CheckError
from nbchat.request import full_vocabulary
from tests.scripted import Reply, ScriptedServer, chunk, logprob_entry, sse

ASKED: dict[str, Any] = {"model": "m", "logprobs": True, "top_logprobs": "all"}
N_VOCAB = 49_152


def models(owner: str, **meta: Any) -> dict[str, Any]:
    return {"data": [{"id": "m", "owned_by": owner, **({"meta": meta} if meta else {})}]}


@pytest.fixture
def answering() -> Any:
    told = {"content": [logprob_entry("a", -0.5, [("a", -0.5), ("b", -1.0)])]}
    return Reply(sse(chunk("a", logprobs=told), chunk(finish_reason="stop")))


def test_all_is_the_size_of_the_vocabulary_on_the_wire(server: ScriptedServer) -> None:
    server.models_reply = models("llamacpp", n_vocab=1234)
    run = nbchat.chat("Hi", max_completion_tokens=5, **ASKED)
    assert server.requests[-1].body["top_logprobs"] == 1234
    assert run.vocab_size == 1234
    assert "top_logprobs" not in run.params.given()


@pytest.mark.parametrize("owner", ["vllm", "library", "someone"])
def test_elsewhere_it_is_refused_before_anything_is_sent(
    server: ScriptedServer, owner: str
) -> None:
    server.models_reply = models(owner)
    with pytest.raises(CheckError, match="for the embedded model and other servers of llama") as e:
        nbchat.chat("Hi", max_completion_tokens=5, **ASKED)
    assert e.value.field == "top_logprobs"
    assert [request.method for request in server.requests if request.method == "POST"] == []
    assert session.runs == []


def test_a_provider_is_not_even_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "k" * 20)
    with pytest.raises(CheckError, match="elsewhere 20 is the most"):
        nbchat.chat("Hi", profile="groq", max_completion_tokens=5, **ASKED)


def test_the_declared_range_stays_what_it_is(server: ScriptedServer) -> None:
    with pytest.raises(CheckError, match="20"):
        nbchat.chat("Hi", model="m", logprobs=True, top_logprobs=21)
    with pytest.raises(CheckError, match="needs logprobs: true"):
        nbchat.chat("Hi", model="m", top_logprobs="all")
    with pytest.raises(CheckError, match="top_logprobs"):
        nbchat.chat("Hi", model="m", logprobs=True, top_logprobs="most")


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        ({}, "as many tokens as the server likes: set max_completion_tokens to 200 or less"),
        ({"max_completion_tokens": 201}, "201 tokens, 0.2 GB: set max_completion_tokens to 200"),
        ({"max_tokens": 101, "n": 2}, "202 tokens, 0.2 GB: set max_completion_tokens to 100"),
    ],
)
def test_rows_that_would_eat_the_memory_are_refused(
    server: ScriptedServer, limits: dict[str, int], sentence: str
) -> None:
    server.models_reply = models("llamacpp", n_vocab=100_000)
    with pytest.raises(CheckError, match=sentence):
        nbchat.chat("Hi", **ASKED, **limits)
    assert full_vocabulary.MOST_ALTERNATIVES == 200 * 100_000


def test_nothing_is_started_for_a_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "status_if_used", lambda: None)
    messages = [{"role": "user", "content": "Hi"}]
    with pytest.raises(CheckError, match="needs the embedded model to run"):
        session.prepare(nbchat.Draft(messages=messages, fields=ASKED, profile="local"))


@pytest.mark.local
def test_whole_rows_of_the_embedded_model_give_the_exact_entropy(weights: Path) -> None:
    run = nbchat.chat(
        "Name a colour.", profile="local", temperature=0, max_completion_tokens=6, logprobs=True,
        top_logprobs="all",
    )  # fmt: skip
    tokens = run.tokens()
    assert (tokens["top_k"] == N_VOCAB).all()
    assert (tokens["entropy_lo"] == tokens["entropy_hi"]).all()
    frame = run.alternatives()
    for position, row in frame.groupby("position"):
        p = row["prob"].to_numpy()
        assert len(row) == row["token_id"].nunique() == N_VOCAB
        assert tokens["entropy_lo"][position] == pytest.approx(-(p * np.log(p)).sum(), abs=1e-6)
        assert p.sum() == pytest.approx(1, abs=1e-3)
    table = run.completion.choices[0].logprobs.content
    kept = [table.alternative_codes, table.alternative_logprobs]
    assert sum(len(part) * part.itemsize for part in kept) == 12 * N_VOCAB * len(tokens)


@pytest.mark.local
def test_a_branch_of_whole_rows_has_whole_rows(weights: Path) -> None:
    run = nbchat.chat(
        "Name a colour.", profile="local", temperature=0, max_completion_tokens=3, logprobs=True,
        top_logprobs="all",
    )  # fmt: skip
    made = nbchat.branch(run, 1)
    assert made.method == "exact"
    assert (made.run.tokens()["top_k"] == N_VOCAB).all()


@pytest.mark.local
def test_without_a_limit_the_embedded_models_own_counts(weights: Path) -> None:
    with pytest.raises(CheckError, match=r"1,024 tokens, 0\.6 GB: set max_completion_tokens to 40"):
        nbchat.chat("Hi", profile="local", logprobs=True, top_logprobs="all")
