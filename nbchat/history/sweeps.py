"""Sweeps in the history, by reference: its name and its folder, which has the rows.

A line for each folder in ``sweeps.jsonl``, beside the history's file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from nbchat.above import ABOVE
from nbchat.history.filters import Texts, When, moment

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbchat.run import Run

NAME = "sweeps.jsonl"


class Reference(msgspec.Struct, frozen=True):
    """Where the rows of a sweep are."""

    name: str
    folder: str


class _Folder(Protocol):
    def all_records(self) -> Iterator[Any]: ...

    def runs(self, is_wanted: Callable[[Any], bool]) -> Iterator[Run]: ...


_read = msgspec.json.Decoder(Reference).decode


def note_sweep(history: Path | None, name: str, folder: object) -> None:
    """Note where a sweep has its rows; once, and not where the history is switched off.

    Raise OSError where that cannot be written.
    """
    if history is None:
        return
    reference = Reference(name, str(folder))
    if reference in _references(history):
        return
    history.parent.mkdir(parents=True, exist_ok=True)
    with history.with_name(NAME).open("ab") as file:
        file.write(msgspec.json.encode(reference) + b"\n")


def runs_of_sweeps(
    history: Path | None,
    sweep: Texts,
    *,
    text: str | None = None,
    since: When | None = None,
    until: When | None = None,
    limit: int | None = None,
    **equal: Texts | None,
) -> list[Run]:
    """Give the runs in the folders of these sweeps, newest first; the filters are the history's.

    A folder that is gone has none. Raise CheckError for a time that cannot be read.
    """
    begin = None if since is None else moment("since", since).astimezone()
    end = None if until is None else moment("until", until).astimezone()
    filters = {name: _any_of(texts) for name, texts in equal.items() if texts is not None}
    words = (text or "").casefold().split()

    def is_in_time(record: Any) -> bool:
        at = datetime.fromisoformat(record.created_at)
        return (begin is None or at >= begin) and (end is None or at < end)

    is_named = _any_of(sweep)
    runs: list[Run] = []
    for reference in _references(history):
        if not is_named(reference.name):
            continue
        folder: _Folder | None = ABOVE["sweep_folder"](reference.folder)
        if folder is None:  # it is gone
            continue
        records = [record for record in folder.all_records() if is_in_time(record)]
        if not (words or filters) and limit is not None:
            records.sort(key=lambda record: record.created_at, reverse=True)
            del records[limit:]
        ids = {record.run_id for record in records}
        runs += [
            run
            for run in folder.runs(lambda record, ids=ids: record.run_id in ids)  # type: ignore[misc]
            if all(fits(getattr(run, name)) for name, fits in filters.items()) and _has(run, words)
        ]
    runs.sort(key=lambda run: run.created_at, reverse=True)
    return runs if limit is None else runs[:limit]


def _references(history: Path | None) -> list[Reference]:
    path = None if history is None else history.with_name(NAME)
    if path is None or not path.exists():
        return []
    references = []
    for line in path.read_bytes().splitlines():
        try:
            references.append(_read(line))
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue  # it was being written when its process ended
    return references


def _any_of(texts: Texts) -> Callable[[str | None], bool]:
    """Tell which texts are one of these, of which ``*`` stands for anything."""
    one: Iterable[str] = [texts] if isinstance(texts, str) else texts
    patterns = [re.compile(".*".join(map(re.escape, text.split("*"))), re.DOTALL) for text in one]
    return lambda value: value is not None and any(one.fullmatch(value) for one in patterns)


def _has(run: Run, words: list[str]) -> bool:
    if not words:
        return True
    texts = [run.text, *(str(message.get("content") or "") for message in run.messages)]
    whole = "\n".join(texts).casefold()
    return all(word in whole for word in words)
