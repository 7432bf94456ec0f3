"""How pytest-xdist shares the tests out: a file stays whole, and the browser has one process.

What waits (browser, kernels, the embedded model, other processes) begins first, so that the many
short tests fill what is left.
"""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

BROWSER = "tests/browser"
SLOW_MARKS = {"kernel", "local", "long"}


class ByFile(LoadScopeScheduling):  # type: ignore[misc]
    """Gives each process whole files, in the order in which they were collected."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        # one JupyterLab and one Chromium: two would wait for one another
        return BROWSER if nodeid.startswith(f"{BROWSER}/") else nodeid.partition("::")[0]


def slowest_first(items: list[pytest.Item]) -> None:
    """Put the browser's tests first, then the files in which most of the tests are slow to run."""
    n_slow: dict[str, int] = {}
    for item in items:
        if SLOW_MARKS & {mark.name for mark in item.iter_markers()}:
            path = file_of(item)
            n_slow[path] = n_slow.get(path, 0) + 1
    items.sort(key=lambda item: rank(file_of(item), n_slow))


def file_of(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def rank(path: str, n_slow: dict[str, int]) -> tuple[int, int]:
    if path.startswith(f"{BROWSER}/"):
        return (0, 0)
    return (1, -n_slow[path]) if path in n_slow else (2, 0)
