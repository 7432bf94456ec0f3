"""A sweep on a real cluster of four processes, of which some are killed, stopped or slow.

A server by other hands, in a process of its own, is the witness of what was sent, and when.
"""

from __future__ import annotations

import bisect
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import nbchat
from nbchat.errors import CheckError, ProfileError
from nbchat.sweep.dask import Dask
from nbchat.sweep.folder import Folder
from tests.sweep.dask_driver import KEY_VARIABLE, LEASE_S, drive, sweep_of
from tests.sweep.preloaded import process_of

pytestmark = [pytest.mark.long, pytest.mark.timeout(240)]

KEY = "sk-canary-of-the-cluster-0123456789"
#: seconds that a request takes
TAKES_S = 0.05


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Four workers in processes of their own, which have the key in their environment."""
    from distributed import LocalCluster

    before = os.environ.get(KEY_VARIABLE)
    os.environ[KEY_VARIABLE] = KEY
    try:
        with LocalCluster(
            n_workers=4, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as made:
            yield made
    finally:
        os.environ.pop(KEY_VARIABLE)
        if before is not None:
            os.environ[KEY_VARIABLE] = before


@pytest.fixture
def client(cluster: Any) -> Iterator[Any]:
    from distributed import Client

    with Client(cluster) as made:
        made.wait_for_workers(4, timeout=60)
        yield made


@pytest.fixture
def url() -> Iterator[str]:
    with witness() as (address, _):
        yield address


@contextlib.contextmanager
def witness() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A server of its own, by its address and its process."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = [sys.executable, "-m", "tests.sweep.witness_server", str(port), str(TAKES_S)]
    process = subprocess.Popen(program)
    address = f"http://127.0.0.1:{port}/v1"
    try:
        wait_until(lambda: log_of(address) is not None)
        yield address, process
    finally:
        process.kill()
        process.wait()


def log_of(url: str) -> list[tuple[float, str, str]] | None:
    with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/log") as answer:
        return [(at, question, key) for at, question, key in json.load(answer)]
    return None


def n_sent(url: str) -> int:
    return len(log_of(url) or [])


def wait_until(is_true: Callable[[], object], within_s: float = 100.0) -> None:
    until = time.monotonic() + within_s
    while not is_true():
        assert time.monotonic() < until, "it has not come about"
        time.sleep(0.05)


def most_in(times: list[float], window_s: float) -> int:
    return max(bisect.bisect_left(times, at + window_s) - place for place, at in enumerate(times))


def assert_one_row_each(sweep: Any, url: str, rows: int) -> None:
    """Each row is there once; what was sent beyond the plan is counted and named."""
    frame = sweep.runs()
    assert set(frame["status"]) == {"answered"}
    assert frame["text"].tolist() == [f"word {number}!" for number in range(rows)]
    folder = Folder(sweep.folder)
    records = Counter(record.row_id for record in folder.all_records())
    assert set(records.values()) == {1}
    unknown = folder.unknown()
    asked = Counter(question for _, question, _ in log_of(url) or [])
    by_word = dict(zip(frame["word"], frame["row_id"], strict=True))
    beyond = {word: n - 1 for word, n in asked.items() if n > 1}
    assert all(n <= unknown.get(by_word[word], 0) for word, n in beyond.items())
    assert sweep.status.unknown == sum(unknown.values())
    assert sweep.status.answered == rows


@contextlib.contextmanager
def slowed(pid: int) -> Iterator[None]:
    """Let a process run for a fifth of the time."""
    is_over = threading.Event()

    def slow() -> None:
        while not is_over.is_set():
            os.kill(pid, signal.SIGSTOP)
            is_over.wait(0.4)
            os.kill(pid, signal.SIGCONT)
            is_over.wait(0.1)

    thread = threading.Thread(target=slow)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def sent_to_the_scheduler(dask_scheduler: Any = None) -> bytes:
    import pickle

    return b"".join(pickle.dumps(state.run_spec) for state in dask_scheduler.tasks.values())


def test_one_worker_is_killed_and_one_is_slow_and_the_limit_of_all_is_kept(
    client: Any, url: str, tmp_path: Path
) -> None:
    rows, per_s = 600, 50
    pids = list(client.run(os.getpid).values())
    sweep = sweep_of(client, url, str(tmp_path), rows, 60 * per_s).start()
    graph = b""
    with slowed(pids[1]):
        wait_until(lambda: n_sent(url) >= 150)
        graph = client.run_on_scheduler(sent_to_the_scheduler)
        os.kill(pids[0], signal.SIGKILL)
        wait_until(lambda: n_sent(url) >= rows - per_s)
    sweep.wait()
    assert_one_row_each(sweep, url, rows)
    log = log_of(url) or []
    times = [at for at, _, _ in log]
    assert most_in(times, 10) <= 1.15 * 10 * per_s  # what is too much of it, is 2.5 % of a minute
    assert times[-1] - times[0] >= 10  # else the line above says nothing
    # the key was sent to the server, and nowhere else
    assert {key for _, _, key in log} == {f"Bearer {KEY}"}
    assert b"word 1" in graph
    assert KEY.encode() not in graph
    told = json.dumps([client.get_worker_logs(), client.get_scheduler_logs()], default=str)
    assert KEY not in told
    assert not [path for path in tmp_path.rglob("*") if path.is_file()
                and KEY.encode() in path.read_bytes()]  # fmt: skip


def test_a_driver_that_is_killed_stops_all_workers_and_the_sweep_is_taken_up(
    client: Any, cluster: Any, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, per_minute = 360, 4_800  # of which some 200 are sent before all have stopped
    process = process_of(drive, cluster.scheduler_address, url, str(tmp_path), rows, per_minute)
    wait_until(lambda: n_sent(url) >= 40)
    process.kill()
    process.join()
    last_leased_at = (tmp_path / "workers.json").stat().st_mtime
    sweep = sweep_of(client, url, str(tmp_path), rows, per_minute)
    sweep.run()
    # those of the driver that was killed have all stopped before the next one begins
    times = [at - last_leased_at for at, _, _ in log_of(url) or []]
    assert not [at for at in times if LEASE_S + 1.5 < at < LEASE_S + 2]
    assert [at for at in times if at > LEASE_S + 2]
    assert "its workers have stopped in" in capsys.readouterr().err
    assert_one_row_each(sweep, url, rows)


def test_workers_that_hear_nothing_of_their_driver_stop_and_go_on_when_it_is_back(
    client: Any, cluster: Any, url: str, tmp_path: Path
) -> None:
    rows, per_minute = 320, 4_800
    process = process_of(drive, cluster.scheduler_address, url, str(tmp_path), rows, per_minute)
    try:
        wait_until(lambda: n_sent(url) >= 40)
        os.kill(process.pid, signal.SIGSTOP)
        stopped_at = time.time()
        time.sleep(LEASE_S + 3)
        back_at = time.time()
        os.kill(process.pid, signal.SIGCONT)
        process.join(90)
        assert process.exitcode == 0
    finally:
        process.kill()
        process.join()
    times = [at for at, _, _ in log_of(url) or []]
    assert not [at for at in times if stopped_at + LEASE_S + 1 < at < back_at]
    assert [at for at in times if stopped_at < at < stopped_at + LEASE_S]
    assert_one_row_each(sweep_of(client, url, str(tmp_path), rows, per_minute), url, rows)


def test_a_worker_that_is_killed_loses_at_a_store_what_was_not_put_and_no_row_is_there_twice(
    client: Any, url: str, tmp_path: Path
) -> None:
    rows = 160
    store = f"local://{tmp_path}/bucket"  # files by fsspec's own hands, which append nothing here
    sweep = sweep_of(client, url, store, rows, 3_600).start()
    wait_until(lambda: sweep.status.answered >= 20)
    os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)
    sweep.wait()
    assert_one_row_each(sweep, url, rows)
    bucket = tmp_path / "bucket"
    assert list(bucket.glob("parts/*.parquet"))
    assert not [*bucket.glob("journals/*"), *bucket.glob("writers/*"), *bucket.glob("*.json")]


def test_rows_of_a_server_that_is_killed_go_to_the_other_one(
    client: Any, url: str, tmp_path: Path
) -> None:
    rows = 200
    with witness() as (killed, process):
        profile = nbchat.Profile(
            name="two", base_urls=[killed, url], model="m", key=KEY, key_variable=KEY_VARIABLE
        )
        sweep = nbchat.sweep(
            "{{ word }}",
            data=[{"word": f"word {number}"} for number in range(rows)],
            folder=tmp_path,
            profile=profile,
            at_once=4,
            executor=Dask(client, lease_s=LEASE_S),
        ).start()
        wait_until(lambda: n_sent(killed) >= 10)
        process.kill()
        sweep.wait()
    assert set(sweep.runs()["status"]) == {"answered"}
    assert n_sent(url) >= 10
    assert {key for _, _, key in log_of(url) or []} == {f"Bearer {KEY}"}


def test_a_variable_that_workers_do_not_have_is_named(
    client: Any, url: str, tmp_path: Path
) -> None:
    profile = nbchat.Profile(
        name="witness", base_url=url, key="sk-here-alone-0123456789", key_variable="NOT_ON_WORKERS"
    )
    sweep = nbchat.sweep("hello", profile=profile, model="m", folder=tmp_path, executor=client)
    with pytest.raises(ProfileError, match=r"^The worker tcp://.* has no variable NOT_ON_WORKERS"):
        sweep.run()
    assert n_sent(url) == 0


def test_stop_ends_the_tasks_of_a_cluster(client: Any, url: str, tmp_path: Path) -> None:
    sweep = sweep_of(client, url, str(tmp_path), 400, 2_400).start()
    wait_until(lambda: sweep.status.answered >= 10)
    sweep.stop()
    sweep.wait()
    n = n_sent(url)
    assert sweep.status.answered == n
    time.sleep(1.5)
    assert n_sent(url) == n < 400
    assert not (tmp_path / "workers.json").exists()


def test_a_client_that_is_closed_and_a_cluster_are_no_executors(cluster: Any) -> None:
    from distributed import Client

    client = Client(cluster)
    client.close()
    with pytest.raises(CheckError, match="is a Client that is closed"):
        nbchat.sweep("hello", executor=client)
    with pytest.raises(CheckError, match=r"is a LocalCluster of Dask, .*Client\(cluster\) is one"):
        nbchat.sweep("hello", executor=cluster)
