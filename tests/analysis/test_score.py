from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nbchat
from nbchat import session
from nbchat.client import native
from nbchat.errors import ApiError, CheckError, NbchatError, NotAvailableError
from tests.analysis.exactly import ENDS, Rows
from tests.scripted import Reply, Request, ScriptedServer, completion

PROMPT = "What is the capital of France? Answer in one short sentence."
TEXTS = ["Paris", " Paris", "The capital of France is Paris.", "Zürich, naïve", "a🎉b", "日本語 🦜"]


@pytest.fixture(scope="module")
def rows(weights: Path) -> Rows:
    return Rows()


@pytest.mark.local
@pytest.mark.parametrize("text", ["Paris", " Paris.", "naïve", "a🎉b"])
def test_a_score_agrees_with_whole_rows(rows: Rows, text: str) -> None:
    (scored,) = nbchat.score(PROMPT, text, profile="local").scores
    exact = rows.logprobs(PROMPT, text)
    assert [*scored.logprobs, scored.end_logprob] == pytest.approx(exact, abs=1e-4)


@pytest.mark.local
def test_a_part_of_a_character_takes_no_whole_row(rows: Rows, monkeypatch: Any) -> None:
    tops: list[int] = []
    asked = native.written

    def noted(*args: Any, **kwargs: Any) -> Any:
        tops.append(kwargs["top"])
        return asked(*args, **kwargs)

    monkeypatch.setattr(native, "written", noted)
    text = "I like 🦊, 日本 and 🎉."
    (scored,) = nbchat.score(PROMPT, text, profile="local", top_logprobs=3).scores
    assert tops
    assert max(tops) <= 3
    monkeypatch.undo()
    exact = rows.logprobs(PROMPT, text)
    assert [*scored.logprobs, scored.end_logprob] == pytest.approx(exact, abs=1e-4)
    # where a server does not tell the odds, it is the whole row
    monkeypatch.setattr(native, "odds", lambda *_: None)
    (whole,) = nbchat.score(PROMPT, text, profile="local", top_logprobs=3).scores
    assert whole.logprobs == pytest.approx(scored.logprobs, abs=1e-4)


@pytest.mark.local
def test_scores_are_frames_and_runs(weights: Path) -> None:
    n_before = len(session.runs)
    scores = nbchat.score([{"role": "user", "content": PROMPT}], TEXTS, profile="local")
    frame = scores.frame()
    assert list(frame["text"]) == TEXTS
    assert [run.text for run in scores.runs] == TEXTS
    assert set(session.runs[n_before:]) == set(scores.runs)
    assert {run.status for run in scores.runs} == {"complete"}
    tokens = scores.tokens()
    for row, run in zip(frame.itertuples(), scores.runs, strict=True):
        own = tokens[tokens["run_id"] == run.id]
        written = own[~own["is_special"]]
        assert len(written) == row.n_tokens == len(own) - 1
        assert "".join(written["text"]) == row.text
        assert row.sum_logprob == pytest.approx(written["logprob"].sum())
        # the row of the end is that of one end token, of several
        assert row.end_logprob >= own["logprob"].iloc[-1] - 1e-6
        assert row.sum_logprob_with_end == pytest.approx(row.sum_logprob + row.end_logprob)
        assert row.mean_logprob == pytest.approx(row.sum_logprob / row.n_tokens)
        with_end = row.sum_logprob_with_end / (row.n_tokens + 1)
        assert row.mean_logprob_with_end == pytest.approx(with_end)
        assert row.logprob_per_byte == pytest.approx(row.sum_logprob / len(row.text.encode()))
        assert row.prob == pytest.approx(math.exp(row.sum_logprob))
    assert "Zürich" in repr(scores)
    assert "<table" in scores._repr_html_()


@pytest.mark.local
def test_what_the_model_says_by_itself_has_the_same_score(weights: Path) -> None:
    run = nbchat.chat(
        PROMPT, profile="local", temperature=0, max_completion_tokens=20, logprobs=True
    )
    scored = nbchat.score(PROMPT, run.text, profile="local").scores[0]
    assert scored.logprobs == pytest.approx(run.tokens()["logprob"].tolist(), abs=1e-4)
    assert scored.end_logprob > math.log(0.5)


@pytest.mark.local
def test_an_empty_reply_has_the_end_alone(rows: Rows) -> None:
    (scored,) = nbchat.score(PROMPT, "", profile="local").scores
    assert scored.logprobs == ()
    assert scored.end_logprob == pytest.approx(rows.logprobs(PROMPT, "")[0], abs=1e-4)


@pytest.mark.local
def test_the_end_of_a_reply_is_any_token_that_ends_it(rows: Rows) -> None:
    """The tokens that end a generation are tried out, each for itself."""
    client = rows.client
    tried = [i for i in range(24) if native.step(client, rows.ids("a"), forced=i, top=1).ends]
    assert sorted(native.end_tokens(client)) == tried == sorted(ENDS)
    texts = ["Berlin", "Berlin.", ""]
    prompt = "What is the capital of Germany?"
    scored = nbchat.score(prompt, texts, profile="local", top_logprobs=1).scores
    for text, one in zip(texts, scored, strict=True):
        assert one.end_logprob == pytest.approx(rows.logprobs(prompt, text)[-1], abs=1e-4)


@pytest.mark.local
def test_a_text_alone_has_no_template(rows: Rows) -> None:
    texts = ["The keys are here.", "naïve 🎉"]
    scores = nbchat.score(None, texts, profile="local")
    for text, one in zip(texts, scores.scores, strict=True):
        assert one.logprobs == pytest.approx(rows.alone(text), abs=1e-4)
        assert (one.run.text, one.run.messages) == (text, [])
        assert "conditional on the beginning of a text alone" in one.run.notes[-1]
    words = scores.words()
    first = words[words["run_id"] == scores.runs[0].id]
    assert list(first["text"].str.strip()) == texts[0].split()
    assert first["logprob"].sum() == pytest.approx(scores.scores[0].sum_logprob)


@pytest.mark.local
def test_texts_continue_a_message_of_the_assistant(rows: Rows) -> None:
    begun = "The capital of France is"
    messages = [
        {"role": "user", "content": PROMPT},
        {"role": "assistant", "content": begun},
    ]
    (one,) = nbchat.score(messages, " Paris.", profile="local").scores
    whole = nbchat.score(PROMPT, f"{begun} Paris.", profile="local").scores[0]
    assert one.logprobs == pytest.approx(whole.logprobs[-len(one.logprobs) :], abs=1e-4)
    assert one.end_logprob == pytest.approx(whole.end_logprob, abs=1e-4)


class VLLM:
    """Speaks as vLLM does: /tokenize at the root, prompt_logprobs in its completions."""

    VOCABULARY = ("<user>", "Hi", "<assistant>", "Good", " day", "<|im_end|>", "Bad", "\n")

    def __init__(self, listed: bool = True) -> None:
        self.listed = listed

    def __call__(self, request: Request) -> Any:
        if request.path == "/tokenize":
            return {"tokens": self.ids(request.body), "count": 0, "max_model_len": 99}
        assert request.path == "/v1/completions"
        prompt = request.body["prompt"]
        told = [None] + [self.position(prompt, i) for i in range(1, len(prompt))]
        choice = {"index": 0, "text": "x", "finish_reason": "length", "logprobs": None}
        answer = completion("") | {"object": "text_completion", "choices": [choice]}
        if self.listed:
            choice["prompt_logprobs"] = told
        return Reply.json(answer)

    def ids(self, body: dict[str, Any]) -> list[int]:
        if "prompt" in body:
            assert body["add_special_tokens"] is False
            return [3, 4] if body["prompt"] == "Good day" else [6]
        said = body["messages"]
        if body["add_generation_prompt"]:
            return [0, 1, 2]
        text = self.ids({"prompt": said[-1]["content"], "add_special_tokens": False})
        return [0, 1, 2, *text, 5, 7]

    def position(self, prompt: list[int], i: int) -> dict[str, Any]:
        own = {"logprob": -0.5 * i, "rank": 4, "decoded_token": self.VOCABULARY[prompt[i]]}
        others = {
            "6": {"logprob": -0.25, "rank": 1, "decoded_token": "Bad"},
            "7": {"logprob": -0.3, "rank": 2, "decoded_token": "\n"},
        }
        return {str(prompt[i]): own} | {n: o for n, o in others.items() if int(n) != prompt[i]}


@pytest.fixture
def answering() -> Any:
    return VLLM()


@pytest.fixture(autouse=True)
def is_vllm(request: pytest.FixtureRequest) -> None:
    if "server" in request.fixturenames:
        server = request.getfixturevalue("server")
        server.models_reply = {"data": [{"id": "m", "owned_by": "vllm"}]}


def test_vllm_is_asked_for_the_log_probabilities_of_its_prompt(server: ScriptedServer) -> None:
    scores = nbchat.score("Hi", ["Good day", "Bad"], model="m", top_logprobs=2)
    frame = scores.frame()
    assert list(frame["n_tokens"]) == [2, 1]
    assert list(frame["sum_logprob"]) == [-1.5 - 2.0, -1.5]
    assert list(frame["end_logprob"]) == [-2.5, -2.0]
    sent = [r.body for r in server.requests if r.path == "/v1/completions"]
    assert sorted((body["prompt"] for body in sent), key=len) == [
        [0, 1, 2, 6, 5],
        [0, 1, 2, 3, 4, 5],
    ]
    assert {(b["prompt_logprobs"], b["max_tokens"], b["model"]) for b in sent} == {(2, 1, "m")}
    assert not any("stream" in body for body in sent)
    tokens = scores.tokens()
    assert list(tokens["token"]) == ["Good", " day", "<|im_end|>", "Bad", "<|im_end|>"]
    assert list(tokens["in_top"]) == [False, False, False, True, False]
    assert list(tokens["top_k"]) == [2] * 5
    assert list(tokens["is_special"]) == [False, False, True, False, True]
    assert [run.text for run in scores.runs] == ["Good day", "Bad"]


def test_a_text_alone_needs_llama_cpp(server: ScriptedServer) -> None:
    with pytest.raises(NotAvailableError, match=r"without a template .*servers of llama\.cpp"):
        nbchat.score(None, "Good day", model="m")
    with pytest.raises(CheckError, match="has no system message"):
        nbchat.score(None, "Good day", model="m", system="Be kind.")
    assert server.requests == []


def test_without_its_log_probabilities_there_is_no_score(server: ScriptedServer) -> None:
    server.default = VLLM(listed=False)
    with pytest.raises(ApiError, match='no log probabilities for "Bad"'):
        nbchat.score("Hi", "Bad", model="m")


def test_elsewhere_it_is_not_available_and_says_what_is(server: ScriptedServer) -> None:
    server.models_reply = {"data": [{"id": "m", "owned_by": "someone"}]}
    with pytest.raises(NotAvailableError, match=r"llama\.cpp and vLLM.*first_token.*local") as e:
        nbchat.score("Hi", "Bad", model="m")
    assert isinstance(e.value, NbchatError)
    assert server.requests == []
    assert session.runs == []


@pytest.mark.parametrize(
    ("texts", "more", "sentence"),
    [
        (["a", 3], {}, "A text to score is 3"),
        (["a"], {"top_logprobs": 0}, "top_logprobs is 0, but must be a whole number from 1 to 20"),
    ],
)
def test_wrong_arguments_are_refused_before_sending(
    server: ScriptedServer, texts: list[Any], more: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(CheckError, match=sentence):
        nbchat.score("Hi", texts, model="m", **more)
    assert server.requests == []


def test_a_server_that_ignores_the_grammar_is_found_out(server: ScriptedServer) -> None:
    server.models_reply = {"data": [{"id": "m", "owned_by": "llamacpp"}]}
    entry = {"token": "No", "id": 9, "bytes": [78, 111], "logprob": -1.0, "top_logprobs": []}

    def ignoring(request: Request) -> Any:
        if request.path == "/tokenize":
            return {"tokens": [{"id": 1, "piece": "Good"}]}
        answer = completion("No")
        answer["choices"][0]["logprobs"] = {"content": [entry]}
        return answer

    server.default = ignoring
    with pytest.raises(ApiError, match='did not hold to the tokens of "Good"'):
        nbchat.score("Hi", "Good", model="m")


def test_a_tokenizer_that_loses_text_is_found_out(server: ScriptedServer) -> None:
    server.models_reply = {"data": [{"id": "m", "owned_by": "llamacpp"}]}
    server.default = {"tokens": [{"id": 1, "piece": "good"}]}
    with pytest.raises(ApiError, match="do not make this text again"):
        nbchat.score("Hi", "Good", model="m")


def test_a_refusal_is_the_error(server: ScriptedServer) -> None:
    server.default = Reply.json({"error": {"message": "no such model"}}, 404)
    with pytest.raises(ApiError, match="no such model"):
        nbchat.score("Hi", ["Good"], model="m")
    assert [run.status for run in session.runs] == ["error"]


def test_mean_of_nothing_is_missing() -> None:
    from nbchat.analysis.score import Score
    from nbchat.frames.scored import scores

    empty = Score("", nbchat.Run(messages=[], params=nbchat.ChatParams()), (), -3.0)
    row = scores([empty]).iloc[0]
    assert np.isnan(row["mean_logprob"])
    assert np.isnan(row["logprob_per_byte"])
    assert (row["sum_logprob"], row["mean_logprob_with_end"]) == (0, -3.0)


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_what_no_server_can_tokenise_is_refused_before_anything_is_sent(text: str) -> None:
    with ScriptedServer() as server:
        with pytest.raises(CheckError, match="NUL"):
            nbchat.score("Hi", ["Good day", text], profile=server.url)
        assert server.requests == []


@pytest.mark.local
def test_a_text_without_room_is_refused_at_once(weights: Path) -> None:
    with pytest.raises(CheckError, match=r"is 9,001 tokens .*fewer than 4,096"):
        nbchat.score("Hi", ["Paris", "word" + " word" * 9000], profile="local")
