"""Closed journals become parts, in a thread beside the sweep."""

from __future__ import annotations

import re
import threading

from nbchat.sweep import parts
from nbchat.sweep.folder import Folder
from nbchat.sweep.object_path import ObjectPath
from nbchat.sweep.place import Place

#: the journal of a process that runs all of a sweep (`nbchat.sweep.journal`)
_OF_A_PROCESS = re.compile(r"rows-\d{8}T\d{6}-\d+-[0-9a-f]+-\d+\.jsonl")


#: bytes of a part at an object store, about: until then its rows are in many small objects
STORED_PART_BYTES = 16_000_000


class Packing:
    """Packs journals as soon as there are enough of them for a part.

    What cannot be packed stays as it is, since journals are read all the same.
    """

    def __init__(self, folder: Place, part_bytes: int | None = None):
        self._folder = folder
        usual = STORED_PART_BYTES if isinstance(folder, ObjectPath) else parts.PART_BYTES
        self._part_bytes = usual if part_bytes is None else part_bytes
        self._lock = threading.Lock()
        self._journals: list[Place] = []
        self._thread: threading.Thread | None = None
        self._is_packing = False
        self.fault: Exception | None = None

    def add(self, journal: Place) -> None:
        """Take a journal that is closed."""
        self._take([journal])

    def take_over(self) -> None:
        """Take the journals of earlier processes like this one, which has the folder's lock.

        Those of a cluster's workers stay, since one that was lost may write still. A process that
        was killed may have left some that are in a part already: they go.
        """
        if not parts.can_pack():
            return
        folder = Folder(self._folder)
        left = folder.journals()
        for path in set(folder.all_journals()) - set(left):
            path.unlink(missing_ok=True)
        self._take([path for path in left if _OF_A_PROCESS.fullmatch(path.name)])

    def _take(self, journals: list[Place]) -> None:
        if not (journals and parts.can_pack()):
            return
        with self._lock:
            self._journals += journals
            if not self._is_packing:
                self._is_packing = True
                self._thread = threading.Thread(target=self._pack, name="nbchat-parts", daemon=True)
                self._thread.start()

    def add_all(self, stems: list[str]) -> None:
        """Take all journals by these names (`nbchat.sweep.journal.Journal`), which are closed."""
        folder = Folder(self._folder)
        self._take([journal for stem in stems for journal in folder.journals_of(stem)])

    def close(self) -> None:
        """Wait for what is being packed."""
        if self._thread is not None:
            self._thread.join()

    def _pack(self) -> None:
        looked_at: list[Place] = []
        while True:
            with self._lock:
                journals = [*self._journals]
                if journals == looked_at or not journals:  # none has come meanwhile
                    self._is_packing = False
                    return
            looked_at = journals
            try:
                if parts.packed_size(journals) < self._part_bytes:
                    continue
                parts.pack(self._folder, journals)
            except Exception as error:  # noqa: BLE001 - the journals are there, and are read
                self.fault = error
                continue
            with self._lock:
                self._journals = [path for path in self._journals if path not in journals]


def pack_segments(folder: Place) -> None:
    """Make parts of all segments at an object store. No task that reads its own may begin anew.

    A segment that comes later is one by itself, and is read.
    """
    if not (isinstance(folder, ObjectPath) and parts.can_pack()):
        return
    journals: list[Place] = []
    for journal in Folder(folder).journals():
        journals.append(journal)
        if parts.packed_size(journals) >= STORED_PART_BYTES:
            parts.pack(folder, journals)
            journals = []
    if len(journals) > 1:
        parts.pack(folder, journals)
