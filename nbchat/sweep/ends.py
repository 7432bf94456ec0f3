"""A file that says that a task sends no more, where whoever begins it anew would wait for that."""

from __future__ import annotations

from nbchat.sweep.folder import Folder
from nbchat.sweep.journal import ATTEMPTS
from nbchat.sweep.place import Place


def note_end(folder: Place, stem: str) -> None:
    """Note that what is called so was closed by who wrote it; of what was not begun, nothing."""
    if Folder(folder).has_files_of(stem):
        _end(folder, stem).write_bytes(b"")


def has_end(folder: Place, stem: str) -> bool:
    """Tell whether that was noted."""
    return _end(folder, stem).exists()


def _end(folder: Place, stem: str) -> Place:
    return folder / ATTEMPTS / f"over-{stem}"
