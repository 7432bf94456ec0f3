"""A sweep that is killed again and again: no row is lost, and none is paid for twice unseen."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from nbchat.sweep.folder import Folder
from tests.sweep.one_sweep import run_sweep, sweep_of
from tests.sweep.preloaded import process_of

ROWS = int(os.environ.get("NBCHAT_ROWS", "400"))
KILLED_AT = (0.1, 0.3, 0.5, 0.7, 0.9)


@pytest.fixture(scope="module")
def faulty() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "tests.sweep.faulty_server", str(port)])
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: log_of(url) is not None)
        yield url
    finally:
        process.kill()
        process.wait()


def log_of(url: str) -> list[tuple[str, str]] | None:
    with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/log") as answer:
        return [(question, kind) for question, kind in json.load(answer)]
    return None


def wait_until(is_true: object) -> None:
    while not is_true():  # type: ignore[operator]
        time.sleep(0.02)


def n_answered(url: str) -> int:
    with urllib.request.urlopen(f"{url}/answered") as answer:
        return int(json.load(answer))


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_sweep_that_is_killed_five_times_has_each_row_once(faulty: str, tmp_path: Path) -> None:
    for share in KILLED_AT:
        process = process_of(run_sweep, f"{faulty}/v1", str(tmp_path), ROWS)
        goal = share * ROWS
        wait_until(lambda: n_answered(faulty) >= goal or not process.is_alive())  # noqa: B023
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    sweep = sweep_of(f"{faulty}/v1", str(tmp_path), ROWS).run()

    frame = sweep.runs()
    assert set(frame["status"]) == {"answered"}
    assert frame["text"].tolist() == [f"word {number}!" for number in range(ROWS)]
    records = list(Folder(tmp_path).all_records())
    assert len({record.row_id for record in records}) == len(records) == ROWS

    log = log_of(faulty) or []
    unknown = Folder(tmp_path).unknown()
    attempts = Counter(attempt.event for attempt in Folder(tmp_path).attempts())
    # what was sent is the plan, what was refused or failed, and what nobody knows of
    retries = attempts["limited"] + attempts["failed"]
    kinds = Counter(kind for _, kind in log)
    assert attempts["sent"] == ROWS + retries + sum(unknown.values())
    assert len(log) <= attempts["sent"]
    assert attempts["sent"] - len(log) <= sum(unknown.values())
    assert retries <= len(log) - kinds["answered"]
    answers = Counter(question for question, kind in log if kind == "answered")
    by_row = dict(zip(frame["word"], frame["row_id"], strict=True))
    assert all(n - 1 <= unknown.get(by_row[word], 0) for word, n in answers.items())
    assert sweep.status.unknown == sum(unknown.values())
