"""Rows on executors: in threads here, and what cannot be sent is refused before anything is."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import nbchat
from nbchat.client.sent_profile import with_keys_of_here, without_keys
from nbchat.errors import BudgetError, CheckError, ProfileError, SweepStoppedError
from nbchat.session.state import STATE
from nbchat.sweep.cluster import Cluster
from nbchat.sweep.design import Cell
from nbchat.sweep.done import Done
from nbchat.sweep.folder import Folder
from nbchat.sweep.leases import Lease, Renewal
from nbchat.sweep.mark import Mark, write_mark
from nbchat.sweep.parcel import Parcel, Unwrapped, Wrapping
from nbchat.sweep.station import station_of
from nbchat.sweep.task import run_parcel, run_parcel_apart
from tests.scripted import MODEL, Reply, Request, ScriptedServer, completion, error, usage_of

pytestmark = pytest.mark.long

WORDS = [{"word": f"word {number}"} for number in range(40)]
KEY = "sk-canary-0123456789abcdefghij"


def echo(request: Request) -> Reply:
    return Reply.json(completion(f"{request.body['messages'][-1]['content']}!"))


@pytest.fixture
def answering() -> object:
    return echo


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


def test_rows_in_an_executor_give_the_frame_of_rows_without_one(
    server: ScriptedServer, tmp_path: Path, threads: ThreadPoolExecutor
) -> None:
    def sweep(name: str, executor: Any) -> pd.DataFrame:
        return nbchat.sweep(
            "{{ word }}",
            data=WORDS,
            grid={"temperature": [0, 1]},
            repeats=2,
            folder=tmp_path / name,
            model="m",
            executor=executor,
        ).run().runs()  # fmt: skip

    found, plain = sweep("found", threads), sweep("plain", None)
    varying = ["run_id", "created_at", "ttft_s", "elapsed_s"]
    pd.testing.assert_frame_equal(
        found.drop(columns=varying, errors="ignore"), plain.drop(columns=varying, errors="ignore")
    )
    assert set(found["status"]) == {"answered"}
    assert len(server.requests) == 2 * len(found)
    assert not (tmp_path / "found" / "workers.json").exists()


def test_the_status_counts_what_workers_did_and_a_second_run_sends_nothing(
    server: ScriptedServer, tmp_path: Path, threads: ThreadPoolExecutor
) -> None:
    sweep = nbchat.sweep("{{ word }}", data=WORDS, folder=tmp_path, model="m", executor=threads)
    status = sweep.run().status
    assert (status.answered, status.sent, status.unknown, status.going) == (40, 40, 0, 0)
    assert sweep.run().status.answered == 40
    assert len(server.requests) == 40


def test_rows_are_counted_while_their_task_runs(
    server: ScriptedServer,
    tmp_path: Path,
    threads: ThreadPoolExecutor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("nbchat.sweep.fixed_shares._LOOK_S", 0.0)
    go_on = threading.Event()

    def slowly(request: Request) -> Reply:
        if len(server.requests) > 10:
            go_on.wait(20)
        return echo(request)

    server.default = slowly
    sweep = nbchat.sweep(
        "{{ word }}", data=WORDS, folder=tmp_path, model="m", executor=threads, at_once=2
    ).start()
    while not sweep.status.answered:  # no task has ended
        go_on.wait(0.01)
    assert sweep.status.answered <= 10
    go_on.set()
    assert sweep.wait().status.answered == 40
    assert sweep.status.completion_tokens == sweep.runs()["completion_tokens"].sum()


def test_each_worker_has_a_fixed_share_which_is_said(
    server: ScriptedServer,
    tmp_path: Path,
    threads: ThreadPoolExecutor,
    capsys: pytest.CaptureFixture[str],
) -> None:
    nbchat.sweep(
        "{{ word }}",
        data=WORDS[:6],
        folder=tmp_path,
        model="m",
        executor=threads,
        at_once=5,
        requests_per_minute=6_000,
    ).run()
    line = "2 workers of ThreadPoolExecutor, each with a fixed share: 2 requests at once, 3,000 r"
    assert line in capsys.readouterr().err.replace("3000", "3,000")


def test_fewer_requests_at_once_than_workers_are_refused(
    server: ScriptedServer, threads: ThreadPoolExecutor
) -> None:
    sweep = nbchat.sweep("{{ word }}", data=WORDS, model="m", executor=threads, at_once=1)
    with pytest.raises(CheckError, match="at_once is 1, but it must be 2 or more"):
        sweep.run()
    assert server.requests == []


def test_a_row_that_stops_a_task_stops_all_and_the_rest_is_sent_later(
    server: ScriptedServer, tmp_path: Path, threads: ThreadPoolExecutor
) -> None:
    def sweep() -> Any:
        return nbchat.sweep(
            "{{ word }}", data=WORDS, folder=tmp_path, model="m", executor=threads, max_retries=0
        )

    server.default = error(401, "no such key")
    with pytest.raises(SweepStoppedError, match="no such key"):
        sweep().run()
    server.default = echo
    assert sweep().run().status.answered == 40


@pytest.mark.long
@pytest.mark.parametrize("is_price_known", [True, False], ids=["known", "not known"])
def test_a_budget_is_kept_by_all_workers_and_its_end_is_said(
    server: ScriptedServer,
    tmp_path: Path,
    threads: ThreadPoolExecutor,
    monkeypatch: pytest.MonkeyPatch,
    is_price_known: bool,
) -> None:
    monkeypatch.setattr("nbchat.session.worst_case._is_here", lambda _: False)
    STATE.settings.prices = nbchat.prices.read_prices(
        [
            {"model": model, "input_usd_per_mtok": 0.0, "output_usd_per_mtok": 1.0}
            for model in ("m", MODEL)[: 1 + is_price_known]
        ]
    )
    server.default = Reply.json(completion("yes", usage=usage_of(9, 800)))
    sweep = nbchat.sweep(
        "{{ word }}",
        data=WORDS,
        folder=tmp_path,
        model="m",
        executor=threads,
        max_completion_tokens=1_000,
        budget_usd=0.004,  # a reply may cost 0.001, and costs 0.0008
    )
    with pytest.raises(BudgetError, match=r"left of the budget of \$0.004 that all workers share"):
        sweep.run()
    assert len(server.requests) == 4
    assert Folder(tmp_path).spent_usd() == pytest.approx(0.0032 if is_price_known else 0.0)


def test_stop_ends_the_tasks(
    server: ScriptedServer, tmp_path: Path, threads: ThreadPoolExecutor
) -> None:
    go_on = threading.Event()

    def slowly(request: Request) -> Reply:
        go_on.wait(20)
        return echo(request)

    server.default = slowly
    sweep = nbchat.sweep(
        "{{ word }}", data=WORDS, folder=tmp_path, model="m", executor=threads, at_once=2
    ).start()
    while len(server.requests) < 2:
        go_on.wait(0.01)
    sweep.stop()
    go_on.set()
    sweep.wait()
    assert sweep.status.not_sent
    n_before = len(server.requests)
    assert sweep.status.answered == n_before
    assert not sweep.is_running


class Elsewhere:
    """Something that is no executor."""


@pytest.mark.parametrize("executor", [Elsewhere(), "dask", 4])
def test_what_is_no_executor_is_refused(executor: Any) -> None:
    with pytest.raises(CheckError, match=r"must be None .*Client"):
        nbchat.sweep("hello", executor=executor)


class Far:
    """A link that goes nowhere: it is only asked whether what is sent may be."""

    is_here = False


def cluster_of(sweep: Any) -> Cluster:
    from nbchat.sweep.executors import Work
    from nbchat.sweep.limits import Limits

    link: Any = Far()
    return Cluster(
        Work(
            design=sweep.design, folder=sweep.folder, name="s", limits=Limits(),
            grants_of=Limits().grants_of, standings={}, again=frozenset(), tries=0, budget=None,
            on_rows=lambda _: None,
        ),
        link,
    )  # fmt: skip


def test_a_tool_that_cannot_be_sent_is_refused_by_name(server: ScriptedServer) -> None:
    lock = threading.Lock()

    def look_up(word: str) -> str:
        """Look a word up."""
        with lock:
            return word

    sweep = nbchat.sweep("{{ word }}", data=WORDS, model="m", tools=[look_up])
    with pytest.raises(CheckError, match="function look_up cannot be sent to a worker"):
        cluster_of(sweep)


def test_tools_of_a_notebook_and_prompts_that_are_functions_are_sent(
    server: ScriptedServer,
) -> None:
    def look_up(word: str) -> str:
        """Look a word up."""
        return word * 2

    sweep = nbchat.sweep(lambda row: f"say {row['word']}", data=WORDS, model="m", tools=[look_up])
    cluster_of(sweep)
    wrapping = Wrapping(sweep.design.labels, {}, is_here=False)
    contents = wrapping.contents(list(sweep.design.cells())[:3])
    assert isinstance(contents, bytes)
    rows = Unwrapped(contents, where="The worker")
    cells: list[Cell] = list(rows.cells(is_wanted=lambda _: True))
    assert [cell.prepared[0].messages[-1]["content"] for cell in cells] == [
        "say word 0",
        "say word 1",
        "say word 2",
    ]
    toolbox = cells[0].prepared[0].toolbox
    assert toolbox is not None
    assert toolbox.tools["look_up"].function("ab") == "abab"  # type: ignore[misc]


def test_requests_are_at_the_worker_what_they_were_here(server: ScriptedServer) -> None:
    def prompt(row: dict[str, Any]) -> list[dict[str, Any]]:
        picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
        text = {"type": "text", "text": row["word"]}
        return [{"role": "user", "content": [text, picture] if "3" in row["word"] else [text]}]

    sweep = nbchat.sweep(
        prompt,
        data=WORDS,
        grid={"model": ["m", "n"], "system": [None, "Be {{ word }}."], "temperature": [0, 1]},
        repeats=2,
        seed=5,
    )
    cells = list(sweep.design.cells())
    contents = Wrapping(sweep.design.labels, {}, is_here=False).contents(cells)
    rows = Unwrapped(contents, where="The worker")
    for name in ("messages", "new_messages", "body", "params", "profile", "notes"):
        assert [
            getattr(cell.prepared[0], name) for cell in rows.cells(is_wanted=lambda _: True)
        ] == [getattr(prepared, name) for cell in cells for prepared in cell.prepared]
    assert [cell.rows[0] for cell in rows.cells(is_wanted=lambda _: True)] == sweep.design.rows()


def test_what_requests_of_a_kind_have_in_common_is_sent_once(server: ScriptedServer) -> None:
    sweep = nbchat.sweep("{{ word }}", data=[{"word": f"w{n}"} for n in range(500)], model="m")
    contents = Wrapping(sweep.design.labels, {}, is_here=False).contents(list(sweep.design.cells()))
    assert isinstance(contents, bytes)
    assert len(contents) < 120 * 500


def test_an_unknown_outcome_is_counted_as_the_folder_has_it(
    server: ScriptedServer,
    tmp_path: Path,
    threads: ThreadPoolExecutor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("nbchat.sweep.runner.backoff_s", lambda _: 0.001)
    call: dict[str, Any] = {"data": WORDS, "folder": tmp_path, "model": "m", "executor": threads}
    for n_unknown in (1, 2):
        server.reply(Reply(b"\xff<html>", content_type="application/json"))
        sweep = nbchat.sweep("{{ word }}", repeats=n_unknown, **call).run()
        assert sweep.status.unknown == sum(Folder(tmp_path).unknown().values()) == n_unknown
        assert sweep.status.unknown_usd == 0  # a server on this machine


def test_a_task_whose_worker_is_closed_ends_what_goes_on_and_is_taken_up_at_once(
    server: ScriptedServer, tmp_path: Path
) -> None:
    has_one, go_on = threading.Event(), threading.Event()

    def slowly(request: Request) -> Reply:
        has_one.set()
        go_on.wait(20)
        return echo(request)

    server.default = slowly
    sweep = nbchat.sweep("{{ word }}", data=WORDS, folder=tmp_path, model="m")
    wrapping = Wrapping(sweep.design.labels, {}, is_here=True)
    parcel = Parcel(
        run="run", number=1, folder=str(tmp_path), name="s", tries=0, n_rows=40, lease_s=600.0,
        contents=wrapping.contents(list(sweep.design.cells())),
    )  # fmt: skip
    write_mark(tmp_path, Mark("run", 600.0))

    def lease() -> None:  # a worker's leases count from what it said last
        for number in (1, 2):
            renewal = Renewal(
                number=number, answers=number - 1, lasts_s=600.0, leases={0: Lease(slots=2)}
            )
            station_of("run").renew(renewal)

    async def closed() -> Done:
        task = asyncio.create_task(run_parcel_apart(parcel))
        await asyncio.to_thread(has_one.wait, 20)
        task.cancel()
        await asyncio.sleep(0.1)
        assert not task.done()  # it waits for the row that goes on
        go_on.set()
        return await task

    lease()
    done = asyncio.run(closed())
    begun = len(server.requests)
    assert (done.is_whole, done.fault) == (False, None)
    assert len(Folder(tmp_path).standings()) == begun < 40
    STATE.stations.clear()  # another worker's process
    lease()
    assert run_parcel(parcel).is_whole  # and not in ten minutes
    assert len(server.requests) == len(Folder(tmp_path).standings()) == 40
    STATE.stations.clear()
    assert run_parcel(parcel).is_whole  # its result was lost: nothing is sent, nothing waited for
    assert len(server.requests) == 40


def test_a_question_at_the_notebook_is_refused(server: ScriptedServer) -> None:
    def look_up(word: str) -> str:
        """Look a word up."""
        return word

    sweep = nbchat.sweep("{{ word }}", data=WORDS, model="m", tools=[look_up], confirm=True)
    with pytest.raises(CheckError, match="confirm asks here"):
        cluster_of(sweep)


def test_a_replay_is_refused(server: ScriptedServer) -> None:
    sweep = nbchat.sweep("{{ word }}", data=WORDS, model="m", replay="auto")
    with pytest.raises(CheckError, match="the record is in this process"):
        cluster_of(sweep)


def test_no_key_is_among_what_is_sent_and_the_worker_reads_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    profile = nbchat.Profile(
        name="mine", base_url="http://127.0.0.1:9/v1", key=KEY, key_variable="MY_KEY"
    )
    sweep = nbchat.sweep("{{ word }}", data=WORDS, model="m", profile=profile)
    wrapping = Wrapping(sweep.design.labels, {}, is_here=False)
    contents = wrapping.contents(list(sweep.design.cells()))
    assert isinstance(contents, bytes)
    assert KEY.encode() not in contents
    rows = Unwrapped(contents, where="The worker w")
    prepared = next(rows.cells(is_wanted=lambda _: True)).prepared[0]
    assert prepared.profile.request_headers()["Authorization"] == f"Bearer {KEY}"
    monkeypatch.delenv("MY_KEY")
    with pytest.raises(ProfileError, match=r"^The worker w has no variable MY_KEY"):
        Unwrapped(contents, where="The worker w")


def test_a_key_that_is_in_no_variable_and_headers_of_ones_own_are_refused() -> None:
    address = "http://127.0.0.1:9/v1"
    with pytest.raises(ProfileError, match="in no variable, and keys are not sent"):
        without_keys(nbchat.Profile(name="mine", base_url=address, key=KEY))
    with pytest.raises(ProfileError, match=r"headers of its own \(X-Key\)"):
        without_keys(nbchat.Profile(name="mine", base_url=address, headers={"X-Key": KEY}))
    free = nbchat.Profile(name="mine", base_url=address)
    assert with_keys_of_here(without_keys(free), had_key=False, where="w") == free


def test_an_address_of_a_file_gets_no_key_of_a_workers_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    there = nbchat.Profile(
        name="openai",
        base_url="https://elsewhere.example/v1",
        key_variable="OPENAI_API_KEY",
        address_from="/some/where/.env",
    )
    with pytest.raises(ProfileError, match="has no OPENAI_BASE_URL that is https://elsewhere"):
        with_keys_of_here(there, had_key=True, where="The worker w")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://elsewhere.example/v1")
    found = with_keys_of_here(there, had_key=True, where="The worker w")
    assert found.key is not None
    assert found.key.reveal() == KEY


def test_journals_of_tasks_that_are_over_become_parts(
    server: ScriptedServer,
    tmp_path: Path,
    threads: ThreadPoolExecutor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("nbchat.sweep.parts.PART_BYTES", 1)
    sweep = nbchat.sweep("{{ word }}", data=WORDS, folder=tmp_path, model="m", executor=threads)
    frame = sweep.run().runs()
    assert frame["text"].tolist() == [f"word {number}!" for number in range(40)]
    assert not list((tmp_path / "journals").glob("*.jsonl"))
    assert list((tmp_path / "parts").glob("*.parquet"))
