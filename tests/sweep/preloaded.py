"""Processes that are there to be killed, and have imported what a sweep needs before they begin."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from typing import Any

#: once for all, in the process that the others are forked from
_IMPORTED = ["distributed", "nbchat.sweep.dask", "nbchat.sweep.runner", "nbchat.sweep.sweep"]


def process_of(function: Callable[..., object], *args: Any) -> Any:
    """Begin a process that calls a function of a module; end it with `kill` and `join`."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_IMPORTED)
    process = context.Process(target=function, args=args)
    process.start()
    return process
