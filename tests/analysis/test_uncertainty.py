from __future__ import annotations

import math
import os
import signal
import threading
import time
from typing import Any

import numpy as np
import pytest

import nbchat
from nbchat import measures, session
from nbchat.analysis.uncertainty import UncertaintyWarning
from nbchat.errors import BadRequestError, CheckError
from tests.frames.made import choice, entry, run_of
from tests.scripted import HANG, Pause, Reply, ScriptedServer, chunk, error, speaking, sse

END = entry("", -0.5, data=b"")


def said(text: str, *logprobs: float, **facts: Any) -> Any:
    """A run whose answer has a token for each logprob; the text is the first of them."""
    tokens = [entry(text, logprobs[0]), *(entry(".", logprob) for logprob in logprobs[1:])]
    return run_of(choice(*tokens, END), **facts)


def test_the_figures_are_those_of_their_definitions() -> None:
    # L = -1, -3, -4; L / T = -1, -1.5, -2
    runs = [said("Paris", -1.0), said("paris", -2.0, -1.0), said("Rome", -2.0, -2.0)]
    found = nbchat.uncertainty(runs=runs)
    assert found.self_consistency == pytest.approx(2 / 3)
    assert found.predictive_entropy == pytest.approx(8 / 3)
    assert found.predictive_entropy_normalised == pytest.approx(4.5 / 3)
    weights = np.exp([-1.0, -1.5, -2.0])
    shares = np.array([weights[0] + weights[1], weights[2]]) / weights.sum()
    assert found.semantic_entropy == pytest.approx(-(shares * np.log(shares)).sum())
    discrete = np.array([2 / 3, 1 / 3])
    assert found.semantic_entropy_discrete == pytest.approx(-(discrete * np.log(discrete)).sum())
    assert found.answers["weight"].tolist() == pytest.approx(shares.tolist())
    assert found.answers["answer"].tolist() == ["Paris", "Rome."]
    assert found.answers["count"].tolist() == [2, 1]
    assert found.answers["run_ids"].tolist() == [[runs[0].id, runs[1].id], [runs[2].id]]
    assert found.answers["cluster"].tolist() == [0, 1]
    assert found.notes == []


def test_long_answers_do_not_underflow() -> None:
    runs = [said("a", *[-5.0] * 400), said("b", *[-5.0] * 400)]
    found = nbchat.uncertainty(runs=runs)
    assert found.predictive_entropy == pytest.approx(2000)
    assert found.semantic_entropy == pytest.approx(math.log(2))
    assert found.answers["weight"].tolist() == pytest.approx([0.5, 0.5])


def test_one_meaning_has_no_entropy() -> None:
    found = nbchat.uncertainty(runs=[said("x", -1.0), said("X.", -3.0)])
    assert (found.self_consistency, found.semantic_entropy) == (1, 0)
    assert found.semantic_entropy_discrete == 0


def test_the_users_function_says_what_is_the_same() -> None:
    runs = [said("four", -1.0), said("4", -1.0), said("five", -1.0)]
    found = nbchat.uncertainty(runs=runs, same=lambda a, b: {a, b} == {"four", "4"})
    assert found.answers["count"].tolist() == [2, 1]
    assert found.self_consistency == pytest.approx(2 / 3)


def test_what_is_not_known_is_missing_and_said() -> None:
    bare = [run_of(choice(text=text)) for text in ("yes", "no")]
    found = nbchat.uncertainty(runs=bare)
    assert math.isnan(found.predictive_entropy)
    assert math.isnan(found.semantic_entropy)
    assert found.answers["weight"].isna().all()
    assert found.semantic_entropy_discrete == pytest.approx(math.log(2))
    assert found.notes == [
        "No usable log probabilities came, so that what is weighted by them is not known."
    ]
    mixed = nbchat.uncertainty(runs=[said("yes", -1.0), said("no", -1.0, -9999.0)])
    assert mixed.predictive_entropy == 1
    assert mixed.notes[0].startswith("Of 1 of 2 answers")
    cut = nbchat.uncertainty(runs=[run_of(choice(entry("a", -1.0), finish="length"))])
    assert cut.notes == ["1 answer of 1 ended at the token limit."]


def test_it_is_shown_as_tables_and_escaped() -> None:
    found = nbchat.uncertainty(runs=[said("<script>alert(1)</script>", -1.0)])
    shown = found._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
    assert "<td" in shown
    lines = repr(found).splitlines()
    assert lines[0] == "1 sample, 1 meaning"
    assert any(line.startswith("self_consistency               1.000") for line in lines)


def test_the_request_is_sent_with_a_seed_of_its_own_each_time(server: ScriptedServer) -> None:
    server.default = speaking("Blue.", logprobs=True)
    found = nbchat.uncertainty("Name a colour.", samples=5, model="m", seed=7)
    bodies = [request.body for request in server.requests]
    assert sorted(body["seed"] for body in bodies) == [7, 8, 9, 10, 11]
    assert {body["temperature"] for body in bodies} == {1}
    assert {body["logprobs"] for body in bodies} == {True}
    assert found.self_consistency == 1
    assert len(found.runs) == 5
    assert {run.id for run in found.runs} == {run.id for run in session.runs}
    nbchat.uncertainty("Hi", samples=1, model="m", seed=None, temperature=0.3, logprobs=False)
    body = server.requests[-1].body
    assert (body["temperature"], body["logprobs"], "seed" in body) == (0.3, False, False)


def test_a_few_failures_are_a_warning_and_no_answer_is_an_error(server: ScriptedServer) -> None:
    server.reply(speaking("Yes."), error(500))
    server.default = speaking("Yes.")
    with pytest.warns(UncertaintyWarning, match="1 of 4 requests were not answered"):
        found = nbchat.uncertainty("Hi", samples=4, model="m", max_retries=0)
    assert found.answers["count"].tolist() == [3]
    server.default = error(400, "no such thing")
    with pytest.raises(BadRequestError):
        nbchat.uncertainty("Hi", samples=4, model="m")


def test_an_interrupt_stops_all_and_what_has_come_is_kept(server: ScriptedServer) -> None:
    server.reply(speaking("Done.", logprobs=True))
    server.default = Reply([sse(chunk("Half"), done=False), Pause(0.05), HANG])

    def interrupt() -> None:
        server.wait_for_requests(5)
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        nbchat.uncertainty("Hi", samples=10, model="m")
    assert len(server.requests) == 5
    kept = [run for run in session.runs if run.status == "complete"]
    assert nbchat.uncertainty(runs=kept).answers["answer"].tolist() == ["Done."]


@pytest.mark.parametrize(
    "wrong",
    [
        {"samples": 0},
        {"samples": 2.5},
        {"thread": "main"},
        {"n": 2},
        {"temperature": 9},
        {"runs": []},
        {"messages": [{"role": "user", "content": "Hi"}]},
    ],
)
def test_what_cannot_be_asked_is_refused_before_sending(
    server: ScriptedServer, wrong: dict[str, Any]
) -> None:
    with pytest.raises(CheckError):
        nbchat.uncertainty("Hi", model="m", **wrong)
    assert server.requests == []


@pytest.mark.local
def test_the_embedded_model_is_surer_of_what_is_certain(local_server: Any) -> None:
    found = nbchat.uncertainty("Name a colour. One word.", samples=6, profile="local", max_tokens=8)
    assert len({run.text for run in found.runs}) > 1  # seeds differ
    assert 0 < found.self_consistency < 1 or found.semantic_entropy_discrete == 0
    sums = nbchat.choices(found.runs)["sum_logprob"]
    assert found.predictive_entropy == pytest.approx(measures.predictive_entropy(sums))
    again = nbchat.uncertainty(
        "Name a colour. One word.", samples=6, profile="local", max_tokens=8, temperature=0
    )
    assert again.self_consistency == 1
    assert again.semantic_entropy == 0
