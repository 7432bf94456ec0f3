"""The record of all runs, on disk: `search`, `get`, `delete`, `export`, `load`, `path`, `size`.

One SQLite file in the user's data folder, or where ``nbchat.configure(history=…)`` or the
variable `NBCHAT_HISTORY` says; "off" switches it off. What its tables are: docs/howto/history.md.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__all__ = ["delete", "export", "get", "load", "path", "search", "size"]


def __getattr__(name: str) -> Any:
    home = importlib.import_module("nbchat.history.store")
    if name in ("path", "size"):  # they change, so they are asked for each time
        return getattr(home, f"{name}_now")()
    if name not in __all__:
        raise AttributeError(f"module 'nbchat.history' has no attribute {name!r}")
    value = globals()[name] = getattr(home, name)
    return value


def __dir__() -> list[str]:
    return list(__all__)


if TYPE_CHECKING:
    from pathlib import Path

    from nbchat.history.store import delete, export, get, load, search

    path: Path | None
    size: int
