"""One process writes a sweep's folder; the others read, and can say who writes."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from pathlib import Path

import msgspec

from nbchat.errors import FolderInUseError

_NAME = "writer.json"


class Writer(msgspec.Struct):
    """Who writes a folder: a process, its machine, its notebook, and since when."""

    pid: int
    host: str
    since: str
    notebook: str | None = None

    def __str__(self) -> str:
        where = f"process {self.pid} on {self.host}"
        notebook = f" ({self.notebook})" if self.notebook else ""
        return f"{where}{notebook}, since {self.since}"


def writer_here(notebook: str | None) -> Writer:
    """Give this process, as who writes from now on."""
    since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    return Writer(os.getpid(), socket.gethostname(), since, notebook)


class WriterLock:
    """Held by the process that writes. The system frees it when that process ends, however."""

    def __init__(self, folder: Path):
        self._path = folder / _NAME
        self._handle: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether this very process holds it through this object."""
        return self._handle is not None

    def take(self, notebook: str | None = None) -> None:
        """Become the one who writes. Raise FolderInUseError, which says who is."""
        if self._handle is not None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o644)
        if not _locked(handle):
            os.close(handle)
            raise FolderInUseError(
                f"The folder {self._path.parent} is being written by {self.writer()}. Here it can "
                "be read: runs(), table(), tokens(). Stop it there, or give another folder."
            )
        who = writer_here(notebook)
        os.ftruncate(handle, 0)
        os.ftruncate(handle, 0)
        os.write(handle, msgspec.json.encode(who))
        self._handle = handle

    def free(self) -> None:
        """Let others write."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def writer(self) -> Writer | None:
        """Give who writes now; None where nobody does."""
        try:
            handle = os.open(self._path, os.O_RDWR)
        except OSError:
            return None
        try:
            if self._handle is None and _locked(handle):
                return None
            with contextlib.suppress(msgspec.MsgspecError, OSError):
                return msgspec.json.decode(os.read(handle, 4096), type=Writer)
            return Writer(0, "another machine", "a while ago")
        finally:
            os.close(handle)


def _locked(handle: int) -> bool:
    """Lock a file for this process, if no other has."""
    if sys.platform == "win32":
        import msvcrt

        try:  # far behind what is written, so that others can read it
            os.lseek(handle, 1 << 20, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(handle, 0, os.SEEK_SET)
        return True
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
