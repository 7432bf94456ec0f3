"""What a sweep costs, its journal included, beside clients that keep nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from tests.benchmarks.measure import ROOT, Line, isolated, megabytes, seconds

HERE = "tests.benchmarks.sweeps"
ROWS, AT_ONCE, LATENCY_S = 1_024, 256, 1.0
QUICK_ROWS = 2_000
ALTERNATIVE_TOKENS = 4


@contextlib.contextmanager
def served(latency_s: float, n_tokens: int = 0) -> Iterator[str]:
    """The URL of a server in a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tests.benchmarks.sweep_server"]
    process = subprocess.Popen(
        [*command, str(port), str(latency_s), str(n_tokens)], stdout=subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def asked_at_once(n: int, at_once: int, ask: Callable[[int], Awaitable[object]]) -> Any:
    """Ask `n` times, so many at once."""

    async def lane(numbers: Iterator[int]) -> None:
        for number in numbers:
            await ask(number)

    async def all_lanes() -> None:
        numbers = iter(range(n))
        await asyncio.gather(*(lane(numbers) for _ in range(at_once)))

    return all_lanes()


def aiohttp(url: str, n: int, at_once: int) -> float:
    import aiohttp as package

    async def work() -> float:
        connector = package.TCPConnector(limit=at_once)
        async with package.ClientSession(connector=connector) as session:

            async def ask(number: int) -> object:
                body = {"model": "m", "messages": [{"role": "user", "content": f"word {number}"}]}
                async with session.post(f"{url}/chat/completions", json=body) as answer:
                    return await answer.json()

            begin = time.perf_counter()
            await asked_at_once(n, at_once, ask)
            return time.perf_counter() - begin

    return asyncio.run(work())


def openai(url: str, n: int, at_once: int) -> float:
    from openai import AsyncOpenAI

    async def work() -> float:
        async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:

            async def ask(number: int) -> object:
                messages: Any = [{"role": "user", "content": f"word {number}"}]
                return await client.chat.completions.create(model="m", messages=messages)

            begin = time.perf_counter()
            await asked_at_once(n, at_once, ask)
            return time.perf_counter() - begin

    return asyncio.run(work())


def urllib3_threads(url: str, n: int, at_once: int) -> float:
    """Send the same bytes on kept connections, and read JSON: what threads cost at least."""
    import json
    from concurrent.futures import ThreadPoolExecutor

    import urllib3

    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "word"}]}).encode()
    headers = {"Content-Type": "application/json"}
    with urllib3.PoolManager(maxsize=at_once) as connections:

        def ask(_: int) -> object:
            path = f"{url}/chat/completions"
            return connections.request("POST", path, body=body, headers=headers).json()

        begin = time.perf_counter()
        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(ask, range(n)))
        return time.perf_counter() - begin


def openai_threads(url: str, n: int, at_once: int) -> float:
    from concurrent.futures import ThreadPoolExecutor

    from openai import OpenAI

    with OpenAI(base_url=url, api_key="none", max_retries=0) as client:

        def ask(number: int) -> object:
            messages: Any = [{"role": "user", "content": f"word {number}"}]
            return client.chat.completions.create(model="m", messages=messages)

        begin = time.perf_counter()
        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(ask, range(n)))
        return time.perf_counter() - begin


#: where `make litellm` puts it, with all that it depends on
LITELLM = ROOT / "build" / "litellm" / ("Scripts" if os.name == "nt" else "bin") / "python"


def litellm(url: str, n: int, at_once: int) -> float | None:
    """Ask with litellm, by an interpreter of its own; None where that is not there."""
    if not LITELLM.exists():
        return None
    program = [LITELLM, ROOT / "tests" / "benchmarks" / "litellm_client.py"]
    # its prices come from its package, and not from the network
    env = os.environ | {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    done = subprocess.run(
        [*program, url, str(n), str(at_once)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=env,
    )
    return float(done.stdout.splitlines()[-1])


def without_what_is_missing(took: dict[str, float | None]) -> tuple[dict[str, float], list[str]]:
    """Give the figures that there are, and a line for each that there is not."""
    there = {name: value for name, value in took.items() if value is not None}
    missing = [f"{name} is not installed: make litellm" for name in took if name not in there]
    return there, missing


def nbchat(url: str, n: int, at_once: int) -> float:
    import nbchat as package
    from nbchat.sweep import bar, runner, sweep  # noqa: F401 - as the others, before the clock runs

    data = [{"word": f"word {number}"} for number in range(n)]
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        done = package.sweep(
            "{{ word }}", data=data, folder=folder, profile=url, model="m", at_once=at_once
        ).run()
        elapsed = time.perf_counter() - begin
        assert done.status.answered == n
    return elapsed


def grown_bytes(url: str, n: int) -> float:
    """Peak memory of a sweep with 20 alternatives above that before it, in bytes."""
    import nbchat as package

    def sweep_of(n: int, folder: str) -> Any:
        data = [{"word": f"word {number}"} for number in range(n)]
        return package.sweep(
            "{{ word }}", data=data, folder=folder, profile=url, model="m", at_once=16,
            logprobs=True, top_logprobs=20,
        )  # fmt: skip

    with tempfile.TemporaryDirectory() as folder:
        sweep_of(10, folder).run()  # what is imported on first use is no row's
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as folder:
        sweep = sweep_of(n, folder).run()
        assert sweep.status.answered == n
        return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024.0


def waiting() -> list[Line]:
    """Requests of a second: what the client adds to the ideal."""
    ideal = LATENCY_S * ROWS / AT_ONCE
    with served(LATENCY_S) as url:
        took, notes = without_what_is_missing({
            name: isolated(f"{HERE}:{name}", url, ROWS, AT_ONCE)
            for name in ("aiohttp", "openai", "litellm", "nbchat")
        })  # fmt: skip
    figures = {name: seconds(value) for name, value in took.items()}
    what = f"{ROWS:,} requests of {LATENCY_S:.0f} s, {AT_ONCE} at once (ideal {seconds(ideal)})"
    return [Line(what, figures, took["nbchat"] / ideal, 1.15, "nbchat / ideal", notes)]


def quick() -> list[Line]:
    """A server without latency: what a request costs the client."""
    with served(0.0) as url:
        took = {
            f"openai, {'threads' if 'threads' in name else 'async'}, {at_once} at once": isolated(
                f"{HERE}:{name}", url, QUICK_ROWS, at_once
            )
            for name in ("openai", "openai_threads")
            for at_once in (4, 16)
        }
        best = min(took.values())
        took["aiohttp"] = isolated(f"{HERE}:aiohttp", url, QUICK_ROWS, 16)
        took["urllib3 on threads"] = isolated(f"{HERE}:urllib3_threads", url, QUICK_ROWS, 8)
        took["nbchat"] = isolated(f"{HERE}:nbchat", url, QUICK_ROWS, 8)
        more, notes = without_what_is_missing({
            "litellm": isolated(f"{HERE}:litellm", url, QUICK_ROWS, 16)
        })  # fmt: skip
    took |= more
    figures = {name: f"{QUICK_ROWS / value:,.0f}/s" for name, value in took.items()}
    what = f"{QUICK_ROWS:,} rows on a server without latency, the journal of a sweep included"
    return [Line(what, figures, took["nbchat"] / best, 0.5, "nbchat / openai's best, time", notes)]


def memory(rows: int) -> list[Line]:
    """Rows with 20 alternatives a token: what they leave in memory."""
    with served(0.0, ALTERNATIVE_TOKENS) as url:
        grown = isolated(f"{HERE}:grown_bytes", url, rows)
    what = f"memory of a sweep of {rows:,} rows with 20 alternatives, above the start"
    return [Line(what, {"nbchat": megabytes(grown)}, grown / 1e6, 300, "nbchat, MB")]


def sweeps(rows: int) -> list[Line]:
    """Give all lines; `rows` are those of the sweep whose memory is measured."""
    return [*waiting(), *quick(), *memory(rows)]
