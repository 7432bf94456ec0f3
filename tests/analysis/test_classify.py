from __future__ import annotations

import os
import signal
import threading
from math import exp, log
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nbchat
from nbchat import session
from nbchat.errors import ApiError, CheckError, NotAvailableError
from tests.analysis.exactly import ENDS, Rows
from tests.scripted import Pause, Reply, Request, ScriptedServer, completion, logprob_entry

PROMPTS = [
    "Is it positive or negative? Answer with one word. 'I love it.'",
    "Is it positive or negative? Answer with one word. 'It is awful.'",
]
LABELS = ["Positive", "Negative", "Très bien 🎉"]
COLUMNS = [
    "prompt", "prompt_text", "label", "method", "logprob", "n_tokens", "prob", "prob_lo",
    "prob_hi", "coverage", "is_predicted",
]  # fmt: skip
LOCAL: dict[str, Any] = {"profile": "local"}


@pytest.fixture(scope="module")
def rows(weights: Path) -> Rows:
    return Rows()


def sums(rows: Rows, prompt: str, labels: list[str], *, with_end: bool = False) -> list[float]:
    each = [rows.logprobs(prompt, label) for label in labels]
    return [sum(values if with_end else values[:-1]) for values in each]


def shares(weights: list[float]) -> Any:
    p = np.exp(np.array(weights) - max(weights))
    return p / p.sum()


@pytest.mark.local
def test_exact_agrees_with_whole_rows(rows: Rows) -> None:
    frame = nbchat.classify(PROMPTS, LABELS, truth=["Positive", "Negative"], **LOCAL)
    assert list(frame.columns) == [*COLUMNS, "truth", "is_correct"]
    assert frame["prompt"].dtype == np.int64
    assert list(frame["label"]) == LABELS * 2
    for number, prompt in enumerate(PROMPTS):
        own = frame[frame["prompt"] == number]
        exact = sums(rows, prompt, LABELS)
        assert own["logprob"].tolist() == pytest.approx(exact, abs=1e-4)
        assert own["prob"].tolist() == pytest.approx(shares(exact), abs=1e-4)
        assert own["coverage"].tolist() == pytest.approx([np.exp(exact).sum()] * 3, rel=1e-3)
        assert (own["prob_lo"] == own["prob"]).all()
        assert (own["prob_hi"] == own["prob"]).all()
        assert own["is_predicted"].tolist() == (own["prob"] == own["prob"].max()).tolist()
        assert set(own["prompt_text"]) == {prompt}
    assert frame["n_tokens"].tolist() == [len(rows.ids(label)) for label in LABELS] * 2
    assert frame["is_correct"].tolist() == [True, False, False, False, True, False]


@pytest.mark.local
def test_the_end_token_counts_where_one_label_begins_another(rows: Rows) -> None:
    labels = ["Positive", "Positively", "No"]
    frame = nbchat.classify(PROMPTS[0], labels, **LOCAL)
    exact = sums(rows, PROMPTS[0], labels, with_end=True)
    assert frame["logprob"].tolist() == pytest.approx(exact, abs=1e-4)
    assert frame["n_tokens"].tolist() == [len(rows.ids(label)) + 1 for label in labels]


@pytest.mark.local
@pytest.mark.parametrize(
    ("per", "size"),
    [
        ("token", lambda rows, label: len(rows.ids(label))),
        ("character", lambda rows, label: len(label)),
        ("byte", lambda rows, label: len(label.encode())),
    ],
)
def test_labels_can_be_compared_by_their_length(rows: Rows, per: Any, size: Any) -> None:
    frame = nbchat.classify(PROMPTS[0], LABELS, per=per, **LOCAL)
    exact = sums(rows, PROMPTS[0], LABELS)
    weights = [value / size(rows, label) for value, label in zip(exact, LABELS, strict=True)]
    assert frame["prob"].tolist() == pytest.approx(shares(weights), abs=1e-4)
    assert frame["logprob"].tolist() == pytest.approx(exact, abs=1e-4)
    assert frame["coverage"][0] == pytest.approx(np.exp(exact).sum(), rel=1e-3)


@pytest.mark.local
def test_pmi_is_against_the_neutral_prompt(rows: Rows) -> None:
    frame = nbchat.classify(PROMPTS[0], LABELS, "pmi", neutral="Say a word.", **LOCAL)
    exact, base = (sums(rows, prompt, LABELS) for prompt in (PROMPTS[0], "Say a word."))
    weights = [value - other for value, other in zip(exact, base, strict=True)]
    assert frame["prob"].tolist() == pytest.approx(shares(weights), abs=1e-3)
    assert frame["logprob"].tolist() == pytest.approx(exact, abs=1e-4)
    assert frame["coverage"].iloc[0] == pytest.approx(np.exp(exact).sum(), rel=1e-3)
    assert set(frame["method"]) == {"pmi"}
    assert frame["logprob_neutral"].tolist() == pytest.approx(base, abs=1e-4)
    assert frame["pmi"].tolist() == pytest.approx(weights, abs=2e-4)
    assert frame["is_predicted"].tolist() == (frame["pmi"] == frame["pmi"].max()).tolist()


@pytest.mark.local
@pytest.mark.parametrize("top", [20, "all"])
def test_first_token_agrees_with_the_whole_row(rows: Rows, top: Any) -> None:
    from nbchat.api.logprobs import VOCABULARY

    labels = ["Positive", "Negative", "Possible"]
    frame = nbchat.classify(PROMPTS[0], labels, "first_token", top_logprobs=top, **LOCAL)
    row = rows.row(rows.prompt(PROMPTS[0]))
    listed = sorted(row, key=lambda i: -row[i])[: top if top != "all" else None]
    tokens = {VOCABULARY.ids[c]: VOCABULARY.tokens[c] for c in range(len(VOCABULARY))}
    sure, shared = dict.fromkeys(labels, 0.0), dict.fromkeys(labels, 0.0)
    for number in listed:
        piece = tokens[number].strip().lower()
        owners = [label for label in labels if piece and label.lower().startswith(piece)]
        for owner in owners:
            (sure if len(owners) == 1 else shared)[owner] += exp(row[number])
    total = frame["coverage"][0]
    assert frame["prob_lo"].tolist() == pytest.approx([sure[c] / total for c in labels], abs=1e-4)
    most = [(sure[label] + shared[label]) / total for label in labels]
    assert frame["prob_hi"].tolist() == pytest.approx(most, abs=1e-4)
    assert frame["prob"].sum() == pytest.approx(1)
    assert (frame["prob_lo"] <= frame["prob"]).all()
    assert (frame["prob"] <= frame["prob_hi"]).all()
    assert ENDS[0] in row


@pytest.mark.local
def test_prompts_are_messages_too_and_labels_stand_for_replies(weights: Path) -> None:
    said = [{"role": "user", "content": PROMPTS[0]}]
    one = nbchat.classify([said, PROMPTS[1]], {"+": "Positive", "-": "Negative"}, **LOCAL)
    other = nbchat.classify(PROMPTS, ["Positive", "Negative"], **LOCAL)
    assert list(one["label"]) == ["+", "-"] * 2
    assert one["prob"].tolist() == pytest.approx(other["prob"].tolist(), abs=1e-4)
    assert len(nbchat.classify(said, ["a", "b"], **LOCAL)) == 2
    asked = nbchat.classify(PROMPTS[0], ["Yes", "No"], system="Say No.", **LOCAL)
    assert session.runs[-1].messages[0] == {"role": "system", "content": "Say No."}
    assert set(asked["prompt_text"]) == {PROMPTS[0]}


def answering(alternatives: list[tuple[str, float]]) -> Any:
    def answer(request: Request) -> Any:
        made = completion("x")
        entry = logprob_entry(*alternatives[0], alternatives)
        made["choices"][0]["logprobs"] = {"content": [entry]}
        return made

    return answer


@pytest.fixture(autouse=True)
def is_of_someone(request: pytest.FixtureRequest) -> None:
    if "server" in request.fixturenames:
        server = request.getfixturevalue("server")
        server.models_reply = {"data": [{"id": "m", "owned_by": "someone"}]}


def test_surface_variants_are_summed_and_the_ambiguous_is_an_interval(
    server: ScriptedServer,
) -> None:
    server.default = answering(
        [
            ("Yes", log(0.3)), (" yes", log(0.1)), ("No", log(0.2)), ("N", log(0.1)),
            ("<|im_end|>", log(0.05)), ("", log(0.04)), (" ", log(0.03)), ("\n", log(0.02)),
            ("Maybe", log(0.01)), ("no.", -9999.0),
        ]
    )  # fmt: skip
    frame = nbchat.classify("Hi", ["yes", "no", "never"], "first_token", model="m")
    frame = frame.set_index("label")
    assert frame["coverage"].tolist() == pytest.approx([0.7] * 3)
    assert frame.loc["yes", ["prob", "prob_lo", "prob_hi"]].tolist() == pytest.approx([4 / 7] * 3)
    no = frame.loc["no", ["prob", "prob_lo", "prob_hi"]].tolist()
    assert no == pytest.approx([0.25 / 0.7, 0.2 / 0.7, 0.3 / 0.7])
    never = frame.loc["never", ["prob", "prob_lo", "prob_hi"]].tolist()
    assert never == pytest.approx([0.05 / 0.7, 0, 0.1 / 0.7])
    assert frame["logprob"].tolist() == pytest.approx([log(0.4), log(0.25), log(0.05)])
    assert frame["is_predicted"].tolist() == [True, False, False]
    (sent,) = server.requests
    asked = {name: sent.body[name] for name in ("max_tokens", "top_logprobs", "temperature")}
    assert asked == {"max_tokens": 1, "top_logprobs": 20, "temperature": 1}
    assert sent.body["logprobs"] is True
    assert "logit_bias" not in sent.body


def test_a_label_that_is_not_listed_has_no_log_probability(server: ScriptedServer) -> None:
    server.default = answering([("Yes", log(0.5))])
    frame = nbchat.classify(["a", "b"], ["Yes", "No"], "first_token", model="m")
    assert frame["prob"].tolist() == [1, 0, 1, 0]
    assert frame["logprob"].isna().tolist() == [False, True, False, True]
    server.default = answering([("Hm", log(0.5))])
    frame = nbchat.classify("a", ["Yes", "No"], "first_token", model="m", truth="No")
    assert frame["prob"].isna().all()
    assert frame["coverage"].tolist() == [0, 0]
    assert not frame["is_predicted"].any()
    assert frame["is_correct"].tolist() == [False, True]


def test_exact_elsewhere_is_not_available_and_first_token_is_offered(
    server: ScriptedServer,
) -> None:
    for method in ("exact", "pmi"):
        with pytest.raises(NotAvailableError, match='method="first_token"'):
            nbchat.classify("Hi", ["Yes", "No"], method, model="m")
    assert server.requests == []


def test_truth_may_be_missing(server: ScriptedServer) -> None:
    server.default = answering([("Yes", log(0.5))])
    frame = nbchat.classify(
        ["a", "b"], ["Yes", "No"], "first_token", model="m", truth=[None, "Yes"]
    )
    assert frame["truth"].isna().tolist() == [True, True, False, False]
    assert frame["is_correct"].isna().tolist() == [True, True, False, False]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"labels": ["Yes"]}, "labels is .* two texts or more"),
        ({"labels": "Yes"}, "labels is"),
        ({"labels": ["Yes", " "]}, "none blank"),
        ({"labels": {"a": "Yes", "b": "Yes"}}, "no two alike"),
        ({"method": "guess"}, "method is \"guess\", but must be one of exact, first_token, pmi"),
        ({"per": "word"}, "per is \"word\", but must be one of label, token"),
        ({"truth": ["Yes"]}, "a label for each of the 2 prompts, and there are 1"),
        ({"truth": ["Yes", "Maybe"]}, "truth has \"Maybe\", which is not one of the labels"),
        ({"method": "first_token", "top_logprobs": 21}, "top_logprobs"),
        ({"method": "first_token", "top_logprobs": "all"}, "elsewhere 20 is the most"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused_before_sending(
    server: ScriptedServer, wrong: dict[str, Any], sentence: str
) -> None:
    asked = {"prompts": ["a", "b"], "labels": ["Yes", "No"], "model": "m"} | wrong
    with pytest.raises(CheckError, match=sentence):
        nbchat.classify(**asked)
    assert server.requests == []


def test_no_log_probabilities_are_an_error(server: ScriptedServer) -> None:
    server.default = completion("Yes")
    with pytest.raises(ApiError, match="no log probabilities for the first token"):
        nbchat.classify("Hi", ["Yes", "No"], "first_token", model="m")


def test_a_long_one_says_how_far_it_is(
    server: ScriptedServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from nbchat.analysis import progress

    monkeypatch.setattr(progress, "SHOWN_AFTER_S", 0.1)
    answer = answering([("Yes", log(0.5))])

    def slow(request: Request) -> Any:
        reply = Reply.json(answer(request))
        return Reply(reply.body, before=[Pause(0.3)], content_type="application/json")

    server.default = slow
    nbchat.classify(["a"] * 8, ["Yes", "No"], "first_token", model="m")
    captured = capsys.readouterr()
    assert "classifying" in captured.err
    assert captured.out == ""


def test_an_interrupt_begins_no_more_requests(server: ScriptedServer) -> None:
    def slow(request: Request) -> Any:
        reply = Reply.json(answering([("Yes", log(0.5))])(request))
        return Reply(reply.body, before=[Pause(1)], content_type="application/json")

    server.default = slow

    def interrupt() -> None:
        server.wait_for_requests(4)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        nbchat.classify(["a"] * 40, ["Yes", "No"], "first_token", model="m")
    assert len(server.requests) == 4
    assert {run.status for run in session.runs} == {"interrupted"}
