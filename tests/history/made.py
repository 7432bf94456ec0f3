"""Runs for the tests of the history, and programs that write them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from typing import Any

from nbchat.api.check import check
from nbchat.run import Run
from tests.wire import completion, logprob_entry, usage_of

ENTRIES = [
    logprob_entry(text, -0.5, [(text, -0.5), ("x", -1.5), ("y", -2.25)]) for text in ("Par", "is")
]


def run_of(
    answer: str = "Paris", asked: str = "What is the capital?", model: str = "small", **facts: Any
) -> Run:
    params = facts.pop("params", {"model": model, "temperature": 0.5})
    return Run.from_completion(
        completion(answer, logprobs=ENTRIES, usage=usage_of(), model=model),
        messages=[{"role": "user", "content": asked}],
        params=check(params),
        **facts,
    )


def started(program: str, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    """Start Python on a program, with what it prints to be read."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def begun_at_once(others: Iterable[subprocess.Popen[str]]) -> list[str]:
    """Let processes that have said ``ready`` go on at the same moment; what each printed then."""
    waiting = list(others)
    for other in waiting:
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
    for other in waiting:
        assert other.stdin is not None
        other.stdin.write("\n")
        other.stdin.flush()
    said = []
    for other in waiting:
        out, err = other.communicate(timeout=60)
        assert other.returncode == 0, err
        said.append(out.strip())
    return said
