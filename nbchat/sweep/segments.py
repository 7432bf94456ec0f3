"""Lines at an object store, which appends to nothing: each group of them is an object of its own.

A segment is put whole, under a name that no other has, and counts from then on. Rows are put every
second (`PutRows`). What is sent is noted before it is sent (`PutAttempts`): those who wait for it
at the same time share one object, and of many objects one is made now and then.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

import msgspec

from nbchat.sweep.object_path import ObjectPath, read_each

#: seconds between two segments of rows, and in which those gather who send
ROWS_S, _ATTEMPTS_S = 1.0, 0.03
#: segments of attempts of which one object is made
_BOUND_TOGETHER = 200
#: seconds after which a segment is put anew that the store refused; then it is given up
_AGAIN_AFTER_S = (0.5, 1.0, 2.0, 4.0, 8.0)

_BOUND = ".bound-"


class PutRows:
    """Lines that are kept here until `close`, which puts them into one object."""

    def __init__(self, path: ObjectPath):
        path.parent.mkdir()
        self.path = path
        self.n_bytes = 0
        self._pieces: list[bytes] = []

    def append(self, data: bytes) -> None:
        self._pieces.append(data)
        self.n_bytes += len(data)

    def sync(self) -> None:
        """Do nothing: it is safe when it is closed."""

    def close(self) -> None:
        """Put the object. Raise OSError where the store refuses it again and again."""
        put(self.path, b"".join(self._pieces))


class _Group:
    """Lines that wait for the same object."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.is_put = threading.Event()
        self.fault: OSError | None = None


class PutAttempts:
    """Attempts of one process: ``attempts-STEM.NUMBER.jsonl``. Safe from any thread."""

    def __init__(self, folder: ObjectPath, stem: str):
        folder.mkdir()
        self._folder, self._stem = folder, stem
        self._lock = threading.Lock()
        self._group: _Group | None = None
        self._late: list[bytes] = []
        self._number = 0
        self._segments: list[tuple[ObjectPath, bytes]] = []

    def append(self, data: bytes, *, is_to_be_safe: bool = True) -> None:
        """Write a line, and return when it is safe; else it goes with the next one that is to be.

        Raise OSError.
        """
        with self._lock:
            if not is_to_be_safe:
                self._late.append(data)
                return
            is_first = self._group is None
            group = self._group = self._group or _Group()
            group.pieces.append(data)
        if is_first:
            time.sleep(_ATTEMPTS_S)
            self._put(group)
        group.is_put.wait()
        if group.fault is not None:
            raise group.fault

    def close(self) -> None:
        """Put what is left. Raise OSError."""
        with self._lock:
            is_left = bool(self._late)
        if is_left:
            group = _Group()
            self._put(group)
            if group.fault is not None:
                raise group.fault
        self._bind(at_least=2)

    def _put(self, group: _Group) -> None:
        with self._lock:
            if self._group is group:
                self._group = None
            data = b"".join([*self._late, *group.pieces])
            self._late = []
            self._number += 1
            path = self._folder / f"attempts-{self._stem}.{self._number:06d}.jsonl"
        try:
            put(path, data)
        except OSError as error:
            group.fault = error
            return
        finally:
            group.is_put.set()
        with self._lock:
            self._segments.append((path, data))
        self._bind(at_least=_BOUND_TOGETHER)

    def _bind(self, *, at_least: int) -> None:
        """Make one object of many, which says what it has, and take those away."""
        with self._lock:
            if len(self._segments) < at_least:
                return
            segments, self._segments = sorted(self._segments), []
        head = msgspec.json.encode({"bound": [[path.name, len(data)] for path, data in segments]})
        number = segments[0][0].stem.rpartition(".")[2]
        target = self._folder / f"attempts-{self._stem}{_BOUND}{number}.jsonl"
        with contextlib.suppress(OSError):  # they are there one by one
            target.write_bytes(b"\n".join([head, b"".join(data for _, data in segments)]))
            for path, _ in segments:
                path.unlink(missing_ok=True)


class _Head(msgspec.Struct):
    bound: list[tuple[str, int]]


def has_attempts_of(folder: ObjectPath, stem: str) -> bool:
    """Tell whether a process of this name has noted that it sends something."""
    names = (f"attempts-{stem}.000001.jsonl", f"attempts-{stem}{_BOUND}000001.jsonl")
    return any((folder / name).exists() for name in names)


def attempts_in(folder: ObjectPath) -> Iterator[bytes]:
    """Give the lines of all attempts, each once, also while they are bound. Raise OSError."""
    seen: set[str] = set()
    is_complete = False
    while not is_complete:
        is_complete = True
        paths = [path for path in folder.glob("attempts-*.jsonl") if path.name not in seen]
        for path, data in read_each(sorted(paths, key=lambda path: _BOUND not in path.name)):
            if path.name in seen:
                continue
            if data is None:  # it was bound meanwhile
                is_complete = False
                continue
            for name, lines in _segments_of(path.name, data):
                if name not in seen:
                    seen.add(name)
                    yield from lines.splitlines()
            seen.add(path.name)


def _segments_of(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    if _BOUND not in name:
        yield name, data
        return
    head, _, rest = data.partition(b"\n")
    for segment, n_bytes in msgspec.json.decode(head, type=_Head).bound:
        yield segment, rest[:n_bytes]
        rest = rest[n_bytes:]


def put(path: ObjectPath, data: bytes) -> None:
    """Put an object, again where the store refuses it. Raise OSError where it does not take it."""
    for pause_s in _AGAIN_AFTER_S:
        try:
            path.write_bytes(data)
        except OSError:
            time.sleep(pause_s)
        else:
            return
    path.write_bytes(data)
