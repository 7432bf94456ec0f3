"""How the benchmarks time, isolate and print."""

from __future__ import annotations

import gc
import importlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass
class Line:
    """One line of the table: what was measured, the figures beside each other, the bound."""

    what: str
    figures: dict[str, str]
    value: float
    bound: float | None  # None: shown for comparison, nothing is promised
    claim: str  # "nbchat / openai", the meaning of value and bound
    notes: list[str] = field(default_factory=list)

    @property
    def is_kept(self) -> bool:
        return self.bound is None or self.value <= self.bound

    def __str__(self) -> str:
        figures = " · ".join(f"{name} {figure}" for name, figure in self.figures.items())
        verdict = "OVER" if not self.is_kept else "OK" if self.bound is not None else "--"
        shown = ratio if " / " in self.claim else "{:,.2f}".format
        bound = "no bound" if self.bound is None else f"bound {shown(self.bound)}"
        lines = [
            f"{verdict:4}  {self.what}",
            f"      {figures}",
            f"      {self.claim} = {shown(self.value)}, {bound}",
        ]
        return "\n".join([*lines, *(f"      {note}" for note in self.notes)])


def ratio(value: float) -> str:
    return f"1/{1 / value:.1f}" if 0 < value < 0.5 else f"{value:,.2f}"


def seconds(value: float) -> str:
    if value < 1e-3:
        return f"{value * 1e6:,.1f} µs"
    return f"{value * 1e3:,.1f} ms" if value < 1 else f"{value:,.1f} s"


def megabytes(value: float) -> str:
    return f"{value / 1e6:,.2f} MB"


def cpu_seconds(work: Callable[[], object], repeats: int = 5) -> float:
    """The least CPU time of several repetitions, in seconds."""
    best = float("inf")
    for _ in range(repeats):
        gc.collect()
        begin = time.process_time()
        work()
        best = min(best, time.process_time() - begin)
    return best


def middle(values: list[float]) -> float:
    return statistics.median(values)


def isolated(function: str, *arguments: Any) -> Any:
    """Call "module:function" in a fresh process: no candidate pays for another's objects."""
    program = "import sys; from tests.benchmarks import measure; measure.answer(sys.argv[1])"
    call = json.dumps([function, arguments])
    done = subprocess.run(
        [sys.executable, "-c", program, call],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return json.loads(done.stdout.splitlines()[-1])


def answer(call: str) -> None:
    function, arguments = json.loads(call)
    module, name = function.split(":")
    print(json.dumps(getattr(importlib.import_module(module), name)(*arguments)))
