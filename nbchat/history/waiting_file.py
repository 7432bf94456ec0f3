"""Runs that could not be written into the history: lines of JSON beside it, taken in later.

Each process has a file of its own, so that nothing has to be locked: where locks fail, this
is the way that is left.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from nbchat.errors import UnreadableRunError
from nbchat.history.redaction import Redaction
from nbchat.history.saved_file import line_of
from nbchat.history.stored_answers import runs_of_lines
from nbchat.run import Run

#: another process's file is taken once it was silent for so many seconds, and that process is gone
_SILENT_S = 600.0


class WaitingFile:
    """The file of this process beside the history at `path`."""

    def __init__(self, path: Path):
        self._history = path
        host = "".join(c if c.isalnum() else "-" for c in socket.gethostname())[:40]
        self._stem = f"{path.stem}.{host}.{os.getpid()}"
        self.path = path.with_name(f"{self._stem}.{os.urandom(4).hex()}.waiting.jsonl")

    def append(self, runs: list[Run], redaction: Redaction) -> None:
        """Write runs at the end of the file, and wait until they are on disk. Raise OSError."""
        data = b"".join(line_of(run, redaction) + b"\n" for run in runs)
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        while True:
            handle = os.open(self.path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
            try:
                before = os.fstat(handle).st_size
                try:
                    _write_all(handle, data)
                    os.fsync(handle)
                except OSError:
                    with contextlib.suppress(OSError):
                        os.ftruncate(handle, before)  # no half a line
                    raise
                # who takes a file in moves it first: then these runs go into a new one
                if self._is_in_place(handle):
                    return
            finally:
                os.close(handle)

    def _is_in_place(self, handle: int) -> bool:
        held = os.fstat(handle)
        try:
            there = self.path.stat()
        except OSError:
            return False
        return (there.st_ino, there.st_dev) == (held.st_ino, held.st_dev)

    def to_take(self) -> Iterator[Path]:
        """Give the files whose runs this process is to take in: its own, and those left behind."""
        for path in sorted(self._history.parent.glob(f"{self._history.stem}.*.waiting.jsonl*")):
            if path.name.startswith(f"{self._stem}.") or self._is_left_behind(path):
                yield path

    def _is_left_behind(self, path: Path) -> bool:
        try:
            is_silent = time.time() - path.stat().st_mtime > _SILENT_S
        except OSError:
            return False
        _stem, host, pid, *_ = path.name[len(self._history.stem) :].split(".")
        is_here = f".{host}." in self._stem and os.name == "posix" and pid.isdigit()
        return not _is_alive(int(pid)) if is_here else is_silent


def taken(path: Path) -> tuple[Path, list[Run]] | None:
    """Move a file out of its process's way and read it; None where another was quicker.

    A last line that is not whole is left out: its process died while it wrote.
    """
    moved = path
    if path.suffix == ".jsonl":
        moved = path.with_name(f"{path.name}.{os.getpid()}-{os.urandom(4).hex()}")
    try:
        path.rename(moved)
        lines = moved.read_bytes().split(b"\n")
    except OSError:
        return None
    runs: list[Run] = []
    for line in lines:
        with contextlib.suppress(UnreadableRunError):
            runs.extend(runs_of_lines([line], path.name))
    return moved, runs


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
