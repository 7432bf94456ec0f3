"""How pytest-xdist shares the tests out: a file stays whole, and the browser has one process.

What waits (browser, kernels, the embedded model, other processes) begins first, so that the many
short tests fill what is left.
"""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

BROWSER = "tests/browser"
NOTEBOOKS = "tests/test_notebooks.py"
#: what a test with this mark takes beside a short one, roughly
WEIGHTS = {"kernel": 10, "local": 10, "long": 1}


class ByFile(LoadScopeScheduling):  # type: ignore[misc]
    """Gives each process whole files, in the order in which they were collected."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        # one JupyterLab and one Chromium: two would wait for one another
        return BROWSER if nodeid.startswith(f"{BROWSER}/") else nodeid.partition("::")[0]


def slowest_first(items: list[pytest.Item]) -> None:
    """Put the browser's tests first, then the files whose tests are slowest to run."""
    weights: dict[str, int] = {}
    for item in items:
        path, marks = file_of(item), {mark.name for mark in item.iter_markers()}
        weights[path] = weights.get(path, 0) + max(WEIGHTS.get(mark, 0) for mark in {*marks, ""})
    weights[NOTEBOOKS] = max(weights.values(), default=0)  # each of them is a whole study
    items.sort(key=lambda item: rank(file_of(item), weights))


def file_of(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def rank(path: str, weights: dict[str, int]) -> tuple[int, int]:
    return (0, 0) if path.startswith(f"{BROWSER}/") else (1, -weights[path])
