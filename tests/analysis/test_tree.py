from __future__ import annotations

import math
from math import exp
from pathlib import Path
from typing import Any

import pytest

import nbchat
from nbchat.errors import CheckError, NotAvailableError
from tests.analysis.exactly import Rows
from tests.frames.made import choice, entry, run_of
from tests.scripted import ScriptedServer

PROMPT = "Name a colour."


def a_reply(**params: Any) -> nbchat.Run:
    asked = {"temperature": 0, "max_completion_tokens": 6, "logprobs": True, "top_logprobs": 5}
    return nbchat.chat(PROMPT, profile="local", **{**asked, **params})


def ways(rows: Rows, depth: int, width: int, min_prob: float) -> dict[tuple[int, ...], float]:
    """All token paths that whole rows allow, with their probabilities; sampled ones included."""
    before = rows.prompt(PROMPT)
    found: dict[tuple[int, ...], float] = {}

    def go_on(path: tuple[int, ...], prob: float, *, is_own: bool) -> None:
        if len(path) == depth:
            found[path] = prob
            return
        row = sorted(rows.row([*before, *path]).items(), key=lambda item: -item[1])[:width]
        for place, (number, logprob) in enumerate(row):
            here = prob * exp(logprob)
            # the likeliest is what the text goes on with, however unlikely the whole has become
            if here >= min_prob or (is_own and place == 0):
                go_on((*path, number), here, is_own=True)

    go_on((), 1.0, is_own=True)
    return found


@pytest.mark.local
def test_a_tree_has_the_likeliest_ways_and_their_mass(weights: Path) -> None:
    run = a_reply()
    tree = nbchat.tree(run, depth=3, width=3, min_prob=0.01)
    exact = ways(Rows(), 3, 3, 0.01)
    assert len(tree.branches) == len(exact) - 1 > 4
    assert {branch.method for branch in tree.branches} == {"exact"}
    paths = [tuple(one.tokens()["token_id"].tolist()[:3]) for one in tree.runs]
    assert set(paths) == set(exact)
    assert tree.masses == pytest.approx([exact[path] for path in paths], rel=1e-3)
    assert tree.coverage == pytest.approx(sum(exact.values()), rel=1e-3)
    assert f"{tree.coverage:.1%} of what could stand at positions 0 to 2" in repr(tree)
    frame = tree.frame()
    assert frame["mass"].tolist() == tree.masses[1:]
    first = frame[frame["position"] == 0]
    alternatives = run.alternatives()
    own = alternatives[(alternatives["position"] == 0) & ~alternatives["is_sampled"]]
    assert set(first["token"]) <= set(own["token"])
    assert frame["depth"].max() > 1
    ax = nbchat.plots.branches(tree)
    assert "of what could stand at positions 0 to 2" in ax.get_title()
    assert tree.label in nbchat.inspect(tree)._page.whole()["runs"][0]["note"]


@pytest.mark.local
def test_the_tree_in_the_inspector_is_that_of_the_function(weights: Path) -> None:
    run = a_reply(max_completion_tokens=4)
    tree = nbchat.tree(run, position=1, depth=1, width=3, min_prob=0.0)
    frame = nbchat.inspect(tree).branches
    same = ["branch_id", "position", "token", "method", "depth", "mass"]
    assert frame[same].equals(tree.frame()[same])
    assert frame["prob"].tolist() == pytest.approx(frame["mass"].tolist())
    assert frame["parent_id"].isna().all()


@pytest.mark.local
def test_a_reply_that_ends_is_whole_and_its_end_a_position(weights: Path) -> None:
    """After "Berlin." there is hardly anything but the end, and something else is a way on."""
    prompt = "What is the capital of Germany?"
    run = nbchat.chat(prompt, profile="local", temperature=0, max_completion_tokens=40,
                      stream=False, logprobs=True, top_logprobs=3)  # fmt: skip
    assert run.finish_reason == "stop"
    last = len(run.tokens()) - 1
    tree = nbchat.tree(run, position=last, depth=2, width=2, min_prob=0, max_completion_tokens=2)
    assert not any(map(math.isnan, tree.masses))
    assert tree.masses[0] == pytest.approx(run.tokens()["prob"].tolist()[last])
    assert 0.5 < tree.coverage <= 1


@pytest.mark.local
def test_the_likeliest_come_first_and_there_are_no_more_than_allowed(weights: Path) -> None:
    tree = nbchat.tree(a_reply(), depth=3, width=5, min_prob=0, max_branches=4)
    assert len(tree.branches) == 4
    whole = nbchat.tree(a_reply(), depth=1, width=5, min_prob=0, max_completion_tokens=1)
    probs = whole.frame()["prob"].tolist()
    assert probs == sorted(probs, reverse=True)


def test_a_tree_needs_a_server_that_goes_on(server: ScriptedServer) -> None:
    run = run_of(
        choice(entry("Hi", math.log(0.6), ("Hi", math.log(0.6)), ("Yo", math.log(0.3)))),
        base_url=server.url,
        messages=[{"role": "user", "content": "Greet."}],
    )
    with pytest.raises(NotAvailableError, match="goes on with a reply that was begun"):
        nbchat.tree(run, depth=1)
    assert nbchat.tree(run, depth=1, min_prob=0.5).coverage == pytest.approx(0.6)
    assert nbchat.tree(run, depth=2, min_prob=0.5).label.startswith("at least 0.0%")


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"depth": 0}, "depth is 0, but must be a whole number, 1 or more"),
        ({"width": 1.5}, "width is 1.5"),
        ({"min_prob": -1}, "min_prob is -1, but must be a probability"),
        ({"position": 7}, "position is 7"),
    ],
)
def test_what_is_no_tree_is_refused(more: dict[str, Any], sentence: str) -> None:
    run = run_of(choice(entry("Hi", -1.0, ("Yo", -1.0))))
    with pytest.raises(CheckError, match=sentence):
        nbchat.tree(run, **more)
    with pytest.raises(TypeError, match="grows from a run"):
        nbchat.tree("Hi")  # type: ignore[arg-type]
