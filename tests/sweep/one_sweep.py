"""A sweep in a process of its own, which is there to be killed: URL, folder, number of rows."""

from __future__ import annotations

import sys
from typing import Any

import nbchat


def sweep_of(url: str, folder: str, n: int, **more: Any) -> Any:
    data = [{"word": f"word {number}"} for number in range(n)]
    return nbchat.sweep("{{ word }}", data=data, folder=folder, profile=url, model="m", **more)


if __name__ == "__main__":
    sweep_of(sys.argv[1], sys.argv[2], int(sys.argv[3])).run()
