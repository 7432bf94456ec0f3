from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import nbchat
from nbchat import session
from nbchat.analysis.repeat import RepeatWarning
from nbchat.errors import AuthenticationError, CheckError
from tests.scripted import HANG, Pause, Reply, ScriptedServer, chunk, error, speaking, sse


def test_distinct_answers_are_counted_and_the_first_difference_is_told(
    server: ScriptedServer,
) -> None:
    server.reply(*[speaking("Blue sky.", logprobs=True)] * 3, speaking("Blue sea.", logprobs=True))
    frame = nbchat.repeat("Hi", times=4, model="m", logprobs=True)
    assert list(frame["text"]) == ["Blue sky.", "Blue sea."]
    assert list(frame["count"]) == [3, 1]
    assert list(frame["share"]) == [0.75, 0.25]
    assert frame["first_difference_char"].isna().tolist() == [True, False]
    assert frame["first_difference_char"][1] == len("Blue s")
    assert frame["first_difference_token"][1] == 1
    assert [request.body["seed"] for request in server.requests] == [1] * 4
    assert sorted(i for ids in frame["run_ids"] for i in ids) == sorted(
        run.id for run in session.runs
    )
    assert [run.text for run in frame["runs"][0]] == ["Blue sky."] * 3
    assert len(nbchat.tokens(frame["runs"][1])) == 3


def test_without_logprobs_the_token_is_not_known(server: ScriptedServer) -> None:
    server.reply(speaking("One."), speaking("Two."))
    frame = nbchat.repeat("Hi", times=2, seed=None, model="m")
    assert frame["first_difference_token"].isna().all()
    assert frame["first_difference_char"].dropna().tolist() == [0]
    assert all("seed" not in request.body for request in server.requests)


def test_each_fingerprint_has_rows_of_its_own(server: ScriptedServer) -> None:
    def with_print(name: str | None) -> Reply:
        body = [
            sse(chunk("Same.") | {"system_fingerprint": name}, done=False),
            sse(chunk(finish_reason="stop") | {"system_fingerprint": name}),
        ]
        return Reply(body)

    server.reply(with_print("fp_a"), with_print("fp_b"), with_print("fp_a"), with_print(None))
    frame = nbchat.repeat("Hi", times=4, model="m")
    found = {None if pd.isna(p) else p: n for p, n in zip(
        frame["system_fingerprint"], frame["count"], strict=True)}  # fmt: skip
    assert found == {"fp_a": 2, "fp_b": 1, None: 1}
    assert frame["first_difference_char"].isna().all()


def test_four_requests_go_on_at_once_and_no_more(server: ScriptedServer) -> None:
    lock, going_on, most = threading.Lock(), 0, 0

    def answer(request: Any) -> Reply:
        nonlocal going_on, most
        with lock:
            going_on += 1
            most = max(most, going_on)
        time.sleep(0.05)
        with lock:
            going_on -= 1
        return Reply([sse(chunk("a", finish_reason="stop"))])

    server.default = answer
    frame = nbchat.repeat("Hi", times=10, model="m")
    assert most == 4
    assert frame["count"].tolist() == [10]


def test_a_few_failures_are_a_warning_and_in_no_row(server: ScriptedServer) -> None:
    server.reply(speaking("Yes."), error(500))
    server.default = speaking("Yes.")
    with pytest.warns(RepeatWarning, match="1 of 5 requests were not answered"):
        frame = nbchat.repeat("Hi", times=5, model="m", max_retries=0)
    assert frame["count"].tolist() == [4]
    assert len(session.runs) == 5


def test_a_request_that_can_never_succeed_is_not_sent_ten_times(server: ScriptedServer) -> None:
    server.default = error(401)
    with pytest.raises(AuthenticationError):
        nbchat.repeat("Hi", times=20, model="m")
    assert len(server.requests) <= 4


def test_an_interrupt_stops_all_at_once_and_keeps_what_had_come(server: ScriptedServer) -> None:
    server.reply(speaking("Done."))
    server.default = Reply([sse(chunk("Half"), done=False), Pause(0.05), HANG])

    # once all of them stand still
    def interrupt() -> None:
        server.wait_for_requests(5)
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    started = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        nbchat.repeat("Hi", times=10, model="m")
    assert time.perf_counter() - started < 5
    assert len(server.requests) == 5
    assert sorted(run.status for run in session.runs) == ["complete", *["interrupted"] * 4]
    assert {run.text for run in session.runs} == {"Done.", "Half"}


@pytest.mark.parametrize(
    "wrong", [{"times": 0}, {"times": 2.5}, {"thread": "main"}, {"n": 2}, {"temperature": 9}]
)
def test_what_cannot_be_repeated_is_refused_before_sending(
    server: ScriptedServer, wrong: dict[str, Any]
) -> None:
    with pytest.raises(CheckError):
        nbchat.repeat("Hi", model="m", **wrong)
    assert server.requests == []


@pytest.mark.local
def test_the_embedded_model_answers_the_same_at_temperature_zero(weights: Path) -> None:
    frame = nbchat.repeat(
        "Name a colour.", times=3, profile="local", temperature=0, max_tokens=6, logprobs=True
    )
    assert frame["count"].sum() == 3
    assert frame["system_fingerprint"].notna().all()
