"""A budget holds: what may cost more than is left is not sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import nbchat
from nbchat.errors import BadRequestError, BudgetError, CheckError, TransportError
from nbchat.session import worst_case
from nbchat.session.state import STATE
from tests.scripted import (
    CUT,
    MODEL,
    Reply,
    ScriptedServer,
    chunk,
    completion,
    error,
    sse,
    usage_of,
)

ROW = {"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 1_000.0}
PRICES = {"m": ROW, MODEL: ROW}  # as it is asked for, and as it answers


@pytest.fixture(autouse=True)
def far_away(monkeypatch: pytest.MonkeyPatch) -> None:
    # the scripted server is on this machine, where nothing costs anything
    monkeypatch.setattr(worst_case, "_is_here", lambda _: False)
    nbchat.configure(prices=PRICES)


def ask(tokens: int = 100, **more: Any) -> nbchat.Run:
    return nbchat.chat("hi", model="m", max_completion_tokens=tokens, **more)


def test_what_was_set_aside_is_settled_by_what_it_cost(server: ScriptedServer) -> None:
    nbchat.configure(budget_usd=1.0)
    server.reply(completion("yes", usage=usage_of(10, 5)))
    run = ask()
    budget = nbchat.budget()
    assert run.cost_usd == pytest.approx(0.00501)
    assert budget.spent_usd == pytest.approx(run.cost_usd)
    assert (budget.reserved_usd, budget.unknown_usd) == (0.0, 0.0)
    assert budget.left_usd == pytest.approx(1.0 - run.cost_usd)


def test_what_does_not_fit_is_not_sent_and_not_recorded(
    server: ScriptedServer, history: Path
) -> None:
    nbchat.configure(budget_usd=0.05)
    with pytest.raises(BudgetError, match=r"may cost \$0\.1 \(m, at most 100 tokens\)"):
        ask(100)
    with pytest.raises(BudgetError):
        ask(30, n=2)
    assert server.requests == []
    assert ask(40).status == "complete"
    assert set(nbchat.history.search()["status"]) == {"complete"}


def test_without_a_known_limit_or_price_nothing_is_sent(server: ScriptedServer) -> None:
    nbchat.configure(budget_usd=10.0)
    with pytest.raises(BudgetError, match="set max_completion_tokens"):
        nbchat.chat("hi", model="m")
    with pytest.raises(BudgetError, match="price of this request is not known"):
        nbchat.chat("hi", model="other", max_completion_tokens=1)
    assert server.requests == []


def test_the_prompt_counts_with_all_that_a_model_reads(server: ScriptedServer) -> None:
    nbchat.configure(budget_usd=0.01, prices={"m": {**ROW, "output_usd_per_mtok": 0.0}})
    with pytest.raises(BudgetError):
        nbchat.chat("x" * 20_000, model="m", max_completion_tokens=1)
    schema = {"type": "object", "description": "y" * 20_000, "properties": {}}
    with pytest.raises(BudgetError):
        ask(1, response_format=schema)
    assert server.requests == []


def test_a_refused_request_costs_nothing(server: ScriptedServer) -> None:
    nbchat.configure(budget_usd=1.0)
    server.reply(error(400, "no"))
    with pytest.raises(BadRequestError):
        ask()
    assert nbchat.budget().left_usd == 1.0


def test_an_answer_that_was_cut_off_may_have_been_paid(server: ScriptedServer) -> None:
    nbchat.configure(budget_usd=1.0)
    server.reply(Reply([sse(chunk("Hel"), done=False), CUT]))
    with pytest.raises(TransportError):
        ask(max_retries=0)
    assert nbchat.budget().unknown_usd == pytest.approx(0.1, rel=0.01)
    assert "of unknown outcome" in repr(nbchat.budget())


def test_every_round_of_calls_is_set_aside_for_itself(server: ScriptedServer) -> None:
    def now() -> str:
        """Say the time."""
        return "noon"

    call = {
        "index": 0,
        "id": "c",
        "type": "function",
        "function": {"name": "now", "arguments": "{}"},
    }
    asks = sse(
        chunk(delta={"tool_calls": [call]}),
        chunk(finish_reason="tool_calls"),
        chunk(usage=usage_of(10, 100)),
    )
    server.reply(Reply([asks]))
    nbchat.configure(budget_usd=0.15)
    with pytest.raises(BudgetError) as caught:
        ask(100, tools=[now])
    assert len(server.requests) == 1
    assert caught.value
    assert nbchat.budget().spent_usd == pytest.approx(0.10001)


def test_a_replay_costs_nothing_of_it(server: ScriptedServer) -> None:
    nbchat.configure(budget_usd=0.0, replay="only")
    with pytest.raises(nbchat.errors.NotRecordedError):
        ask()


def test_the_embedded_and_other_servers_here_are_free(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    nbchat.configure(budget_usd=0.0)
    STATE.settings.profile = server.url
    assert nbchat.chat("hi", model="other").status == "complete"


@pytest.mark.parametrize(
    ("url", "is_here"),
    [
        ("http://localhost:8000/v1", True),
        ("http://127.0.0.9/v1", True),
        ("http://[::1]:1/v1", True),
        ("http://localhost.evil.org/v1", False),
        ("https://api.openai.com/v1", False),
        ("http://10.0.0.1/v1", False),
        ("", False),
    ],
)
def test_here_is_this_machine_alone(
    url: str, is_here: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    assert worst_case._is_here(url) is is_here


def test_a_budget_is_taken_away_by_none(server: ScriptedServer) -> None:
    nbchat.configure(budget_usd=0.0)
    nbchat.configure(budget_usd="none")
    assert ask().status == "complete"
    with pytest.raises(CheckError, match="budget_usd"):
        nbchat.configure(budget_usd=-1)


def test_a_server_of_this_machine_with_prices_of_ones_own_is_no_free_one(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be a proxy, which passes on what costs something elsewhere."""
    monkeypatch.undo()
    STATE.settings.profile = server.url
    nbchat.configure(prices=PRICES, budget_usd=0.05)
    with pytest.raises(BudgetError, match=r"m, at most 100 tokens"):
        ask(100)
    assert server.requests == []
    assert ask(10).cost_usd == pytest.approx(STATE.budget.spent_usd)
    assert nbchat.chat("hi", model="another").status == "complete"
