"""The batches of a sweep at a provider, to every end that they can have."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import openai
import pytest
from openai.types import Batch, FileObject
from starlette.responses import JSONResponse, Response

import nbchat
from nbchat.client import Client
from nbchat.errors import (
    ApiError,
    BudgetError,
    CheckError,
    FolderInUseError,
    HistoryError,
    NotAvailableError,
    ServerError,
    SweepStoppedError,
    TransportError,
)
from nbchat.session.state import STATE
from nbchat.sweep import batch_parts, journal, records
from nbchat.sweep.batch_state import BatchState
from nbchat.sweep.writer_lock import WriterLock
from tests.sweep.batch_server import COMPLETED, EXPIRED, BatchServer, batch_server, cut

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
KEY = "sk-jobs0123456789abcdefgh"


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[BatchServer]:
    monkeypatch.setattr(batch_parts, "_LISTED_AFTER_S", 0.0)
    monkeypatch.setattr(batch_parts, "_LOOK_EVERY_S", 0.02)
    monkeypatch.setattr("nbchat.client.retry.backoff_s", lambda _: 0.01)
    monkeypatch.setattr(os, "fsync", lambda _: None)  # no machine loses its power here
    with batch_server() as server:
        yield server


@pytest.fixture
def make(provider: BatchServer, tmp_path: Path) -> Callable[..., nbchat.sweep.Sweep]:
    def made(n: int = 4, **more: Any) -> nbchat.sweep.Sweep:
        data = [{"word": f"word {number}"} for number in range(n)]
        profile = nbchat.Profile(name="a provider", base_url=provider.url, key=KEY)
        fields: dict[str, Any] = {"folder": tmp_path / "study", "profile": profile} | more
        if "grid" not in more:
            fields |= {"model": "m"}
        return nbchat.sweep("{{ word }}", data=data, **fields)

    return made


def ended(sweep: nbchat.sweep.Sweep) -> nbchat.sweep.Sweep:
    sweep.batch.poll(wait=True, every_s=0.001)
    return sweep


def words(n: int, first: int = 0) -> list[str]:
    return [f"word {number}" for number in range(first, n)]


def posted(provider: BatchServer, path: str) -> int:
    return provider.requests.count(("POST", path))


def test_a_batch_that_is_completed_answers_all_rows(provider: BatchServer, make: Any) -> None:
    sweep = make(repeats=2)
    assert repr(sweep.batch) == "<batches of study: none>"
    assert repr(sweep.batch.submit()).endswith("1 validating · 0 of 8 requests answered>")
    assert sweep.batch.poll()["status"].tolist() == ["in_progress"]
    assert str(sweep.batch.collect()) == "0 rows taken"
    frame = ended(sweep).batch.status
    assert frame["status"].tolist() == ["completed"]
    assert frame["completed"].tolist() == [8]
    taken = sweep.batch.collect()
    assert (taken.answered, taken.again) == (8, 0)
    assert sweep.runs()["text"].tolist() == [f"{w}!" for w in words(4) for _ in range(2)]
    assert sweep.batch.status["is_collected"].tolist() == [True]
    sweep.run()
    assert sweep.batch.submit().collect().rows == 0
    assert provider.chats == []
    assert posted(provider, "/v1/batches") == posted(provider, "/v1/files") == 1
    assert provider.keys == {f"Bearer {KEY}"}


def some(names: list[str]) -> Callable[[str], bool]:
    return lambda question: question in names


ENDS: dict[str, tuple[list[str], list[str], list[str]]] = {
    "completed, some failed for a while": (COMPLETED, words(2), []),
    "completed, all failed for a while": (COMPLETED, [], []),
    "completed, some refused": (COMPLETED, words(3), words(4, 3)),
    "completed, all refused": (COMPLETED, [], words(4)),
    "expired, some answered": (EXPIRED, words(1), []),
    "expired, none answered": (EXPIRED, [], []),
    "expired, one refused": (EXPIRED, words(2), words(3, 2)),
    "failed before it began": (["validating", "failed"], [], []),
    "cancelled by somebody": (["validating", "cancelling", "cancelled"], words(2), []),
}  # fmt: skip


@pytest.mark.parametrize("how", ["directly", "in a batch"])
@pytest.mark.parametrize(("course", "answered", "refused"), ENDS.values(), ids=ENDS)
def test_what_a_batch_answered_is_kept_and_only_the_rest_is_asked_again(
    provider: BatchServer,
    make: Any,
    course: list[str],
    answered: list[str],
    refused: list[str],
    how: str,
) -> None:
    provider.course, provider.answers = course, some(answered)
    provider.fails = lambda question: 400 if question in refused else 0
    provider.errors = [
        {"code": "token_limit_exceeded", "message": "Enqueued token limit", "line": 1}
    ]
    sweep = make()
    taken = ended(sweep.batch.submit() and sweep).batch.collect()
    assert (taken.answered, taken.error) == (len(answered), len(refused))
    left = [word for word in words(4) if word not in answered + refused]
    if course[-1] == "failed":
        assert sweep.batch.status["error"].tolist() == ["Enqueued token limit"]
        provider.course = COMPLETED
    if how == "directly":
        sweep.run()
        assert sorted(provider.chats) == left
    else:
        provider.answers, provider.course = (lambda _: True), COMPLETED
        again = ended(make()).batch
        again.submit()
        ended(make())
        again.collect()
        asked = [line["body"]["messages"][0]["content"] for batch in provider.batches[1:]
                 for line in provider.lines(batch)]  # fmt: skip
        assert sorted(asked) == left
    counts = make().status
    assert (counts.answered, counts.error, counts.not_sent) == (4 - len(refused), len(refused), 0)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    from fsspec.implementations.memory import MemoryFileSystem

    monkeypatch.setattr(journal, "ROWS_S", 0.02)
    monkeypatch.setattr("nbchat.sweep.segments._ATTEMPTS_S", 0.005)
    yield "memory://bucket/study"
    MemoryFileSystem.store.clear()


def names_in(store: str) -> list[str]:
    import fsspec

    fs, path = fsspec.url_to_fs(store)
    names = [name.removeprefix(f"{path}/").partition("-")[0] for name in fs.find(path)]
    return sorted(name for name in names if name.startswith("batch/"))


def test_batches_of_a_sweep_at_a_store_stand_there_before_they_are_made_and_anyone_goes_on(
    provider: BatchServer, make: Any, store: str
) -> None:
    there: list[tuple[str, list[str], bool]] = []

    def look(method: str, path: str) -> None:
        if method == "POST":
            (part,) = make(folder=store).batch._state.parts()
            there.append((path, names_in(store), part.is_uploading and part.is_sent))

    provider.before, provider.course, provider.answers = look, EXPIRED, some(words(3))
    make(folder=store).batch.submit()
    names = ["batch/part", "batch/requests"]
    assert there == [("/v1/files", names, False), ("/v1/batches", names, True)]
    with pytest.raises(SweepStoppedError, match="4 rows are in a batch"):
        make(folder=store).run()
    taken = ended(make(folder=store)).batch.collect()
    assert (taken.answered, taken.again) == (3, 1)
    assert names_in(store) == ["batch/errors", "batch/output", *names]
    provider.before = lambda _method, _path: None
    again = make(folder=store).run()
    assert again.batch.collect().rows == 0
    assert provider.chats == ["word 3"]
    assert again.runs()["text"].tolist() == ["word 0!", "word 1!", "word 2!", "word 3?"]


def test_what_waits_at_a_store_is_forgotten_when_it_is_cancelled_or_refused(
    provider: BatchServer, make: Any, store: str
) -> None:
    provider.has_batches = False
    with pytest.raises(NotAvailableError):
        make(folder=store).batch.submit()
    assert names_in(store) == []
    provider.has_batches = True
    make(folder=store).batch.submit(queue_tokens=20)
    waiting = make(folder=store).batch.status["status"].tolist().count("waiting")
    assert waiting > 0
    assert names_in(store).count("batch/requests") == 1 + waiting
    make(folder=store).batch.cancel()
    assert names_in(store) == ["batch/part", "batch/requests"]


def test_a_batch_at_a_store_is_of_the_budget_until_it_is_collected(
    provider: BatchServer, make: Any, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nbchat.session.worst_case._is_here", lambda _: False)
    prices = [{"model": "m", "input_usd_per_mtok": 1.0, "output_usd_per_mtok": 1.0}]
    STATE.settings.prices = nbchat.prices.read_prices(prices)
    more: dict[str, Any] = {"budget_usd": 1.0, "max_completion_tokens": 100}
    used = []
    for folder in (store, make().folder):
        make(folder=folder, **more).batch.submit()
        used.append(make(folder=folder, **more).used_usd())
    assert used[0] == used[1] > 0


def test_cancelling_keeps_what_is_done(provider: BatchServer, make: Any) -> None:
    provider.answers = some(words(3))
    sweep = make()
    sweep.batch.submit().poll()
    assert sweep.batch.cancel()["status"].tolist() == ["cancelling"]
    taken = ended(sweep).batch.collect()
    assert (taken.answered, taken.again) == (3, 1)
    assert sweep.batch.cancel()["status"].tolist() == ["cancelled"]
    sweep.run()
    assert provider.chats == ["word 3"]


def test_a_batch_that_ends_while_it_is_cancelled_is_collected(
    provider: BatchServer, make: Any
) -> None:
    provider.course = ["validating", "completed"]
    sweep = make()
    sweep.batch.submit()
    provider._go_on(provider.batches[0])
    assert sweep.batch.cancel()["status"].tolist() == ["validating"]
    assert sweep.batch.collect().answered == 4


def test_rows_in_a_batch_are_not_asked_directly(provider: BatchServer, make: Any) -> None:
    sweep = make()
    sweep.batch.submit()
    for again in (sweep, make(6)):
        with pytest.raises(SweepStoppedError, match=r"4 rows are in a batch.*collect"):
            again.run()
    assert provider.chats == []
    assert make(6).to_batch(sweep.folder.parent / "out")["requests"].tolist() == [2]
    more = make(6)
    more.batch.submit()
    assert [len(provider.lines(batch)) for batch in provider.batches] == [4, 2]


def test_models_have_batches_of_their_own(provider: BatchServer, make: Any) -> None:
    sweep = make(grid={"model": ["a", "b"]})
    sweep.batch.submit()
    assert sweep.batch.status["model"].tolist() == ["a", "b"]
    for batch in provider.batches:
        assert len({line["body"]["model"] for line in provider.lines(batch)}) == 1
    assert ended(sweep).batch.collect().answered == 8


def test_what_the_queue_has_no_room_for_waits(provider: BatchServer, make: Any) -> None:
    sweep = make(6)
    tokens = 2 * 10
    sweep.batch.submit(queue_tokens=tokens)
    assert sweep.batch.status["status"].tolist() == ["validating", "waiting", "waiting"]
    assert len(provider.batches) == 1
    sweep.batch.submit(queue_tokens=tokens)
    assert len(provider.batches) == 1
    going: list[int] = []

    def look(method: str, path: str) -> None:
        states = [batch["facts"]["status"] for batch in provider.batches]
        going.append(sum(state not in ("completed", "expired") for state in states))

    provider.before = look  # type: ignore[assignment]
    assert ended(sweep).batch.collect().answered == 6
    assert len(provider.batches) == 3
    assert max(going) == 1


def test_a_part_that_waits_and_was_asked_directly_is_not_sent(
    provider: BatchServer, make: Any
) -> None:
    sweep = make(4)
    sweep.batch.submit(queue_tokens=20)
    assert sweep.batch.status["status"].tolist() == ["validating", "waiting"]
    ended_first = sweep.batch
    while "completed" not in ended_first.poll()["status"].tolist():
        pass
    ended_first.collect()
    sweep.run()
    assert sorted(provider.chats) == words(4, 2)
    sweep.batch.submit()
    assert len(provider.batches) == 1
    assert sweep.batch.status["status"].tolist() == ["completed"]


def test_cancelling_forgets_what_was_not_sent(provider: BatchServer, make: Any) -> None:
    sweep = make(4)
    sweep.batch.submit(queue_tokens=20)
    assert sweep.batch.cancel()["status"].tolist() == ["cancelling"]


def test_a_server_without_batches_is_named_and_nothing_is_left_behind(
    provider: BatchServer, make: Any
) -> None:
    provider.has_batches = False
    sweep = make()
    with pytest.raises(NotAvailableError, match=r"has no batches \(it answered 404\): run\(\)"):
        sweep.batch.submit()
    assert provider.requests == [("GET", "/v1/batches")]
    assert sweep.batch.status.empty
    assert list((sweep.folder / "batch").iterdir()) == []
    assert sweep.run().status.answered == 4


def test_the_embedded_model_has_no_batches_and_is_not_started(tmp_path: Path) -> None:
    sweep = nbchat.sweep("Hello", profile="local", folder=tmp_path)
    with pytest.raises(NotAvailableError, match="The embedded model has no batches"):
        sweep.batch.submit()


def test_a_sweep_without_a_folder_has_no_batch(provider: BatchServer, make: Any) -> None:
    with pytest.raises(CheckError, match="folder="):
        make(folder=None).batch.submit()
    assert provider.requests == []


def test_rows_that_no_batch_can_answer_are_refused_before_anything_is_sent(
    provider: BatchServer, make: Any
) -> None:
    with pytest.raises(CheckError, match="nothing streams"):
        make(stream=True).batch.submit()
    assert provider.requests == []


def test_a_batch_beyond_the_budget_is_not_sent(provider: BatchServer, tmp_path: Path) -> None:
    nbchat.configure(prices=[
        {"model": "m", "input_usd_per_mtok": 1, "output_usd_per_mtok": 1_000},
    ])  # fmt: skip
    profile = nbchat.Profile(name="p", base_url="https://example.org/v1", key=KEY)
    sweep = nbchat.sweep(
        "Hello", repeats=10, profile=profile, model="m", max_completion_tokens=100,
        folder=tmp_path, budget_usd=0.5,
    )  # fmt: skip
    with pytest.raises(BudgetError, match="10 requests in a batch"):
        # reckoned before the server is asked for anything but whether it has batches
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("nbchat.sweep.batch_jobs.refuse_without_batches", lambda _: None)
            sweep.batch.submit()
    assert sweep.batch.status.empty


def test_a_budget_is_that_of_rows_batches_and_judges_together(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # what a server of this machine answers is free
    monkeypatch.setattr("nbchat.session.worst_case._is_here", lambda _: False)
    nbchat.configure(prices=[
        {"model": "m", "input_usd_per_mtok": 0, "output_usd_per_mtok": 1_000},
    ])  # fmt: skip
    judge = nbchat.evaluators.judge("Is {{ reply }} good?", model="m")
    fields = {"max_completion_tokens": 100, "evaluate": {"good": judge}}
    sweep = make(**fields, budget_usd=1.0)
    sweep.batch.submit()  # 4 of 0.1
    limit_usd = sweep.judges["good"].sweep.limit_usd
    assert limit_usd == pytest.approx(0.6)
    # a judge has cost something, and then there is less for a batch
    folder = sweep.folder / "judges" / "good"
    log = journal.Journal(folder, on_safe=lambda _: None)
    record = records.Record(row_id="one", status="answered", item=0, sample=0, cost_usd=0.55)
    log.append(record, msgspec.json.encode(record) + b"\n")
    log.close()
    with pytest.raises(BudgetError, match=r"0\.05"):
        make(5, **fields, budget_usd=1.0).batch.submit()
    assert make(5, **fields, budget_usd=1.1).batch.submit().status["requests"].tolist() == [4, 1]


def test_another_writer_of_the_folder_is_named(make: Any, tmp_path: Path) -> None:
    sweep = make()
    (tmp_path / "study").mkdir()
    lock = WriterLock(tmp_path / "study")
    lock.take()
    try:
        for act in (sweep.batch.submit, sweep.batch.cancel):
            with pytest.raises(FolderInUseError):
                act()
        assert sweep.batch.status.empty
    finally:
        lock.free()


# what goes wrong on the way


def failing(*answers: Response | Any, method: str = "POST", path: str = "/v1/batches") -> Any:
    """Give these answers to requests of one kind, one after the other; the others are real."""
    left = list(answers)

    def instead(asked: str, at: str) -> Any:
        return left.pop(0) if left and (asked, at) == (method, path) else None

    return instead


def test_a_creation_whose_answer_is_lost_is_found_and_not_made_twice(
    provider: BatchServer, make: Any
) -> None:
    for lost in (cut, JSONResponse({"error": {"message": "oh"}}, 500)):
        provider.after = failing(lost)
        sweep = make(folder=f"{make().folder}-{posted(provider, '/v1/batches')}")
        sweep.batch.submit()
        assert sweep.batch.status["status"].tolist() == ["validating"]
    assert posted(provider, "/v1/batches") == len(provider.batches) == 2


def test_a_creation_that_did_not_happen_is_raised_and_made_by_the_next_call(
    provider: BatchServer, make: Any
) -> None:
    sweep = make()
    provider.before = failing(JSONResponse({"error": {"message": "oh"}}, 500))
    with pytest.raises(ServerError):
        sweep.batch.submit()
    assert sweep.batch.status["status"].tolist() == ["waiting"]
    make().batch.submit()
    assert len(provider.batches) == 1
    assert posted(provider, "/v1/files") == 1


def test_a_refused_creation_is_no_batch(provider: BatchServer, make: Any) -> None:
    sweep = make()
    provider.before = failing(JSONResponse({"error": {"message": "quota"}}, 429))
    with pytest.raises(ApiError, match="quota"):
        sweep.batch.submit()
    assert sweep.batch.status["status"].tolist() == ["waiting"]
    assert ended(sweep.batch.submit() and sweep).batch.collect().answered == 4


def test_a_creation_that_nobody_knows_of_stays_unknown_and_is_found_later(
    provider: BatchServer, make: Any
) -> None:
    provider.after = failing(cut)
    gone = JSONResponse({"error": {"message": "down"}}, 503)
    provider.before = lambda method, path: (  # after the creation nothing answers any more
        gone if provider.batches and method == "GET" else None
    )
    sweep = make()
    with pytest.raises(ApiError, match="down"):
        sweep.batch.submit()
    assert sweep.batch.status["status"].tolist() == ["unknown"]
    with pytest.raises(SweepStoppedError, match="4 rows are in a batch"):
        sweep.run()
    provider.before = lambda _method, _path: None
    assert make().batch.poll()["status"].tolist() == ["validating"]
    assert len(provider.batches) == 1


def test_a_list_that_lags_is_asked_again(
    provider: BatchServer, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_parts, "_LISTED_AFTER_S", 30.0)
    provider.after = failing(cut)
    empty = JSONResponse({"object": "list", "data": [], "has_more": False})
    provider.before = failing(empty, empty, empty, method="GET")
    make().batch.submit()
    assert len(provider.batches) == 1
    assert provider.requests.count(("GET", "/v1/batches")) == 4


def test_a_batch_is_found_among_many_also_where_metadata_is_not_listed(
    provider: BatchServer, make: Any
) -> None:
    provider.page, provider.lists_metadata = 2, False
    for number in range(5):  # of somebody else
        make(1, folder=f"{make().folder}-{number}").batch.submit()
    provider.after = failing(cut)
    sweep = make()
    sweep.batch.submit()
    assert sweep.batch.status["batch_id"].tolist() == ["batch_5"]
    assert len(provider.batches) == 6


def test_an_upload_that_fails_is_done_again_by_the_next_call(
    provider: BatchServer, make: Any
) -> None:
    provider.after = failing(cut, path="/v1/files")
    sweep = make()
    with pytest.raises(TransportError):
        sweep.batch.submit()
    assert provider.batches == []
    make().batch.submit()
    assert posted(provider, "/v1/files") == 1  # what had come was found by its name
    assert len(provider.lines(provider.batches[0])) == 4


def test_a_download_that_breaks_is_fetched_again(provider: BatchServer, make: Any) -> None:
    sweep = ended(make().batch.submit() and make())
    output = provider.batches[0]["facts"]["output_file_id"]
    provider.after = failing(cut, cut, method="GET", path=f"/v1/files/{output}/content")
    assert sweep.batch.collect().answered == 4
    files = [path.name for path in (sweep.folder / "batch").iterdir()]
    assert not any(name.startswith(".") for name in files)


def test_output_that_is_no_longer_there_is_said_and_its_rows_are_asked_again(
    provider: BatchServer, make: Any
) -> None:
    sweep = ended(make().batch.submit() and make())
    provider.files.pop(provider.batches[0]["facts"]["output_file_id"])
    assert sweep.batch.collect().rows == 0
    assert "no longer at the server" in sweep.batch.status["error"][0]
    assert sweep.run().status.answered == 4


def test_a_batch_that_the_server_forgot_is_gone(provider: BatchServer, make: Any) -> None:
    sweep = make()
    sweep.batch.submit()
    provider.batches.clear()
    assert sweep.batch.poll()["status"].tolist() == ["gone"]
    sweep.batch.collect()
    assert sweep.run().status.answered == 4


def test_answers_to_rows_that_left_the_plan_wait_for_them(provider: BatchServer, make: Any) -> None:
    provider.course, provider.answers = EXPIRED, some(words(3))
    make(4).batch.submit()
    ended(make(2))
    taken = make(2).batch.collect()
    assert (taken.answered, taken.foreign) == (2, 2)
    assert make(2).run().status.answered == 2
    again = make(4)
    with pytest.raises(SweepStoppedError, match="1 row is in a batch"):
        again.run()
    assert again.batch.submit().collect().answered == 1
    assert [len(provider.lines(batch)) for batch in provider.batches] == [4, 1]
    ended(again).batch.collect()
    again.run()
    assert provider.chats == ["word 3"]


def test_a_folder_whose_state_is_broken_is_told_by_the_name_of_the_file(
    provider: BatchServer, make: Any
) -> None:
    sweep = make()
    sweep.batch.submit()
    (part,) = (sweep.folder / "batch").glob("part-*.json")
    (requests,) = (sweep.folder / "batch").glob("requests-*.jsonl")
    whole = requests.read_bytes()
    requests.unlink()
    with pytest.raises(HistoryError, match=requests.name):
        make().run()
    requests.write_bytes(whole)
    part.write_bytes(b"{")
    with pytest.raises(HistoryError, match=part.name):
        make().run()
    assert provider.chats == []


@pytest.mark.parametrize("every_s", [0, -1])
def test_a_pause_of_no_time_is_refused(make: Any, every_s: float) -> None:
    with pytest.raises(CheckError, match="every_s"):
        make().batch.poll(wait=True, every_s=every_s)


def test_no_key_is_in_any_file_of_a_batch(provider: BatchServer, make: Any) -> None:
    provider.course = ["validating", "failed"]
    provider.errors = [{"code": "x", "message": f"The key {KEY} may not"}]
    sweep = ended(make().batch.submit() and make())
    sweep.batch.collect()
    assert "may not" in sweep.batch.status["error"][0]
    files = [path for path in sweep.folder.rglob("*") if path.is_file()]
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
    assert KEY not in repr(sweep.batch)


# cut off anywhere


class _Killed(BaseException):
    """As a kill: nothing of what comes afterwards is done."""


def events_of(monkeypatch: pytest.MonkeyPatch, at: int) -> list[int]:
    """Kill at the event of this number: before and after each write and each request."""
    count = [0]

    def hooked(kind: Any, name: str) -> None:
        real = getattr(kind, name)

        def call(*arguments: Any, **more: Any) -> Any:
            tick()
            result = real(*arguments, **more)
            tick()
            return result

        monkeypatch.setattr(kind, name, call)

    def tick() -> None:
        count[0] += 1
        if count[0] == at:
            raise _Killed

    hooked(BatchState, "save")
    hooked(BatchState, "keep")
    hooked(Client, "ask")
    hooked(Client, "open")
    return count


@pytest.mark.long
@pytest.mark.parametrize("is_at_store", [False, True])
def test_a_submit_that_is_cut_off_anywhere_makes_no_second_batch(
    provider: BatchServer, make: Any, store: str, is_at_store: bool
) -> None:
    for at in range(1, 100):
        folder = f"{store if is_at_store else make().folder}-{at}"
        n_before = len(provider.batches)
        with pytest.MonkeyPatch.context() as patch:
            events_of(patch, at)
            try:
                make(3, folder=folder, grid={"model": ["a", "b"]}).batch.submit()
            except _Killed:
                is_cut = True
            else:
                is_cut = False
        again = make(3, folder=folder, grid={"model": ["a", "b"]})
        again.batch.submit()
        assert len(provider.batches) - n_before == 2, f"cut at event {at}"
        assert ended(again).batch.collect().answered == 6
        if not is_cut:
            break
    assert at > 20


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_submit_that_is_killed_at_any_step_makes_no_second_batch(
    provider: BatchServer, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "tests.sweep.killed_submit", provider.url, str(tmp_path)]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert told.returncode == 0, told.stderr
    kills = json.loads(told.stdout)
    assert len(kills) > 20
    asked = Counter(
        (line["body"]["model"], line["body"]["messages"][0]["content"])
        for batch in provider.batches
        for line in provider.lines(batch)
    )
    wanted = {
        (model, f"{number} {word}")
        for number in range(1, len(kills) + 2)
        for model in ("a", "b")
        for word in range(3)
    }
    assert set(asked) == wanted
    assert set(asked.values()) == {1}
    assert len(provider.batches) == 2 * (len(kills) + 1)


# what others make of the same


def test_the_scripted_server_is_one_that_openais_own_client_takes(
    provider: BatchServer, make: Any, tmp_path: Path
) -> None:
    """Else what is tested here would be a server of our own making."""
    frame = make().to_batch(tmp_path / "out")
    with openai.OpenAI(
        base_url=provider.url, api_key=KEY, _strict_response_validation=True
    ) as client:
        file = client.files.create(file=Path(frame["file"][0]), purpose="batch")
        batch = client.batches.create(
            input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h",
            metadata={"by": "openai"},
        )  # fmt: skip
        Batch.model_validate(provider.batches[0]["facts"], strict=True)
        FileObject.model_validate(provider.files[file.id]["facts"], strict=True)
        assert [listed.id for listed in client.batches.list()] == [batch.id]
        while batch.status != "completed":
            batch = client.batches.retrieve(batch.id)
        assert batch.output_file_id is not None
        (tmp_path / "o.jsonl").write_bytes(client.files.content(batch.output_file_id).content)
    assert make().from_batch(tmp_path / "o.jsonl").answered == 4


def test_what_is_submitted_here_is_what_openais_client_finds(
    provider: BatchServer, make: Any
) -> None:
    sweep = make()
    sweep.batch.submit()
    with openai.OpenAI(
        base_url=provider.url, api_key=KEY, _strict_response_validation=True
    ) as client:
        (batch,) = client.batches.list()
        assert batch.metadata == {batch_parts.MARK: sweep.batch._state.parts()[0].id}
        assert (batch.endpoint, batch.completion_window) == ("/v1/chat/completions", "24h")
        assert client.batches.cancel(batch.id).status == "cancelling"
    assert ended(sweep).batch.status["status"].tolist() == ["cancelled"]
    upload = provider.files["file-0"]
    assert upload["facts"]["purpose"] == "batch"
    assert upload["data"] == (sweep.folder / "batch").glob("requests-*").__next__().read_bytes()
