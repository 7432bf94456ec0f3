"""Runs that go on while they are looked at: a thread that tells the page what is new."""

from __future__ import annotations

import threading
import time
import weakref
from typing import Protocol

#: the page is told at most so often, in seconds, and a long reply takes at most a fifth of a core
PAUSE_S = 0.25
SHARE = 0.2


class Follower(Protocol):
    """What is told to look again."""

    @property
    def is_following(self) -> bool: ...

    def update(self) -> None: ...


def follow(follower: Follower) -> None:
    """Call `update` for as long as there is something to follow, and once after that.

    The thread holds it weakly and ends with it.
    """
    if follower.is_following:
        reference = weakref.ref(follower)
        threading.Thread(target=_watch, args=(reference,), daemon=True, name="inspector").start()


def _watch(reference: weakref.ref[Follower]) -> None:
    pause_s = PAUSE_S
    while True:
        time.sleep(pause_s)
        follower = reference()
        if follower is None:
            return
        goes_on = follower.is_following
        began = time.perf_counter()
        follower.update()
        took_s = time.perf_counter() - began
        if not goes_on:
            return
        pause_s = max(PAUSE_S, took_s / SHARE)
        del follower
