"""Rows a second of the embedded server with one slot and with several, on as many threads."""

from __future__ import annotations

import time

from tests.benchmarks.measure import Line, isolated

HERE = "tests.benchmarks.slots"
ROWS, TOKENS = 24, 24


def seconds(at_once: int, threads: int) -> float:
    """How long a sweep takes that sends as many requests at once as there are slots."""
    import nbchat

    nbchat.local.serve(threads=threads, at_once=at_once)
    fields = {"profile": "local", "max_completion_tokens": TOKENS, "temperature": 0}

    def swept(n: int, what: str) -> float:
        data = [{"word": f"{what} number {number}"} for number in range(n)]
        sweep = nbchat.sweep("Write a sentence about {{ word }}.", data=data, **fields)
        begin = time.perf_counter()
        counts = sweep.run().status
        assert counts.answered + counts.truncated == n
        return time.perf_counter() - begin

    swept(at_once, "a start")  # what is loaded on first use is no row's
    elapsed = swept(ROWS, "thing")
    nbchat.local.stop()
    return elapsed


def slots() -> list[Line]:
    """What more slots are worth on two threads: wanted are 1.5 times one slot's rows a second."""
    took = {n: isolated(f"{HERE}:seconds", n, 2) for n in (1, 2, 4, 8)}
    figures = {f"at_once={n}": f"{ROWS / value:.2f} rows/s" for n, value in took.items()}
    what = f"{ROWS} rows of {TOKENS} tokens on the embedded model, 2 threads"
    best = min(took[n] for n in (2, 4))
    return [Line(what, figures, best / took[1], None, "several slots / one, time")]
