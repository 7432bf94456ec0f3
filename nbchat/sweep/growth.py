"""What journals of other processes have got since the last look: rows that nobody tells of yet."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from nbchat.errors import UnreadableRunError
from nbchat.sweep.folder import Folder
from nbchat.sweep.object_path import ObjectPath
from nbchat.sweep.place import Place
from nbchat.sweep.records import Record, read_record


class Growth:
    """Reads the ends of journals that grow. At an object store none does."""

    def __init__(self, folder: Place):
        self._folder = folder
        self._n_bytes: dict[Path, int] = {}

    def records(self, stems: Iterable[str]) -> Iterator[Record]:
        """Give the rows that were not given yet, of the journals by these names."""
        if isinstance(self._folder, ObjectPath):
            return
        files = Folder(self._folder)
        for stem in stems:
            for path in files.journals_of(stem):
                if isinstance(path, Path):
                    yield from self._new(path)

    def _new(self, path: Path) -> Iterator[Record]:
        begin = self._n_bytes.get(path, 0)
        with contextlib.suppress(OSError), path.open("rb") as file:  # it may be in a part by now
            file.seek(begin)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._n_bytes[path] = self._n_bytes.get(path, 0) + len(line)
                with contextlib.suppress(UnreadableRunError):
                    yield read_record(line)
