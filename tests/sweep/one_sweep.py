"""A sweep in a process of its own, which is there to be killed."""

from __future__ import annotations

from typing import Any

import nbchat


def sweep_of(url: str, folder: str, n: int, **more: Any) -> Any:
    data = [{"word": f"word {number}"} for number in range(n)]
    return nbchat.sweep("{{ word }}", data=data, folder=folder, profile=url, model="m", **more)


def run_sweep(url: str, folder: str, n: int) -> None:
    sweep_of(url, folder, n).run()
