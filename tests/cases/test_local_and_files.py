"""The embedded model from many threads and odd names; files that are none; keys of its process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import nbchat
from nbchat import local
from nbchat.code import draft_of, read_cell
from nbchat.errors import CheckError, LocalModelError, NbchatError
from nbchat.local.process import clean_environment
from nbchat.regular_file import first_bytes
from tests.cases.canary import CANARY

THREADS = """
import sys, threading, nbchat
failed, models, barrier = [], [], threading.Barrier({count})
def ask():
    barrier.wait()
    try:
        models.append(nbchat.chat("Hi", profile="local", max_completion_tokens=2).model)
    except BaseException as error:
        failed.append(repr(error))
threads = [threading.Thread(target=ask) for _ in range({count})]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(len(models), set(models), failed)
"""


@pytest.mark.local
@pytest.mark.parametrize("count", [4, 12])
def test_many_threads_start_one_embedded_model_and_the_others_wait(
    weights: Path, count: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", THREADS.format(count=count)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == f"{count} {{'{local.MODEL}'}} []\n", done.stderr
    assert done.stderr.count("Starting the embedded model") == 1


@pytest.mark.local
def test_the_embedded_server_is_given_no_key_of_the_kernel(weights: Path) -> None:
    code = (
        "import nbchat, psutil\n"
        "server = nbchat.local.ensure()\n"
        "print(psutil.Process(server.pid).environ())\n"
    )
    names = ("OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "http_proxy", "WHATEVER")
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **dict.fromkeys(names, CANARY)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "PATH" in done.stdout
    assert CANARY not in done.stdout


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "SOME_TOKEN", "LC_SECRET", "X", "http_proxy"])
def test_only_what_is_needed_is_handed_on(name: str) -> None:
    found = clean_environment({name: CANARY, "PATH": "/bin", "LC_ALL": "C", "OMP_NUM_THREADS": "1"})
    assert found == {"PATH": "/bin", "LC_ALL": "C", "OMP_NUM_THREADS": "1"}


ODD_NAMES = [
    "x" * 5_000,
    "a\x00b",
    "~nobody-of-that-name/x",
    "",
    " ",
    ".",
    "/",
    "/dev/null",
    "x/" * 3_000,
]


@pytest.mark.local
@pytest.mark.parametrize("name", [*ODD_NAMES, "/proc/kmsg", "/dev/zero", 5, b"bytes", ["list"]])
def test_an_odd_name_of_a_model_is_refused_in_a_short_sentence(name: Any, weights: Path) -> None:
    with pytest.raises(LocalModelError) as caught:
        local.serve(name)
    assert len(str(caught.value)) < 400


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    path = tmp_path / "pipe.png"
    os.mkfifo(path)
    return path


@pytest.mark.parametrize(
    "name", [*ODD_NAMES, "/proc/kmsg", "/dev/zero", "/dev/tty", "/proc/self/mem"]
)
@pytest.mark.parametrize("field", ["images", "audio_in", "files"])
def test_what_is_no_regular_file_is_refused_at_once(name: str, field: str) -> None:
    with pytest.raises(CheckError):
        nbchat.chat("Look.", profile="http://127.0.0.1:9/v1", **{field: name})


def test_a_pipe_is_refused_at_once(pipe: Path) -> None:
    with pytest.raises(CheckError, match="pipe"):
        nbchat.chat("Look.", profile="http://127.0.0.1:9/v1", images=pipe)
    with pytest.raises(LocalModelError):
        local.serve(pipe)
    with pytest.raises(OSError, match="pipe"):
        first_bytes(pipe, 4)


LOOP: list[Any] = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), object(), {1, 2}, b"x", LOOP, {1.5: 1}, len]
)
@pytest.mark.parametrize("cell", ["%%chat --messages m\nHi", "%%chat --params p\nHi"])
def test_a_cell_with_values_that_are_no_json_is_refused_as_ours(value: Any, cell: str) -> None:
    known = {
        "m": [{"role": "user", "content": value}],
        "p": {"temperature": value, "extra": {"x": value}},
    }
    for read in (read_cell, draft_of):
        with pytest.raises(NbchatError):
            read(cell, known)
