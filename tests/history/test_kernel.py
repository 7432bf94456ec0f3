"""A real kernel that is killed: what its cells asked is there."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from nbchat.history import store
from tests.kernel import Kernel
from tests.scripted import Reply, ScriptedServer, chunk, sse


@pytest.mark.kernel
def test_a_killed_kernel_leaves_every_run_whose_cell_had_ended(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    with ScriptedServer() as server:
        env = {
            "NBCHAT_HISTORY": str(path),
            "OPENAI_BASE_URL": server.url,
            "OPENAI_API_KEY": "a-key",
        }
        with Kernel(env=env) as kernel:
            kernel.run("%load_ext nbchat")
            kernel.run("%%chat --model m\nfirst")
            kernel.run("import nbchat\nnbchat.chat('second', model='m').text")
            os.kill(kernel.pid, signal.SIGKILL)
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        asked = connection.execute("SELECT asked FROM texts ORDER BY number").fetchall()
    assert asked == [("first",), ("second",)]


@pytest.mark.kernel
def test_what_a_cell_asks_is_kept_with_its_cell_and_notebook(
    history: Path, server: ScriptedServer, tmp_path: Path
) -> None:
    env = {
        "NBCHAT_HISTORY": str(history),
        "OPENAI_BASE_URL": server.url,
        "OPENAI_API_KEY": "a-key",
        "JPY_SESSION_NAME": str(tmp_path / "study.ipynb"),
    }
    with Kernel(env=env) as kernel:
        for cell in ("a", "b"):
            asked = kernel.execute("import nbchat\nnbchat.chat('Hi', model='m').text", cell)
            assert asked.status == "ok"
    runs = store.runs_of_ids(list(store.search()["run_id"]))
    assert sorted(run.cell or "" for run in runs.values()) == ["a", "b"]
    assert {run.notebook for run in runs.values()} == {str(tmp_path / "study.ipynb")}


@pytest.mark.kernel
def test_a_kernel_that_is_killed_at_any_moment_leaves_a_sound_file(
    history: Path, server: ScriptedServer
) -> None:
    # whatever of a request came, it is not read
    server.default = Reply(sse(chunk("safe"), chunk(finish_reason="stop")))
    rng = random.Random(19)
    env = {
        "NBCHAT_HISTORY": str(history),
        "OPENAI_BASE_URL": server.url,
        "OPENAI_API_KEY": "a-key",
    }
    ended: list[str] = []
    for _ in range(int(os.environ.get("NBCHAT_TEST_KERNEL_KILLS", "2"))):
        with Kernel(env=env) as kernel:
            kernel.run("%load_ext nbchat\nimport nbchat\nnbchat.chat('first', model='m').text")
            ended += ids_until_killed(kernel, rng)
        with closing(sqlite3.connect(history)) as connection, connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        found = store.runs_of_ids(ended)
        assert set(found) == set(ended)
        assert ended
        assert {run.text for run in found.values()} == {"safe"}


def ids_until_killed(kernel: Kernel, rng: random.Random) -> list[str]:
    """Ask one cell after the other until the kernel is gone; the ids of those that had ended."""
    ids: list[str] = []
    killer = threading.Timer(rng.uniform(0.2, 0.7), os.kill, (kernel.pid, signal.SIGKILL))
    killer.start()
    while kernel.is_alive:
        cell = kernel.start(
            "runs = [nbchat.chat('more', model='m') for _ in range(3)]\n"
            "print(*(run.id for run in runs))"
        )
        while kernel.is_alive and not cell.is_idle.wait(0.02):
            pass
        if cell.is_idle.is_set():
            ids += cell.text.split()
    killer.join()
    return ids
