"""A file in a sweep's folder while workers beyond this process write there.

It says which run they belong to, so that a worker can tell whether it sees the right folder, and
how long it takes until all of them have stopped when the driver is lost.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from nbchat.sweep.leases import Order
from nbchat.sweep.object_path import ObjectPath
from nbchat.sweep.place import Place

_NAME = "workers.json"
#: seconds by which the time of the mark may be behind the last lease
_LATE_S = 2.0


class Mark(msgspec.Struct):
    """Which run writes, how long its leases last, and what those are told who see only this."""

    run: str
    lease_s: float
    order: Order = "go"


def write_mark(folder: Place, mark: Mark) -> None:
    """Put the mark there, whole or not at all; its time is that of the last lease."""
    folder.mkdir(parents=True, exist_ok=True)
    target, data = folder / _NAME, msgspec.json.encode(mark)
    if isinstance(target, ObjectPath):
        target.write_bytes(data)
    elif isinstance(target, Path):
        path = target.with_name(f".{_NAME}")
        path.write_bytes(data)
        path.replace(target)


def remove_mark(folder: Place) -> None:
    """Take it away: all workers have stopped."""
    with contextlib.suppress(OSError):
        (folder / _NAME).unlink()


def read_mark(folder: Place) -> Mark | None:
    """Give the mark; None where there is none."""
    try:
        return msgspec.json.decode((folder / _NAME).read_bytes(), type=Mark)
    except (OSError, msgspec.MsgspecError):
        return None


def is_marked(folder: Place, run: str) -> bool:
    """Tell whether a folder is the one that this run writes."""
    mark = read_mark(folder)
    return mark is not None and mark.run == run


def order_in(folder: Place, run: str) -> Order:
    """Give what workers of a run are told here: to stop, too, where the mark is another's."""
    mark = read_mark(folder)
    return mark.order if mark is not None and mark.run == run else "stop"


def wait_for_workers(folder: Place, say: Callable[[str], None]) -> None:
    """Wait until the workers of a driver that was lost have stopped, and take its mark away."""
    mark = read_mark(folder)
    if mark is None:
        return
    if (left_s := _left_s(folder, mark)) > 0:
        say(f"The last run of this sweep was lost: its workers have stopped in {left_s:.0f} s.")
    while (left_s := _left_s(folder, mark)) > 0:
        time.sleep(min(left_s, 0.5))
    remove_mark(folder)


def _left_s(folder: Place, mark: Mark) -> float:
    """Give the seconds that its leases last, by the clock of the file system on both sides."""
    try:
        marked_at = (folder / _NAME).stat().st_mtime
        now = now_at(folder)
    except OSError:
        return 0.0
    return marked_at + mark.lease_s + _LATE_S - now


def now_at(folder: Place) -> float:
    """Give the time by the clock of whoever keeps a folder. Raise OSError."""
    if isinstance(folder, Path):
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".now") as file:
            return Path(file.name).stat().st_mtime
    path = folder / f".now-{os.urandom(4).hex()}"
    path.write_bytes(b"")
    try:
        return path.stat().st_mtime
    finally:
        path.unlink(missing_ok=True)
