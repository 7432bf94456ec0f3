"""Files that can be read to their end: no devices, no pipes, nothing that only waits."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def first_bytes(path: Path, most: int) -> bytes:
    """Give at most so many bytes of a regular file. Raise OSError where there is none.

    What says that it is empty is not read: files of the kernel such as ``/proc/kmsg`` are
    regular by their mode, and block whoever reads them.
    """
    with open(path, "rb", opener=_at_once) as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise OSError("that is a device, a pipe or a folder, and no file")
        return file.read(most) if about.st_size else b""


def _at_once(path: str, flags: int) -> int:
    # a pipe without a writer would wait already while it is opened
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
