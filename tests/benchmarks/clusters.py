"""What Dask costs a sweep: beside as many processes without it, on a server without latency."""

from __future__ import annotations

import contextlib
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from tests.benchmarks.measure import ROOT, Line, isolated, megabytes, seconds
from tests.benchmarks.sweeps import served

HERE = "tests.benchmarks.clusters"
PROCESSES, AT_ONCE, REPEATS = 2, 8, 3
#: rows before the scheduler's memory is looked at for the first time
FIRST_ROWS = 2_000


def ready() -> None:
    """What a worker imports on first use is no row's."""
    from nbchat.sweep import runner  # noqa: F401
    from nbchat.sweep.station import where

    where()


def asked(url: str, n: int, executor: Any) -> float:
    import nbchat

    data = [{"word": f"word {number}"} for number in range(n)]
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        done = nbchat.sweep(
            "{{ word }}",
            data=data,
            folder=folder,
            profile=url,
            model="m",
            at_once=AT_ONCE,
            executor=executor,
        ).run()
        elapsed = time.perf_counter() - begin
        assert done.status.answered == n
    return elapsed


def processes(url: str, n: int) -> float:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=context) as executor:
        for future in [executor.submit(ready) for _ in range(4 * PROCESSES)]:
            future.result()
        asked(url, 100, executor)
        return asked(url, n, executor)


def dask(url: str, n: int) -> float:
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=PROCESSES, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        client.run(ready)
        asked(url, 100, client)
        return asked(url, n, client)


@contextlib.contextmanager
def scheduler() -> Iterator[tuple[Any, str]]:
    """A scheduler and workers, each in a process of its own."""
    import psutil

    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        file = f"{folder}/scheduler.json"

        def begun(module: str, *more: str) -> subprocess.Popen[bytes]:
            program = [sys.executable, "-m", f"distributed.cli.{module}", "--scheduler-file", file]
            process = subprocess.Popen([*program, *more], stderr=subprocess.DEVNULL, cwd=ROOT)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            return process

        first = begun(
            "dask_scheduler", "--dashboard-address", ":0", "--port", "0", "--host", "127.0.0.1"
        )
        while not Path(file).exists():
            time.sleep(0.1)
        for _ in range(PROCESSES):
            begun("dask_worker", "--nthreads", "1", "--no-nanny", "--no-dashboard")
        yield psutil.Process(first.pid), file


def scheduler_grown_bytes(n: int) -> float:
    """Memory of the scheduler after so many rows above that after the first ones, in bytes."""
    from distributed import Client

    with (
        served(0.0) as url,
        scheduler() as (process, file),
        Client(scheduler_file=file) as client,
    ):
        client.wait_for_workers(PROCESSES)
        asked(url, FIRST_ROWS, client)
        before = process.memory_info().rss
        asked(url, n, client)
        return float(process.memory_info().rss - before)


def clusters(rows: int) -> list[Line]:
    """Give all lines, of sweeps with so many rows."""
    with served(0.0) as url:
        took: dict[str, list[float]] = {"processes": [], "dask": []}
        for _ in range(REPEATS):  # by turns: the machine is not the same all the time
            for name, times in took.items():
                times.append(isolated(f"{HERE}:{name}", url, rows))
    best = {name: min(times) for name, times in took.items()}
    figures = {
        f"{PROCESSES} processes of a pool": seconds(best["processes"]),
        f"LocalCluster of {PROCESSES}": seconds(best["dask"]),
    }
    what = f"{rows:,} rows on a server without latency, in {PROCESSES} processes"
    ratio = best["dask"] / best["processes"]
    grown = isolated(f"{HERE}:scheduler_grown_bytes", rows)
    return [
        Line(what, figures, ratio, 1.1, "Dask / processes without it"),
        Line(
            f"memory of the scheduler, after {rows:,} rows more",
            {"scheduler": megabytes(grown)},
            grown / 1e6,
            20,
            "scheduler, MB",
        ),
    ]
