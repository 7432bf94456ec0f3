"""A file that one process at a time changes: the others wait."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

#: seconds that a process waits for others
PATIENCE_S = 10.0
_BUSY = {errno.EACCES, errno.EAGAIN, errno.EDEADLK}


class BusyFileError(OSError):
    """Another process has held the file for too long."""


@contextlib.contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Keep other processes from changing a file, which is made where there is none.

    Gives whether it is locked: some file systems have no locks. Raise `BusyFileError` where
    another process has it for too long, OSError where it cannot be made.
    """
    handle, is_locked = _waited_for(path)
    try:
        yield is_locked
    finally:
        os.close(handle)  # which lets go of the lock


def _waited_for(path: Path) -> tuple[int, bool]:
    """Open and lock what stands at the path: whoever had it may have put another file there."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        handle = os.open(_lock_file(path), os.O_CREAT | os.O_RDWR, 0o666)
        try:
            _lock(handle)
        except OSError as error:
            if error.errno not in _BUSY:
                return handle, False
            os.close(handle)
            if time.monotonic() >= deadline:
                sentence = f"another process has held {path.name} for {PATIENCE_S:.0f} s"
                raise BusyFileError(error.errno, sentence) from None
            time.sleep(0.005)
            continue
        if _is_there(path, handle):
            return handle, True
        os.close(handle)


def _is_there(path: Path, handle: int) -> bool:
    mine = os.fstat(handle)
    try:
        there = _lock_file(path).stat()
    except OSError:
        return False
    return (mine.st_ino, mine.st_dev) == (there.st_ino, there.st_dev)


if sys.platform == "win32":  # there, a file that is open cannot give way to another
    import msvcrt

    def _lock_file(path: Path) -> Path:
        name = hashlib.sha256(str(path).lower().encode()).hexdigest()[:24]
        return Path(tempfile.gettempdir()) / f"nbchat-{name}.lock"

    def _lock(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock_file(path: Path) -> Path:
        return path

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
