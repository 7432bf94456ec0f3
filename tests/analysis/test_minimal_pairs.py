from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import nbchat
from nbchat.errors import CheckError
from tests.analysis.exactly import Rows
from tests.scripted import Request, ScriptedServer, completion

PAIRS = pd.DataFrame(
    {
        "good": ["The keys are here.", "The dogs bark.", "She is old."],
        "bad": ["The keys is here.", "The dogs barks.", "She is old."],
        "kind": ["attractor", "simple", "simple"],
    },
    index=[7, 8, 9],
)


@pytest.mark.local
def test_each_sentence_has_the_sum_of_whole_rows(weights: Path) -> None:
    rows = Rows()
    found = nbchat.minimal_pairs(PAIRS, profile="local")
    frame = found.frame()
    assert list(frame.columns) == [*PAIRS.columns, "good_logprob", "bad_logprob", "is_right"]
    for side in ("good", "bad"):
        exact = [sum(rows.alone(text)) for text in PAIRS[side]]
        assert frame[f"{side}_logprob"].tolist() == pytest.approx(exact, abs=1e-3)
    assert frame["is_right"].isna().tolist() == [False, False, True]
    table = found.accuracy("kind")
    assert table["group"].tolist() == ["all", "attractor", "simple"]
    assert table["n_ties"].tolist() == [1, 0, 1]
    assert table["n_right"].tolist()[0] == frame["is_right"].sum()
    assert len(found.runs) == 6
    assert "<table" in found._repr_html_()


def reading(request: Request) -> Any:
    """A server of llama.cpp whose tokens are words, each likelier the shorter it is."""
    if request.path == "/tokenize":
        words = request.body["content"].split(" ")
        pieces = [words[0], *(f" {word}" for word in words[1:])]
        tokens = [{"id": 10 + sum(p.encode()), "piece": p} for p in pieces]
        return {"tokens": tokens}
    ids = [int(part[2:-2]) for part in request.body["grammar"].split() if part.startswith("<[")]
    content = [_entry(number) for number in ids] or [_entry(2, "")]
    answer = completion("")
    answer["choices"][0] |= {"finish_reason": "stop", "logprobs": {"content": content}}
    return answer


def _entry(number: int, token: str = "x") -> dict[str, Any]:
    return {
        "token": token,
        "id": number,
        "bytes": list(token.encode()),
        "logprob": -number / 1000,
        "top_logprobs": [],
    }


@pytest.mark.parametrize("pairs", [[("a b", "a c"), ("a", "d")], PAIRS[["good", "bad"]]])
def test_a_sentence_of_several_pairs_is_scored_once(pairs: Any) -> None:
    with ScriptedServer(default=reading) as server:
        server.models_reply = {"data": [{"id": "m", "owned_by": "llamacpp"}]}
        found = nbchat.minimal_pairs(pairs, "Say it.", profile=server.url, model="m")
    frame = found.frame()
    texts = {*frame["good"], *frame["bad"]}
    assert len({run.id for run in found.runs}) == len(texts)
    likelier = frame["good_logprob"] > frame["bad_logprob"]
    is_tie = frame["good_logprob"] == frame["bad_logprob"]
    assert frame["is_right"][~is_tie].tolist() == likelier[~is_tie].tolist()
    assert frame["is_right"].isna().tolist() == is_tie.tolist()


@pytest.mark.parametrize(
    ("pairs", "sentence"),
    [
        (["ab"], "must be a frame with the columns good and bad, or pairs of texts"),
        ([("a", "b", "c")], "must be a frame with the columns good and bad, or pairs of texts"),
        (7, "pairs is 7, but must be a frame"),
        (pd.DataFrame({"good": ["a"]}), "there is no bad"),
        ([("a", None)], "bad of pair 0 is null, but must be a text|bad of pair 0 is None"),
    ],
)
def test_what_are_no_pairs_is_refused_before_anything_is_sent(
    server: ScriptedServer, pairs: Any, sentence: str
) -> None:
    with pytest.raises(CheckError, match=sentence):
        nbchat.minimal_pairs(pairs, model="m")
    assert server.requests == []
