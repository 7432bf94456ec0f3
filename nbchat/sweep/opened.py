"""The folders of sweeps that this process knows: frames find their rows by the ids of the runs."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from nbchat.frames.source import find_runs_with
from nbchat.session.state import STATE
from nbchat.sweep.folder import Folder
from nbchat.sweep.place import Place

if TYPE_CHECKING:
    from nbchat.run import Run
    from nbchat.sweep.records import Record

#: they are found for as long as somebody has them
_OPEN: weakref.WeakSet[Folder] = weakref.WeakSet()


def make_known(folder: Folder) -> None:
    """Let frames find the rows of a folder by the ids of their runs."""
    _OPEN.add(folder)
    find_runs_with(_runs_of_sweeps)


def opened_folder(path: Place) -> Folder:
    """Give the folder of a sweep, whose rows frames find from now on by the ids of their runs."""
    folder: Folder | None = STATE.searched_sweeps.get(path)
    if folder is None:
        folder = STATE.searched_sweeps[path] = Folder(path)
        make_known(folder)
    return folder


def _runs_of_sweeps(ids: Sequence[str]) -> Mapping[str, Run]:
    wanted = set(ids)
    by_id: dict[str, Run] = {}
    for folder in list(_OPEN):
        if left := wanted - by_id.keys():
            for run in folder.runs(_is_one_of(left)):
                by_id[run.id] = run
    return by_id


def _is_one_of(ids: set[str]) -> Callable[[Record], bool]:
    return lambda record: record.run_id in ids
