"""Processes that are there to be killed, and have imported what a sweep needs before they begin."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from typing import Any

#: once for all, in the process that the others are forked from
_IMPORTED = ["distributed", "nbchat.sweep.dask", "nbchat.sweep.runner", "nbchat.sweep.sweep"]


def process_of(function: Callable[..., object], *args: Any) -> Any:
    """Begin a process that calls a function of a module; end it with `kill` and `join`."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_IMPORTED)
    process = context.Process(target=_called, args=(dict(os.environ), function, args))
    process.start()
    return process


def _called(environment: dict[str, str], function: Callable[..., object], args: Any) -> None:
    os.environ.clear()  # it has that of the time when the first one was forked
    os.environ.update(environment)
    function(*args)
