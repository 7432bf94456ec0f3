"""Submits of sweeps, each killed at another step and then done again: URL, folder.

Each step is a process of its own that ends by SIGKILL before or after a write or a request. At the
end the numbers of the steps are told, as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import nbchat
from nbchat.client import Client
from nbchat.sweep import batch_parts
from nbchat.sweep.batch_state import BatchState


def sweep_of(url: str, folder: str, number: int) -> nbchat.sweep.Sweep:
    data = [{"word": f"{number} {word}"} for word in range(3)]
    profile = nbchat.Profile(name="p", base_url=url, key="a-key-of-a-test")
    return nbchat.sweep(
        "{{ word }}",
        data=data,
        grid={"model": ["a", "b"]},
        profile=profile,
        folder=f"{folder}/{number}",
    )


def submit(url: str, folder: str, number: int) -> None:
    sweep_of(url, folder, number).batch.submit()


def kill_at(number: int) -> None:
    """Kill this process at the event of this number."""
    count = 0

    def tick() -> None:
        nonlocal count
        count += 1
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def hooked(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            tick()
            result = real(*arguments, **more)
            tick()
            return result

        return call

    for kind, name in ((BatchState, "save"), (Client, "ask"), (Client, "open")):
        setattr(kind, name, hooked(getattr(kind, name)))


def in_a_process(act: Callable[[], object]) -> int:
    """Do something in a process of its own, and give how it ended."""
    child = os.fork()
    if not child:
        code = 1
        try:
            act()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(url: str, folder: str) -> None:
    batch_parts._LISTED_AFTER_S = 0.0
    os.fsync = lambda _: None  # what is written outlives a process
    sweep_of(url, folder, 0).to_batch(f"{folder}/0")  # what is imported on first use is there
    kills = []
    for number in range(1, 200):

        def killed(at: int = number) -> None:
            kill_at(at)
            submit(url, folder, at)

        code = in_a_process(killed)
        if in_a_process(lambda at=number: submit(url, folder, at)):  # type: ignore[misc]
            raise SystemExit(f"the submit after the kill at step {number} failed")
        if code == 0:
            break
        if code != -signal.SIGKILL:
            raise SystemExit(f"step {number} ended with {code}")
        kills.append(number)
    sys.stdout.write(json.dumps(kills))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
