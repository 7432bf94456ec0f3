from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nbchat
from nbchat import session
from nbchat.analysis import Branch
from nbchat.analysis.probe import Probe
from nbchat.errors import BadRequestError, CheckError, NotAvailableError, StreamCutError
from tests.scripted import (
    CUT,
    HANG,
    Reply,
    Request,
    ScriptedServer,
    chunk,
    logprob_entry,
    sse,
    usage_of,
)

LOCAL: dict[str, Any] = {"profile": "local", "temperature": 0, "logprobs": True}
PROMPTS = [
    "What is the capital of France? Answer in one short sentence.",
    "Repeat after me: 🎉🦜 naïve 日本語 🎉",
    "Write only this emoji: 🎉",
    "Count from one to five.",
]


def row_at(run: nbchat.Run, position: int) -> Any:
    frame = run.alternatives()
    return frame[frame["position"] == position].reset_index(drop=True)


def index_of_sampled(run: nbchat.Run, position: int) -> int:
    row = row_at(run, position)
    return int(row.index[row["is_sampled"]][0])


@pytest.mark.local
@pytest.mark.parametrize(
    ("top", "prompt"), [(1, PROMPTS[1]), (1, PROMPTS[3]), (5, PROMPTS[0]), (5, PROMPTS[2])]
)
def test_the_sampled_token_brings_back_the_rest(weights: Path, top: int, prompt: str) -> None:
    run = nbchat.chat(prompt, max_completion_tokens=24, top_logprobs=top, **LOCAL)
    whole = run.tokens()
    for position in sorted({0, 1, len(whole) // 2, len(whole) - 1}):
        made = nbchat.branch(run, position, index_of_sampled(run, position))
        assert (made.method, made.run.status) == ("exact", "complete")
        assert made.run.text == run.text
        assert made.run.finish_reason == run.finish_reason
        # llama.cpp sends the end token's row here, and in a chat stream it does not
        rows = made.run.tokens()
        assert rows["is_special"][len(whole) :].all()
        rows = rows[: len(whole)]
        assert list(rows["text"]) == list(whole["text"])
        assert list(rows["token_id"]) == list(whole["token_id"])
        # of a character of several tokens there is no log probability
        assert list(rows["logprob"].isna()) == list(whole["is_merged"])
        assert not ((rows["logprob"] - whole["logprob"]).abs() >= 5e-5).any()
        assert not ((rows["entropy_lo"] - whole["entropy_lo"]).abs() >= 5e-4).any()


@pytest.mark.local
def test_a_branch_is_a_whole_reply_and_can_be_branched_again(weights: Path) -> None:
    run = nbchat.chat(PROMPTS[0], max_completion_tokens=20, top_logprobs=5, **LOCAL)
    n_before = len(session.runs)
    made = nbchat.branch(run, 1)
    assert isinstance(made, Branch)
    assert session.runs[n_before:] == made.runs == [made.run]
    row = row_at(run, 1)
    other = row[~row["is_sampled"]].iloc[0]
    assert (made.alternative, made.token_id) == (other["token"], other["token_id"])
    tokens = nbchat.tokens(made)
    assert list(tokens["token"][:2]) == [run.tokens()["token"][0], other["token"]]
    assert tokens["logprob"][1] == other["logprob"]
    assert made.run.text.startswith("".join(tokens["text"][:2]))
    assert made.run.text == "".join(tokens["text"])
    assert list(row_at(made.run, 1)["token_id"]) == list(row["token_id"])
    assert made.run.choices()["is_aligned"].all()
    assert "token ids" in made.label
    assert any(run.id in note for note in made.run.notes)
    again = nbchat.branch(made.run, 3, n=2, temperature=1, seed=4, max_completion_tokens=5)
    assert len({r.text for r in again.runs}) == 2
    assert [r.params.given()["seed"] for r in again.runs] == [4, 5]
    assert all(len(r.tokens()) in (8, 9) for r in again.runs)
    assert made.run.heatmap() is not None


@pytest.mark.local
def test_what_a_branch_says_is_what_the_model_says(weights: Path) -> None:
    """The same tokens by another way: a grammar that forces them in a chat request."""
    run = nbchat.chat(PROMPTS[0], max_completion_tokens=12, top_logprobs=5, **LOCAL)
    made = nbchat.branch(run, 1)
    rows = made.run.tokens()
    ids = [i for i in rows["token_id"] if i != 2]
    grammar = "root ::= " + " ".join(f"<[{i}]>" for i in ids)
    asked = {**LOCAL, "top_logprobs": 5, "max_completion_tokens": len(ids)}
    forced = nbchat.chat(PROMPTS[0], extra={"grammar": grammar}, **asked).tokens()
    assert list(forced["token_id"][: len(ids)]) == ids
    gaps = (forced["logprob"] - rows["logprob"][: len(ids)]).abs()
    assert gaps.max() < 1e-4


@pytest.mark.local
def test_alternatives_are_named_by_text_index_or_id(weights: Path) -> None:
    run = nbchat.chat(PROMPTS[0], max_completion_tokens=4, top_logprobs=3, **LOCAL)
    row = row_at(run, 0)
    token, number = row["token"][1], int(row["token_id"][1])
    made = [nbchat.branch(run, 0, wanted) for wanted in (token, 1, number)]
    assert {m.token_id for m in made} == {number}
    assert len({m.run.text for m in made}) == 1
    unlisted = nbchat.branch(run, 0, " the")
    whole = nbchat.chat(
        PROMPTS[0], max_completion_tokens=1, extra={"top_logprobs": 49_152}, **LOCAL
    )
    exact = row_at(whole, 0).set_index("token_id")["logprob"][unlisted.token_id]
    assert unlisted.run.text.startswith(" the")
    assert unlisted.run.tokens()["logprob"][0] == pytest.approx(exact, abs=1e-4)
    with pytest.raises(CheckError, match='must be one token, and here it is 2: " Paris"'):
        nbchat.branch(run, 0, " Parisian")
    with pytest.raises(CheckError, match=r"position is 9, but must be a whole number from -\d"):
        nbchat.branch(run, 9)
    with pytest.raises(CheckError, match=r"id 49152, but must be below 49,152"):
        nbchat.branch(run, 0, 49_152)
    with pytest.raises(TypeError, match="goes on from a run"):
        nbchat.branch("x", 0)  # type: ignore[arg-type]
    # a position out of a frame is numpy's
    assert nbchat.branch(run, np.int64(0), np.int64(1)).token_id == number


STORIES = [
    "Tell me a story about a fox.",
    "Explain in a few sentences why the sky of the earth is blue and not green or red.",
    "Write three lines on 🎉, the sea and naïve sailors, and say a word on Napoleon in Russia.",
]


def ask_other_things() -> None:
    """Leave other texts in every slot of the server, of few tokens and of many."""
    for question in ["Name a colour.", "Tell me a story about a dog.", "Of the sea. " * 12]:
        nbchat.chat(question, profile="local", max_completion_tokens=2)
    nbchat.score("Who is there?", ["Nobody.", "A fox"], profile="local")


@pytest.mark.local
@pytest.mark.parametrize("prompt", STORIES)
def test_an_exact_branch_is_the_same_whatever_was_asked_in_between(
    weights: Path, prompt: str
) -> None:
    ask_other_things()
    run = nbchat.chat(prompt, max_completion_tokens=40, top_logprobs=5, **LOCAL)
    whole = run.tokens()
    for position in (0, len(whole) // 2, len(whole) - 5):
        ask_other_things()
        made = nbchat.branch(run, position, index_of_sampled(run, position))
        assert (made.method, made.run.text) == ("exact", run.text)
        rows = made.run.tokens()[: len(whole)]
        assert list(rows["token_id"]) == list(whole["token_id"])
        assert not ((rows["logprob"] - whole["logprob"]).abs() >= 5e-5).any()
        assert rows["logprob"].notna().sum() == (~whole["is_merged"]).sum() > 10


@pytest.mark.local
def test_a_branch_by_prefill_says_how_far_it_is_off(weights: Path) -> None:
    run = nbchat.chat(STORIES[0], max_completion_tokens=6, top_logprobs=5, **LOCAL)
    made = nbchat.branch(run, 3, 1, method="prefill")
    assert made.method == "prefill"
    assert "evaluated in one batch" in made.label
    assert re.search(r"differ from the run's by \d\.\d{4} nats", made.label)
    assert made.run.text.startswith("".join(run.tokens()["text"][:3]))
    with pytest.raises(CheckError, match='method is "best", but must be None or one of exact, '):
        nbchat.branch(run, 3, method="best")  # type: ignore[arg-type]


@pytest.mark.local
def test_what_differs_from_the_run_is_not_called_exact(weights: Path) -> None:
    run = nbchat.chat(STORIES[0], max_completion_tokens=6, top_logprobs=5, **LOCAL)
    assert run.completion is not None
    logprobs = run.completion.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    logprobs.content.logprobs[1] -= 0.003
    made = nbchat.branch(run, 4)
    assert made.method == "prefill"
    assert "differ from the run's by up to 0.0030 nats" in made.label
    assert nbchat.branch(run, 1, " end", method="prefill").method == "prefill"
    with pytest.raises(NotAvailableError, match="no exact branch here"):
        nbchat.branch(run, 4, method="exact")


@pytest.mark.local
def test_every_row_can_be_named_by_its_token(weights: Path) -> None:
    run = nbchat.chat(PROMPTS[2], max_completion_tokens=9, top_logprobs=5, **LOCAL)
    for position, token in enumerate(run.tokens()["token"]):
        made = nbchat.branch(run, position, token, max_completion_tokens=1)
        assert made.method == "exact"
        assert made.run.text.startswith("".join(run.tokens()["text"][: position + 1]))


@pytest.mark.local
def test_half_a_character_can_be_chosen(weights: Path) -> None:
    run = nbchat.chat(PROMPTS[2], max_completion_tokens=12, top_logprobs=5, **LOCAL)
    assert run.text.startswith("🎉🎉")
    made = nbchat.branch(run, 1, 1)  # another last byte
    assert made.method == "exact"
    tokens = made.run.tokens()
    assert made.run.text[0] == "🎉" != made.run.text[1]
    assert made.run.text == "".join(tokens["text"])
    assert tokens["text"][1] == made.run.text[1]
    assert f'"{made.run.text[1]}" stands at token 1' in made.label


@pytest.mark.local
@pytest.mark.parametrize("end", [2, "<|im_end|>"])
def test_an_end_token_ends_the_reply(weights: Path, end: int | str) -> None:
    run = nbchat.chat(PROMPTS[0], max_completion_tokens=6, top_logprobs=2, **LOCAL)
    made = nbchat.branch(run, 3, end)
    assert (made.token_id, made.run.finish_reason) == (2, "stop")
    assert made.run.text == "".join(run.tokens()["text"][:3])
    assert made.run.tries == 0
    assert made.run.tokens()["is_special"].tolist() == [False] * 3 + [True]
    assert made.run.tokens()["logprob"].notna().all()


@pytest.mark.local
def test_the_limit_of_the_run_is_that_of_its_branches(weights: Path) -> None:
    run = nbchat.chat(PROMPTS[3], max_completion_tokens=6, top_logprobs=2, **LOCAL)
    assert len(nbchat.branch(run, 2).run.tokens()) == 6
    at_the_end = nbchat.branch(run, -1).run
    assert (at_the_end.finish_reason, len(at_the_end.tokens())) == ("length", 6)
    longer = nbchat.branch(run, -1, max_completion_tokens=3).run
    assert len(longer.tokens()) == 9


@pytest.mark.local
def test_other_probabilities_than_the_run_had_are_no_exact_branch(weights: Path) -> None:
    run = nbchat.chat(PROMPTS[3], max_completion_tokens=6, top_logprobs=2, **LOCAL)
    run.messages = [{"role": "user", "content": "Tell me of the sea."}]
    made = nbchat.branch(run, 2)
    assert made.method == "text"
    assert "another model, template or option" in made.label


@pytest.fixture
def by_address(weights: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The embedded model's server as any other of llama.cpp, known by its address alone."""
    running = nbchat.local.ensure()
    monkeypatch.setenv("NBCHAT_API_KEY", running.key)
    yield running.base_url
    session.STATE.kinds.clear()
    session.STATE.vocabulary_sizes.clear()


@pytest.mark.local
def test_another_server_of_llama_cpp_is_exact_too(by_address: str) -> None:
    asked = LOCAL | {"profile": by_address, "max_completion_tokens": 8}
    run = nbchat.chat(PROMPTS[0], top_logprobs=5, **asked)
    made = nbchat.branch(run, 2, index_of_sampled(run, 2))
    assert (made.method, made.run.text) == ("exact", run.text)
    assert made.run.base_url == by_address
    frame = nbchat.score(PROMPTS[0], ["Paris", "🎉"], profile=by_address).frame()
    here = nbchat.score(PROMPTS[0], ["Paris", "🎉"], profile="local").frame()
    assert frame["sum_logprob"].tolist() == pytest.approx(here["sum_logprob"].tolist(), abs=1e-4)
    whole = nbchat.chat(PROMPTS[0], top_logprobs="all", **asked).tokens()
    assert (whole["entropy_lo"] == whole["entropy_hi"]).all()


class Continuing:
    """Speaks as vLLM and its like do: it goes on with a reply that was begun, where it can.

    `needs`: only with the fields that vLLM wants; `repeats`: the reply repeats what was begun.
    """

    def __init__(self, *, goes_on: bool = True, needs: bool = False, repeats: bool = False):
        self.goes_on, self.needs, self.repeats = goes_on, needs, repeats
        self.words = [("Red", -0.5), (" is", -0.1), (" best", -0.2)]
        self.cuts = False

    def __call__(self, request: Request) -> Any:
        if request.method == "GET":
            return Reply.json({"error": "no"}, 404)
        messages = request.body["messages"]
        begun = messages[-1]["content"] if messages[-1]["role"] == "assistant" else ""
        told = self.goes_on and (not self.needs or request.body.get("continue_final_message"))
        words = self.words
        if begun.startswith("Sunday"):
            words = [("day", -0.1), (",", -0.1)] if told else [("Sunday", -0.1)]
        elif begun and told:
            words = [(" was", -0.3), (" first", -0.4)]
        events = []
        if begun and told and self.repeats:
            events.append(chunk(begun, logprobs={"content": []}))
        for token, logprob in words:
            told_logprobs = {
                "content": [logprob_entry(token, logprob, [(token, logprob), ("x", -3)])]
            }
            events.append(chunk(token, logprobs=told_logprobs))
            if self.cuts:
                return Reply([sse(*events, done=False), CUT])
        events.append(chunk(finish_reason="stop"))
        return Reply(sse(*events, chunk(usage=usage_of())))


@pytest.fixture
def answering() -> Any:
    return Continuing()


def asked(server: ScriptedServer) -> nbchat.Run:
    return nbchat.chat(
        "Which colour?", model="m", logprobs=True, top_logprobs=2, max_tokens=9, stop=["!"]
    )


@pytest.mark.parametrize("repeats", [False, True])
@pytest.mark.parametrize("needs", [False, True])
def test_a_server_that_goes_on_with_text_is_branched_by_text(
    server: ScriptedServer, capsys: pytest.CaptureFixture[str], needs: bool, repeats: bool
) -> None:
    server.default = Continuing(needs=needs, repeats=repeats)
    run = asked(server)
    made = nbchat.branch(run, 1, "x")
    assert made.method == "text"
    assert made.run.text == "Redx was first"
    assert list(made.run.tokens()["token"]) == ["Red", "x", " was", " first"]
    assert list(made.run.tokens()["text"]) == ["Red", "x", " was", " first"]
    assert made.run.tokens()["logprob"].tolist() == [-0.5, -3, -0.3, -0.4]
    sent = server.requests[-1].body
    assert sent["messages"][-1] == {"role": "assistant", "content": "Redx"}
    assert (sent["max_tokens"], sent["stop"], sent["top_logprobs"]) == (7, ["!"], 2)
    assert ("continue_final_message" in sent) is needs
    assert "may tokenise" in made.label
    assert "whether it goes on" in capsys.readouterr().err
    assert made.run.messages == run.messages
    n_requests = len(server.requests)
    again = nbchat.branch(made.run, 2)
    assert len(server.requests) == n_requests + 1
    assert again.run.text == "Redxx was first"
    assert again.run.params.given()["max_tokens"] == 6


def test_what_probe_found_is_used(server: ScriptedServer) -> None:
    run = asked(server)
    key = (server.url, "m")
    session.STATE.probes[key] = Probe(
        profile="", base_url=server.url, model="m", continuation=True,
        continuation_extra={"go": 1}, continuation_repeats=False,
    )  # fmt: skip
    n_requests = len([r for r in server.requests if r.method == "POST"])
    assert nbchat.branch(run, 0, "x").run.text == "x was first"
    posts = [r for r in server.requests if r.method == "POST"]
    assert len(posts) == n_requests + 1
    assert posts[-1].body["go"] == 1


def test_elsewhere_replies_are_drawn_anew_and_labelled_so(server: ScriptedServer) -> None:
    server.default = Continuing(goes_on=False)
    run = asked(server)
    server.default.words = [("Red", -0.5), (" was", -1.0)]
    made = nbchat.branch(run, 1, " is", n=3, seed=5)
    assert made.method == "resampling"
    assert [r.text for r in made.runs] == ["Red was"] * 3
    assert "3 replies were drawn anew" in made.label
    assert made.label.endswith("0 of 3 (0%) begin like this branch.")
    assert made.shares()["share"].tolist() == [1.0]
    assert sorted(r.body["seed"] for r in server.requests[-3:]) == [5, 6, 7]
    assert all(r.body["messages"] == run.messages for r in server.requests[-3:])


def test_a_branch_by_text_cannot_start_inside_a_character(server: ScriptedServer) -> None:
    halves = [
        {"token": "\ufffd", "logprob": -1.0, "bytes": list("é".encode()[:1]), "top_logprobs": []},
        {"token": "\ufffd", "logprob": -1.0, "bytes": list("é".encode()[1:]), "top_logprobs": []},
    ]
    server.reply(Reply(sse(chunk("é", logprobs={"content": halves}), chunk(finish_reason="stop"))))
    run = asked(server)
    with pytest.raises(CheckError, match="border of a character"):
        nbchat.branch(run, 1, "a")
    assert nbchat.branch(run, 0, "e").run.text == "e was first"


def test_what_came_of_a_branch_that_is_cut_is_kept(server: ScriptedServer) -> None:
    run = asked(server)
    nbchat.branch(run, 0, "x")
    server.default.cuts = True
    with pytest.raises(StreamCutError) as caught:
        nbchat.branch(run, 1, "x")
    assert caught.value.run is session.runs[-1]
    assert caught.value.run.status == "error"
    assert caught.value.run.text == "Redx was"
    assert list(caught.value.run.tokens()["token"]) == ["Red", "x", " was"]


def test_a_refusal_is_the_error_of_the_branch(server: ScriptedServer) -> None:
    run = asked(server)
    nbchat.branch(run, 0, "x")
    server.reply(Reply.json({"error": {"message": "too long"}}, 400))
    with pytest.raises(BadRequestError, match="too long") as caught:
        nbchat.branch(run, 1, "x")
    assert caught.value.run.text == "Redx"


def test_a_run_without_log_probabilities_has_no_positions(server: ScriptedServer) -> None:
    server.reply(Reply(sse(chunk("Hi"), chunk(finish_reason="stop"))))
    run = nbchat.chat("Hi", model="m")
    with pytest.raises(CheckError, match="needs log probabilities"):
        nbchat.branch(run, 0)
    with pytest.raises(CheckError, match="choice is 3"):
        nbchat.branch(run, 0, choice=3)


@pytest.mark.parametrize("method", ["exact", "prefill", "text"])
def test_a_way_that_is_not_there_is_said_and_nothing_is_written(
    server: ScriptedServer, method: Any
) -> None:
    server.default = Continuing(goes_on=False)
    run = asked(server)
    n_runs = len(session.runs)
    with pytest.raises(NotAvailableError, match=f'method is "{method}"'):
        nbchat.branch(run, 1, "x", method=method)
    assert len(session.runs) == n_runs


def test_a_way_can_be_chosen(server: ScriptedServer) -> None:
    run = asked(server)
    assert nbchat.branch(run, 1, "x", method="text").method == "text"
    assert nbchat.branch(run, 1, "x", method="resampling").method == "resampling"


def test_what_a_model_wrote_is_escaped(server: ScriptedServer) -> None:
    server.default.words = [("<script>", -0.5)]
    run = asked(server)
    shown = nbchat.branch(run, 0, "x")._repr_html_()
    assert "<mark>x</mark> was first" in shown
    server.default = Continuing(goes_on=False)
    session.STATE.continuations.clear()
    server.default.words = [("<script>", -0.5)]
    drawn = nbchat.branch(run, 0, "x")
    assert "<script>" not in drawn._repr_html_()
    assert "&lt;script&gt;" in drawn._repr_html_()


@pytest.mark.parametrize("n", [1, 3])
def test_an_interrupt_keeps_what_came(server: ScriptedServer, n: int) -> None:
    run = asked(server)
    nbchat.branch(run, 0, "x")
    told = {"content": [logprob_entry(" was", -0.3, [(" was", -0.3)])]}
    server.reply(*[Reply([sse(chunk(" was", logprobs=told), done=False), HANG])] * n)
    timer = threading.Timer(0.6, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        nbchat.branch(run, 1, "x", n=n)
    timer.join()
    made = session.runs[-n:]
    assert [(r.status, r.text) for r in made] == [("interrupted", "Redx was")] * n


def test_an_interrupt_before_the_first_token_closes_the_connection(server: ScriptedServer) -> None:
    run = asked(server)
    nbchat.branch(run, 0, "x")
    server.reply(Reply([HANG], before=[HANG]))
    timer = threading.Timer(0.6, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        nbchat.branch(run, 1, "x")
    timer.join()
    assert server.requests[-1].wait_over().disconnected_at is not None
    assert (session.runs[-1].status, session.runs[-1].text) == ("interrupted", "Redx")
