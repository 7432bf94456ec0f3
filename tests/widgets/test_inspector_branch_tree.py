"""Branching in the inspector, without a browser."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

import nbchat
from nbchat.errors import CheckError
from nbchat.widgets.inspector import Inspector
from nbchat.widgets.inspector.branch_tree import Writing
from nbchat.widgets.protocol import INSPECTOR
from tests.frames.made import choice, entry, run_of, token
from tests.widgets.messages import read

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbchat import local


def wait_for(condition: Callable[[], Any], timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def an_answer(**params: Any) -> nbchat.Run:
    return nbchat.chat(
        "Why is the sky blue?",
        profile="local",
        logprobs=True,
        top_logprobs=5,
        **{"temperature": 0, "max_completion_tokens": 24, **params},
    )


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the page is told, in order."""
    messages: list[Any] = []

    def take(_: Any, content: Any, buffers: Any = None) -> None:
        read(content, INSPECTOR.kernel)
        messages.append(json.loads(json.dumps(content, allow_nan=False)))

    monkeypatch.setattr(Inspector, "send", take)
    return messages


def press_branch(inspector: Inspector, key: str, position: int, row: int, n: int = 1) -> None:
    content = {"type": "branch", "key": key, "position": position, "row": row, "n": n}
    inspector._handle_custom_msg(content, [])
    wait_for(lambda: not inspector._work["busy"])
    assert inspector._work["sentence"] == ""


@pytest.mark.local
def test_the_text_goes_on_from_an_alternative_and_from_one_of_that(
    local_server: local.Server, told: list[Any]
) -> None:
    run = an_answer()
    inspector = nbchat.inspect(run)
    assert len(inspector.branches) == 0
    inspector.selected = 4
    listed = inspector.selected_alternatives
    press_branch(inspector, "0:0:content", 4, row=1)
    press_branch(inspector, "1:0:content", 8, row=2, n=2)
    frame = inspector.branches
    assert frame["branch_id"].tolist() == [1, 2, 3]
    assert frame["parent_id"].isna().tolist() == [True, False, False]
    assert frame["parent_id"].tolist()[1:] == [1, 1]
    assert frame["depth"].tolist() == [1, 2, 2]
    assert frame["position"].tolist() == [4, 8, 8]
    assert frame["method"].tolist() == ["exact"] * 3
    assert frame["token"][0] == listed["token"][1]
    assert frame["prob"][0] == pytest.approx(listed["prob"][1])
    assert frame["run_id"].tolist() == [made.id for made in inspector.runs[1:]]
    before = "".join(run.tokens()["text"][:4])
    assert frame["text"][0].startswith(before + frame["token"][0])
    # each is shown, and can be looked into
    inspector.selected = {"run_id": frame["run_id"][0], "position": 4}
    assert inspector.selected["token"] == frame["token"][0]
    # the page was told of the runs before they were named as branches
    kinds = [m["type"] for m in told]
    assert kinds.index("changes") < kinds.index("branches")
    opened = [m["open"] for m in told if m["type"] == "branches" and m["open"] is not None]
    assert opened == [1, 2]
    # the picture has them, and so has the figure
    assert "branch 2, exact, at 8" in inspector.stand_in_html()
    assert nbchat.plots.branches(frame).get_title() == "Tree of 3 branches"


@pytest.mark.local
def test_branching_in_code_is_at_the_selected_token(
    local_server: local.Server, told: list[Any]
) -> None:
    inspector = nbchat.inspect(an_answer(max_completion_tokens=8))
    with pytest.raises(ValueError, match="nothing is selected"):
        inspector.branch(" sea")
    inspector.selected = 2
    inspector.branch(" sea", max_completion_tokens=4)
    wait_for(lambda: not inspector._work["busy"])
    frame = inspector.branches
    assert frame["token"].tolist() == [" sea"]
    assert frame["display"].tolist() == ["␣sea"]
    assert pd.isna(frame["prob"][0])  # it was not in the list


@pytest.mark.local
def test_a_branch_can_be_stopped_and_what_has_come_is_kept(
    local_server: local.Server, told: list[Any]
) -> None:
    inspector = nbchat.inspect(an_answer())
    inspector.selected = 3
    inspector.branch(1, max_completion_tokens=2_000, stop=["never ever"])
    wait_for(lambda: len(inspector.branches) and len(inspector.branches["text"][0]) > 60)
    assert inspector._work["busy"]
    began = time.monotonic()
    inspector._handle_custom_msg({"type": "stop"}, [])
    wait_for(lambda: not inspector._work["busy"])
    assert time.monotonic() - began < 5  # whole, it would take half a minute
    assert inspector._work["sentence"] == ""
    assert inspector.runs[1].status == "interrupted"
    assert len(inspector.runs[1].tokens()) > 10


def test_what_goes_wrong_is_a_sentence_in_the_panel(told: list[Any]) -> None:
    run = run_of(choice(entry("a", -1.0, ("a", -1.0))), base_url="http://127.0.0.1:9/v1")
    inspector = nbchat.inspect(run)
    inspector.selected = 0
    inspector.branch(None)
    wait_for(lambda: not inspector._work["busy"])
    assert inspector._work["sentence"].startswith("Position 0 has no other token listed")
    assert len(inspector.branches) == 0


@pytest.mark.local
def test_a_tree_grows_from_the_chosen_token(local_server: local.Server, told: list[Any]) -> None:
    inspector = nbchat.inspect(an_answer(max_completion_tokens=8))
    with pytest.raises(ValueError, match="nothing is selected"):
        inspector.tree()
    inspector.selected = 2
    inspector.tree(depth=1, width=3, min_prob=0, max_completion_tokens=2)
    wait_for(lambda: not inspector._work["busy"])
    assert inspector._work["sentence"] == ""
    frame = inspector.branches
    assert frame["position"].tolist() == [2, 2]
    assert frame["mass"].tolist() == pytest.approx(frame["prob"].tolist())
    # nothing is opened while it grows, and in the end the reply says what is covered
    assert [m["open"] for m in told if m["type"] == "branches"] == [None] * 3
    notes = [m["run"]["note"] for m in told if m["type"] == "changes" if m["run"]["number"] == 0]
    assert "of what could stand at position 2" in notes[-1]


@pytest.mark.local
def test_merged_characters_get_their_rows_in_place_and_the_choice_stays(
    local_server: local.Server, told: list[Any]
) -> None:
    run = nbchat.chat(
        "Say: 🦊🦊", profile="local", temperature=0, max_completion_tokens=12, logprobs=True,
        top_logprobs=3,
    )  # fmt: skip
    inspector = nbchat.inspect(run)
    n_merged = int(run.tokens()["is_merged"].sum())
    assert inspector._page.whole()["runs"][0]["merged"] == n_merged > 1
    inspector.selected = 1
    assert inspector.selected["prob"] is None
    inspector._handle_custom_msg({"type": "rescore", "number": 0}, [])
    wait_for(lambda: not inspector._work["busy"])
    assert inspector._work["sentence"] == ""
    (news,) = [m for m in told if m["type"] == "changes"]
    assert news["run"]["merged"] == 0
    assert [table["start"] for table in news["tables"]] == [0]
    (now,) = inspector.runs
    assert len(now.tokens()) == 12
    assert inspector._at == ["0:0:content", 5]  # the token that ends the second character
    assert inspector.selected["prob"] > 0
    assert inspector.selected["run_id"] == now.id


def test_rows_that_cannot_be_had_are_a_sentence_in_the_panel(told: list[Any]) -> None:
    smile = "😄".encode()
    made = entry("😄", -1.0, token("x", -1.0, smile[2:], 9), number=9)
    asked = [{"role": "user", "content": "Hi"}]
    run = run_of(choice(made), base_url="http://127.0.0.1:9/v1", messages=asked)
    inspector = nbchat.inspect(run)
    assert inspector._page.whole()["runs"][0]["merged"] == 1
    inspector._rescore(0)
    wait_for(lambda: not inspector._work["busy"])
    assert "127.0.0.1:9" in inspector._work["sentence"]
    assert len(inspector.runs) == 1


def test_a_refusal_is_not_branched() -> None:
    inspector = nbchat.inspect(run_of(choice(refusal=[entry("No", -0.1)])))
    inspector.selected = 0
    with pytest.raises(ValueError, match="this is a refusal"):
        inspector.branch("Yes")


def test_several_branches_are_written_at_once_and_all_are_stopped() -> None:
    class Slow:
        is_stopped = False

        def play(self) -> None:
            wait_for(lambda: self.is_stopped)

        def cancel(self) -> None:
            self.is_stopped = True

    said: list[dict[str, Any]] = []
    writing = Writing(said.append)
    writing.begin(Slow, lambda _: None)  # type: ignore[arg-type]
    writing.begin(Slow, lambda _: None)  # type: ignore[arg-type]
    assert writing.is_busy
    writing.stop()
    wait_for(lambda: not writing.is_busy)
    wait_for(lambda: said[-1] == {"busy": False, "sentence": ""})


def test_a_failure_to_begin_is_said_with_its_kind_unless_it_is_a_sentence() -> None:
    def fail(error: Exception) -> Any:
        raise error

    for error, sentence in [
        (CheckError("n is 0.", field="n"), "n is 0."),
        (KeyError("x"), "KeyError: 'x'"),
    ]:
        said: list[dict[str, Any]] = []
        Writing(said.append).begin(lambda error=error: fail(error), print)  # type: ignore[misc]
        wait_for(lambda said=said: said[-1]["busy"] is False)  # type: ignore[misc]
        assert said[-1]["sentence"] == sentence
