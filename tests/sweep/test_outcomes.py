"""What becomes of rows, and what ends a sweep."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

import nbchat
from nbchat.errors import BudgetError, CheckError, FolderInUseError, SweepStoppedError
from nbchat.session.state import STATE
from nbchat.sweep import parts
from nbchat.sweep.folder import Folder
from nbchat.sweep.plan import Plan
from nbchat.sweep.progress import Counts
from tests.scripted import (
    Gate,
    Reply,
    Request,
    ScriptedServer,
    completion,
    made_up_logprobs,
    refusing_url,
)

WORDS = [{"word": f"word {number}"} for number in range(6)]


def question(request: Request) -> str:
    return str(request.body["messages"][-1]["content"])


def ending_with(reason: str) -> Reply:
    body = completion("some")
    body["choices"][0]["finish_reason"] = reason
    return Reply.json(body)


def failing(status: int, **error: str) -> Reply:
    return Reply.json({"error": {"message": "no", **error}}, status)


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (ending_with("stop"), "answered"),
        (ending_with("length"), "truncated"),
        (ending_with("content_filter"), "refused"),
        (failing(400, code="content_filter"), "refused"),
        (failing(400), "error"),
        (failing(404), "error"),
        (failing(422), "error"),
    ],
)
def test_a_row_that_ends_for_itself_has_a_status_and_stops_nothing(
    server: ScriptedServer, reply: Reply, status: str
) -> None:
    server.default = lambda request: reply if question(request) == "word 3" else ending_with("stop")
    frame = nbchat.sweep("{{ word }}", data=WORDS, model="m", at_once=1).run().runs()
    assert frame["status"].tolist() == ["answered"] * 3 + [status] + ["answered"] * 2
    assert frame["error"].notna().tolist() == [name == "error" or (
        status == "refused" and reply.status == 400 and place == 3
    ) for place, name in enumerate(frame["status"])]  # fmt: skip


@pytest.mark.parametrize(
    "reply", [failing(401), failing(402), failing(429, code="insufficient_quota")]
)
def test_a_wrong_key_and_no_money_stop_all_with_a_sentence(
    server: ScriptedServer, reply: Reply
) -> None:
    server.default = reply
    sweep = nbchat.sweep("{{ word }}", data=WORDS, model="m", at_once=1)
    with pytest.raises(SweepStoppedError, match=r"no row can be answered.*run\(\) goes on"):
        sweep.run()
    assert len(server.requests) == 1
    assert sweep.status.not_sent == 6


def test_a_dead_server_stops_all_with_a_sentence(short_pauses: None, monkeypatch: Any) -> None:
    monkeypatch.setattr("nbchat.sweep.runner.backoff_s", lambda _: 0.001)
    sweep = nbchat.sweep("{{ word }}", data=WORDS, model="m", profile=refusing_url())
    with pytest.raises(SweepStoppedError, match="without an answer"):
        sweep.run()


def test_errors_are_asked_again_and_attempts_are_kept(
    server: ScriptedServer, tmp_path: Path
) -> None:
    server.default = lambda r: failing(400) if question(r) == "word 2" else ending_with("stop")
    sweep = nbchat.sweep("{{ word }}", data=WORDS, model="m", folder=tmp_path).run()
    assert sweep.status.error == 1
    sweep.run()
    assert len(server.requests) == 6
    server.default = ending_with("stop")
    sweep.retry_errors()
    assert len(server.requests) == 7
    assert set(sweep.runs()["status"]) == {"answered"}
    assert len(list(Folder(tmp_path).all_records())) == 7
    assert sweep.runs()["attempt"].tolist() == [0, 0, 1, 0, 0, 0]


def test_an_unknown_outcome_is_counted(server: ScriptedServer, monkeypatch: Any) -> None:
    monkeypatch.setattr("nbchat.sweep.runner.backoff_s", lambda _: 0.001)
    server.reply(Reply(b"\xff<html>", content_type="application/json"))
    sweep = nbchat.sweep("{{ word }}", data=WORDS, model="m").run()
    assert sweep.status.unknown == 1
    assert sweep.status.unknown_usd == 0  # a server on this machine
    assert sweep.status.answered == 6
    assert "1 of unknown outcome" in repr(sweep)


def test_a_budget_is_kept_and_what_was_answered_stays(
    server: ScriptedServer, monkeypatch: Any
) -> None:
    monkeypatch.setattr("nbchat.session.worst_case._is_here", lambda _: False)
    STATE.settings.prices = nbchat.prices.read_prices(
        [{"model": "m", "input_usd_per_mtok": 1.0, "output_usd_per_mtok": 1.0}]
    )
    sweep = nbchat.sweep(
        "{{ word }}",
        data=WORDS,
        model="m",
        max_completion_tokens=100,
        budget_usd=0.00018,
        at_once=1,
    )
    assert sweep.plan.worst_usd is not None
    with pytest.raises(BudgetError):
        sweep.run()
    assert 0 < sweep.status.answered < 6
    assert len(server.requests) == sweep.status.answered


def test_a_sweep_runs_beside_the_notebook_and_can_be_stopped_and_taken_up(
    server: ScriptedServer, tmp_path: Path
) -> None:
    gate = Gate()
    held = Reply(json.dumps(completion("later")).encode(), before=[gate], framing="length",
                 content_type="application/json")  # fmt: skip
    server.reply(ending_with("stop"), ending_with("stop"), held)
    sweep = nbchat.sweep("{{ word }}", data=WORDS, model="m", folder=tmp_path, at_once=1).start()
    server.wait_for_requests(3)
    assert sweep.is_running
    assert sweep.writer is not None
    while sweep.status.done < 2:
        pass
    assert sweep.runs()["status"].tolist() == ["answered"] * 2 + ["not_sent"] * 4
    with pytest.raises(FolderInUseError, match="process"):
        nbchat.sweep("{{ word }}", data=WORDS, model="m", folder=tmp_path).run()
    assert len(nbchat.sweep("{{ word }}", data=WORDS, model="m", folder=tmp_path).runs()) == 6
    sweep.stop()
    gate.open()
    sweep.wait()
    assert not sweep.is_running
    assert sweep.status.answered == 3
    assert sweep.writer is None
    sweep.run()
    assert len(server.requests) == 6


def test_a_sweep_can_be_awaited(server: ScriptedServer) -> None:
    async def asked() -> Any:
        return await nbchat.sweep("{{ word }}", data=WORDS, model="m")

    assert asyncio.run(asked()).status.answered == 6


READER = """
import sys
import nbchat
from nbchat.errors import FolderInUseError
sweep = nbchat.sweep("{{ word }}", data=[{"word": f"word {n}"} for n in range(6)], model="m",
                     folder=sys.argv[1], profile=sys.argv[2])
print(sweep.writer.pid, len(sweep.runs()))
try:
    sweep.run()
except FolderInUseError as error:
    print(error)
"""


@pytest.mark.long
def test_a_second_process_reads_and_says_who_writes(server: ScriptedServer, tmp_path: Path) -> None:
    import os

    gate = Gate()
    server.default = Reply(json.dumps(completion("late")).encode(), before=[gate], framing="length",
                           content_type="application/json")  # fmt: skip
    sweep = nbchat.sweep("{{ word }}", data=WORDS, model="m", folder=tmp_path).start()
    done = subprocess.run(
        [sys.executable, "-c", READER, str(tmp_path), server.url],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    gate.open()
    sweep.wait()
    first, sentence = done.stdout.splitlines()
    assert first == f"{os.getpid()} 6"
    assert f"process {os.getpid()}" in sentence


def packed(folder: Path) -> Path:
    return parts.pack(folder, Folder(folder).journals())


def test_journals_become_a_part_and_nothing_else_changes(
    server: ScriptedServer, tmp_path: Path
) -> None:
    server.default = Reply.json(completion("a b", logprobs=made_up_logprobs("a b", 3)))
    call: dict[str, Any] = {"data": WORDS, "model": "m", "folder": tmp_path, "logprobs": True}
    sweep = nbchat.sweep("{{ word }}", **call, top_logprobs=3).run()
    before, tokens = sweep.runs(), sweep.tokens()
    lines = pd.read_json(next((tmp_path / "journals").glob("*.jsonl")), lines=True)
    assert set(lines["text"]) == {"a b"}
    path = packed(tmp_path)
    assert not list((tmp_path / "journals").iterdir())
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert pq.read_table(path).num_rows == len(pd.read_parquet(path)) == 6
    again = nbchat.sweep("{{ word }}", **call, top_logprobs=3)
    pd.testing.assert_frame_equal(again.runs(), before)
    pd.testing.assert_frame_equal(again.tokens(), tokens)
    assert again.plan.requests == 0
    again.run()
    assert len(server.requests) == 6


def test_a_part_that_was_not_finished_is_not_there(
    server: ScriptedServer, tmp_path: Path, monkeypatch: Any
) -> None:
    sweep = nbchat.sweep("{{ word }}", data=WORDS, model="m", folder=tmp_path).run()
    monkeypatch.setattr(parts.os, "fsync", lambda _: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        packed(tmp_path)
    assert not list((tmp_path / "parts").iterdir())
    assert sweep.runs()["status"].tolist() == ["answered"] * 6


def test_half_a_line_at_the_end_is_no_row(server: ScriptedServer, tmp_path: Path) -> None:
    nbchat.sweep("{{ word }}", data=WORDS, model="m", folder=tmp_path).run()
    path = next((tmp_path / "journals").glob("*.jsonl"))
    path.write_bytes(path.read_bytes()[:-20])
    sweep = nbchat.sweep("{{ word }}", data=WORDS, model="m", folder=tmp_path)
    assert sweep.plan.requests == 1
    sweep.run()
    assert len(server.requests) == 7
    assert set(sweep.runs()["status"]) == {"answered"}


def test_tokens_come_in_pieces_and_filtered(server: ScriptedServer) -> None:
    server.default = Reply.json(completion("a b", logprobs=made_up_logprobs("a b", 3)))
    sweep = nbchat.sweep("{{ word }}", data=WORDS, model="m", logprobs=True, top_logprobs=3).run()
    whole = sweep.tokens()
    pieces = list(sweep.batches(n_runs=4, columns=["run_id", "logprob"]))
    assert [piece["run_id"].nunique() for piece in pieces] == [4, 2]
    assert sum(map(len, pieces)) == len(whole)
    assert sweep.tokens(where=lambda record: record.item < 2)["run_id"].nunique() == 2
    with pytest.raises(CheckError, match="logprobb"):
        sweep.tokens(columns=["logprobb"])


def test_a_plan_says_what_would_be_sent_and_sends_nothing(server: ScriptedServer) -> None:
    sweep = nbchat.sweep(
        "{{ word }}", data=WORDS, grid={"temperature": [0, 1]}, repeats=5, model="m",
        max_completion_tokens=4, requests_per_minute=10,
        evaluate={"right": nbchat.evaluators.equals("x")},
    )  # fmt: skip
    plan = sweep.plan
    assert (plan.items, plan.points, plan.repeats, plan.rows) == (6, 2, 5, 60)
    assert (plan.requests, plan.completion_tokens, plan.least_s) == (60, 240, 360)
    assert not plan.is_counted
    assert "estimated" in repr(plan)
    assert plan.detectable["right"].twice_items < plan.detectable["right"].difference
    assert "more items help more" in repr(plan)
    assert server.requests == []
    sweep.stop()


def test_a_plan_counts_tokens_where_the_tokenizer_is_here(
    server: ScriptedServer, monkeypatch: Any
) -> None:
    monkeypatch.setattr("nbchat.sweep.plan.token_counter", lambda _: lambda text: len(text))
    plan = nbchat.sweep("{{ word }}", data=WORDS, model="m").plan
    assert plan.is_counted
    assert plan.prompt_tokens == 6 * (6 + 8)
    assert plan.completion_tokens is None


def test_rows_are_in_the_folder_and_not_in_the_history_or_the_runs(
    server: ScriptedServer, history: Path
) -> None:
    sweep = nbchat.sweep("{{ word }}", data=WORDS, model="m").run()
    assert STATE.runs == []
    assert nbchat.history.search().empty
    assert {run.sweep for run in sweep} == {sweep.name}


def test_a_sweep_shows_counts_and_a_figure_that_grows(server: ScriptedServer) -> None:
    sweep = nbchat.sweep("{{ word }}", data=WORDS, model="m")
    before = sweep._repr_html_()
    after = sweep.run()._repr_html_()
    assert "0 of 6" in before
    assert "6 of 6" in after
    assert "6 of 6 rows" in repr(sweep)
    assert after.count(",") > before.count(",")


@pytest.mark.parametrize(("price", "usd"), [(1.0, 106e-6), (None, None)])
def test_what_is_unknown_may_have_cost_so_much(
    server: ScriptedServer, monkeypatch: Any, tmp_path: Path, price: float | None, usd: float | None
) -> None:
    monkeypatch.setattr("nbchat.sweep.runner.backoff_s", lambda _: 0.001)
    monkeypatch.setattr("nbchat.session.worst_case._is_here", lambda _: False)
    monkeypatch.setattr("nbchat.session.worst_case._most_tokens", lambda _: 6)
    if price is not None:
        STATE.settings.prices = nbchat.prices.read_prices(
            [{"model": "m", "input_usd_per_mtok": price, "output_usd_per_mtok": price}]
        )
    server.reply(Reply(b"\xff<html>", content_type="application/json"))
    call: dict[str, Any] = {"data": WORDS, "model": "m", "folder": tmp_path}
    sweep = nbchat.sweep("{{ word }}", **call, max_completion_tokens=100).run()
    assert sweep.status.unknown_usd == pytest.approx(usd)
    later = nbchat.sweep("{{ word }}", **call, max_completion_tokens=100)
    assert later.status.unknown_usd == pytest.approx(usd)


def test_an_interrupt_cuts_off_what_goes_on_and_keeps_what_was_answered(
    server: ScriptedServer, tmp_path: Path, monkeypatch: Any
) -> None:
    gate = Gate()
    server.reply(ending_with("stop"), Reply(b"{}", before=[gate], content_type="application/json"))

    def interrupt(_: Any, counts: Any) -> None:
        if counts.done == 1 and counts.going == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr("nbchat.sweep.bar.Bar.show", interrupt)
    sweep = nbchat.sweep("{{ word }}", data=WORDS, model="m", folder=tmp_path, at_once=1)
    with pytest.raises(KeyboardInterrupt):
        sweep.run()
    gate.open()
    assert not sweep.is_running
    assert sweep.status.answered == 1
    monkeypatch.undo()
    again = nbchat.sweep(
        "{{ word }}", data=WORDS, model="m", folder=tmp_path, at_once=1, profile=server.url
    )
    assert again.run().status.answered == 6
    assert len(server.requests) == 7


def test_keys_are_nowhere_in_the_folder(server: ScriptedServer, tmp_path: Path) -> None:
    key = "sk-a-key-that-is-nobodys-business"
    profile = nbchat.Profile(name="mine", base_url=server.url, key=key)
    server.reply(failing(400, code=key), Reply.json(completion(f"your key is {key}")))
    sweep = nbchat.sweep("{{ word }}", data=WORDS, model="m", profile=profile, folder=tmp_path)
    sweep.run()
    assert server.requests[0].headers["authorization"] == f"Bearer {key}"
    for path in tmp_path.rglob("*.*"):
        assert key.encode() not in path.read_bytes() if path.is_file() else True
    assert key not in repr(sweep) + sweep._repr_html_()


def test_one_of_a_kind_is_not_said_in_the_plural() -> None:
    sizes = {"items": 1, "points": 1, "repeats": 1, "rows": 1, "ended": 0, "requests": 1}
    costs = {"completion_tokens": 5, "cost_usd": None, "worst_usd": None, "least_s": None}
    plan = Plan(**sizes, **costs, prompt_tokens=9, is_counted=True, detectable={})
    assert repr(plan).splitlines()[:2] == [
        "1 row: 1 item × 1 point × 1 repeat",
        "1 request to be sent",
    ]
    assert str(Counts(rows=1)) == "1 of 1 row"
    assert str(Counts(rows=2, not_sent=1)) == "1 of 2 rows"
