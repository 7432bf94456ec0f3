"""Prompts and data over a grid of params: ``nbchat.sweep(…)`` makes a `Sweep`.

``nbchat.sweep.random(n, seed, temperature=(0, 2.0))`` draws the points of a grid.
`table`, `compare` and `agreement` are those of a sweep, on a frame that its `scores()` gave.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbchat.sweep.comparison import compare
    from nbchat.sweep.grid import random
    from nbchat.sweep.progress import Counts
    from nbchat.sweep.sweep import Sweep
    from nbchat.sweep.tables import agreement, table

#: public name -> the module that has it
_HOMES = {
    "Counts": "nbchat.sweep.progress",
    "Sweep": "nbchat.sweep.sweep",
    "agreement": "nbchat.sweep.tables",
    "compare": "nbchat.sweep.comparison",
    "random": "nbchat.sweep.grid",
    "table": "nbchat.sweep.tables",
}
__all__ = ["Counts", "Sweep", "agreement", "compare", "random", "table"]


class CallableRoom(ModuleType):
    """This room, which is called as a function is: its name is that of what it does."""

    def __call__(
        self,
        prompt: Any,
        *,
        data: Any = None,
        grid: Any = None,
        repeats: int = 1,
        folder: str | os.PathLike[str] | None = None,
        evaluate: Mapping[str, Any] | None = None,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        budget_usd: float | None = None,
        at_once: int | None = None,
        executor: Any = None,
        **fields: Any,
    ) -> Sweep:
        """Plan a sweep: prompts and data over a grid of params. Nothing is sent before `run()`.

        - `prompt`: a template (``{{ name }}`` is a variable), a list of texts or of message lists,
          a mapping of names to them, or a function of the variables that gives one of them
        - `data`: the items: a frame, a list of mappings, or a .csv, .jsonl or .parquet file; its
          columns are the variables
        - `grid`: what is varied: a dict of lists (every combination), a list of dicts, a frame,
          or ``nbchat.sweep.random(…)``. An axis is a field of the request, an option of nbchat's
          own (`system`, `profile`, …) or a variable
        - `repeats`: samples of each; where `seed` is set, each has the next one
        - `folder`: where rows are kept. The same call goes on where it ended, whatever ended it,
          and sends what is missing. An address that fsspec knows (``s3://bucket/fruit``) is one at
          an object store. None: for as long as the sweep is there
        - `evaluate`: name -> one of `nbchat.evaluators`, or a function of (row, run)
        - `requests_per_minute`, `tokens_per_minute`, `at_once`: limits that are known; else
          they are learnt from the server
        - `budget_usd`: what all rows may cost together, in US dollars
        - `executor`: where rows are run. None: in threads of this process; a
          ``dask.distributed.Client``: on its workers, which share the limits and write `folder`,
          too; an Executor of ``concurrent.futures``: as well, each worker with a fixed share
        - `fields`: fields of each request, and options of nbchat's own, as `nbchat.chat` takes
          them; `max_retries`: how often a row is sent again where its server fails

        Raise CheckError for what cannot be asked.
        """
        from nbchat.sweep.sweep import Sweep

        return Sweep(
            prompt,
            data=data,
            grid=grid,
            repeats=repeats,
            folder=folder,
            evaluate=evaluate,
            requests_per_minute=requests_per_minute,
            tokens_per_minute=tokens_per_minute,
            budget_usd=budget_usd,
            at_once=at_once,
            executor=executor,
            **fields,
        )


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return list(__all__)


sys.modules[__name__].__class__ = CallableRoom
