"""A real kernel that is killed: what its cells asked is there."""

from __future__ import annotations

import os
import signal
import sqlite3
from pathlib import Path

import pytest

from tests.kernel import Kernel
from tests.scripted import ScriptedServer


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
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        asked = connection.execute("SELECT asked FROM texts ORDER BY number").fetchall()
    assert asked == [("first",), ("second",)]
