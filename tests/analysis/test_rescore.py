from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nbchat
from nbchat import frames, session
from nbchat.errors import CheckError, NotAvailableError
from tests.analysis.exactly import Rows
from tests.analysis.letters import END, MODELS, Letters, logprob
from tests.analysis.test_score import VLLM
from tests.frames.made import choice, entry, run_of, token
from tests.scripted import ScriptedServer

HI = [{"role": "user", "content": "Hi"}]
FOXES = "Say: 🦊🦊"


@pytest.fixture(scope="module")
def rows(weights: Path) -> Rows:
    return Rows()


def a_reply(**facts: Any) -> nbchat.Run:
    """What another model wrote, in tokens of its own."""
    made: nbchat.Run = run_of(
        choice(entry("Good", -1.0, ("Bad", -0.5)), entry(" day", -2.0), entry("!", -0.25)),
        params={"logprobs": True, "top_logprobs": 2, "model": "big"},
        messages=HI,
        base_url="http://127.0.0.1:9/v1",
        **facts,
    )
    return made


@pytest.mark.local
@pytest.mark.parametrize("prompt", [FOXES, "Write a poem about 🎉."])
def test_every_token_of_a_merged_character_has_its_row(rows: Rows, prompt: str) -> None:
    run = nbchat.chat(
        prompt, profile="local", temperature=0, seed=1, max_completion_tokens=12, logprobs=True,
        top_logprobs=3,
    )  # fmt: skip
    found = nbchat.rescore(run)
    exact = rows.logprobs(prompt, run.text)[:-1]  # the reply was cut off: its end is not in it
    new = found.tokens()
    assert new["logprob"].tolist() == pytest.approx(exact, abs=1e-4)
    assert not new["is_merged"].any()
    assert (new["top_k"] == 3).all()
    bits = -sum(exact) / math.log(2)
    assert found.choices()["bits_per_byte"][0] == pytest.approx(
        bits / len(run.text.encode()), abs=1e-4
    )
    assert not found.choices()["perplexity_is_bound"][0]
    assert found.run.text == run.text
    assert found.run in session.runs
    assert math.isnan(found.end_logprob)


@pytest.mark.local
def test_what_had_its_rows_keeps_them_and_the_end_is_any_token_that_ends(rows: Rows) -> None:
    prompt = "What is the capital of France? Answer in one short sentence."
    run = nbchat.chat(
        prompt, profile="local", temperature=0, max_completion_tokens=40, logprobs=True,
        top_logprobs=2,
    )  # fmt: skip
    assert run.finish_reason == "stop"
    found = nbchat.rescore(run)
    assert found.difference < 1e-4
    assert "as it was written" in found.label
    exact = rows.logprobs(prompt, run.text)
    assert found.end_logprob == pytest.approx(exact[-1], abs=1e-4)
    shared = found.frame().dropna(subset=["delta_bits"])
    assert len(shared) == len(exact) - 1
    assert shared["delta_bits"].abs().max() < 1e-3


@pytest.mark.local
def test_a_reply_without_any_row_is_read_as_its_text(rows: Rows) -> None:
    run = nbchat.chat("Name a colour.", profile="local", temperature=0, max_completion_tokens=6)
    found = nbchat.rescore(run, top_logprobs=7)
    assert "cut into tokens anew" in found.label
    exact = rows.logprobs("Name a colour.", run.text)[:-1]
    assert found.tokens()["logprob"].tolist() == pytest.approx(exact, abs=1e-4)
    assert (found.tokens()["top_k"] == 7).all()
    assert "cut into tokens anew" in repr(found)


@pytest.fixture
def answering() -> Any:
    return Letters()


def test_another_model_reads_the_reply_and_both_stand_side_by_side(server: ScriptedServer) -> None:
    server.models_reply = MODELS
    run = a_reply()
    found = nbchat.rescore(run, profile=server.url)
    frame = found.frame()
    assert frame["display_a"].tolist() == ["Good", "␣day", "!"]
    assert frame["n_tokens_b"].tolist() == [4, 4, 1]
    text = "|Good day!"
    of_letters = [logprob(ord(a), ord(b)) for a, b in itertools.pairwise(text)]
    bits = np.array(of_letters) / -math.log(2)
    expected = [bits[:4].sum(), bits[4:8].sum(), bits[8]]
    np.testing.assert_allclose(frame["surprisal_bits_b"], expected)
    np.testing.assert_allclose(frame["surprisal_bits_a"], np.array([1, 2, 0.25]) / math.log(2))
    assert frame["byte_start_a"].tolist() == frame["byte_start_b"].tolist() == [0, 4, 8]
    assert found.end_logprob == pytest.approx(logprob(ord("!"), END))
    assert found.run.text == run.text == "Good day!"
    assert (found.run.model, found.parent, found.runs) == ("letters", run, [run, found.run])
    assert found.names == ("small, which wrote it", "letters, which reads it")
    assert "Read by another model" in found.label
    assert f"of run {run.id}, which small wrote" in found.run.notes[-1]
    assert "small, which wrote it" in nbchat.plots.comparison(found).get_title()
    # both are rows of the inspector, and what is kept in a file
    assert nbchat.inspect(found)._page.labels == list(found.names)
    assert nbchat.Run.from_dict(found.run.to_dict()).tokens().equals(found.tokens())


def test_vllm_reads_it_from_its_prompt(server: ScriptedServer) -> None:
    server.default = VLLM()
    server.models_reply = {"data": [{"id": "m", "owned_by": "vllm"}]}
    run = run_of(
        choice(entry("Go", -1.0), entry("od day", -2.0)), messages=HI, params={"logprobs": True}
    )
    found = nbchat.rescore(run, profile=server.url, model="m", top_logprobs=2)
    assert found.frame()["n_tokens_a"].tolist() == [2]
    assert found.frame()["n_tokens_b"].tolist() == [2]
    assert found.frame()["surprisal_bits_b"][0] == pytest.approx(3.5 / math.log(2))
    assert list(found.tokens()["token"]) == ["Good", " day", "<|im_end|>"]


def test_the_one_that_wrote_it_is_asked_where_the_run_came_from(server: ScriptedServer) -> None:
    """A character of two tokens, of which the row has the last one's log probability."""
    server.models_reply = MODELS
    ids = {"G": ord("G"), "o": ord("o")}
    run = run_of(
        choice(*(entry(c, logprob(b, n), token(c, 0.0, number=n), number=n)
                 for b, (c, n) in zip([ord("|"), ord("G")], ids.items(), strict=True)),
               finish="length"),
        choice(entry("else", -1.0), index=1),
        messages=HI, base_url=server.url,
    )  # fmt: skip
    found = nbchat.rescore(run)
    assert found.difference == 0
    assert [len(frames.tokens(one)) for one in found.runs] == [3, 3]
    assert found.run.completion is not None
    assert found.run.completion.choices[1] == run.completion.choices[1]
    assert found.names == ("small, as it came", "small, every token")
    moved = run_of(
        choice(entry("G", -9.0, token("G", -9.0, number=71), number=71), finish="length"),
        messages=HI, base_url=server.url,
    )  # fmt: skip
    assert "Another model, template or option" in nbchat.rescore(moved).label


@pytest.mark.parametrize(
    ("run", "more", "sentence"),
    [
        (a_reply(), {"choice": 3}, "choice is 3, but must be a choice of the run, which has 1"),
        (a_reply(), {"top_logprobs": 0}, "top_logprobs is 0, but must be a whole number"),
        (run_of(choice(text=""), messages=HI), {}, "no text"),
        (run_of(choice(text="a")), {}, r"no messages .*score\(None, run\.text\) reads it alone"),
        (run_of(choice(text="a"), status="running"), {}, "still goes on"),
    ],
)
def test_what_cannot_be_read_is_refused_before_anything_is_sent(
    server: ScriptedServer, run: nbchat.Run, more: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(CheckError, match=sentence):
        nbchat.rescore(run, profile=server.url, **more)
    with pytest.raises(TypeError, match="reads the reply of a run"):
        nbchat.rescore("Good day", profile=server.url)  # type: ignore[arg-type]
    assert server.requests == []


def test_other_servers_read_no_reply_and_it_says_what_does(server: ScriptedServer) -> None:
    server.models_reply = {"data": [{"id": "m", "owned_by": "someone"}]}
    with pytest.raises(NotAvailableError, match=r"llama\.cpp and vLLM"):
        nbchat.rescore(a_reply(), profile=server.url)
    assert server.requests == []
