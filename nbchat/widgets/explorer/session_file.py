"""A session of the panel as a file: its request, its runs, what was pinned and marked."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from nbchat.errors import CheckError
from nbchat.history.redaction import Redaction, known_secrets
from nbchat.history.saved_file import line_of, whole_file
from nbchat.run import Run
from nbchat.widgets.explorer import kept_state
from nbchat.widgets.explorer.entries import Entry
from nbchat.widgets.explorer.kept_state import Situation

_FORMAT = "nbchat explorer 1"
_A_PATH = re.compile(r"[^\s{}\[\]<>|*?\"']+\.json")


class Session(NamedTuple):
    """What a file of a session has."""

    situation: Situation
    entries: list[Entry]
    literal: set[str]


def is_path(source: Any) -> bool:
    """Tell whether a source is the path of a session's file: a path, or a text that is one."""
    if isinstance(source, os.PathLike):
        return True
    return isinstance(source, str) and _A_PATH.fullmatch(source.strip()) is not None


def save(
    path: str | os.PathLike[str], situation: Situation, entries: Sequence[Entry], literal: set[str]
) -> Path:
    """Write a session, without keys; the file is whole or not there. Give its path."""
    redaction = Redaction(known_secrets())
    whole = {
        "format": _FORMAT,
        "state": kept_state.as_json(situation, literal),
        "entries": [_entry(entry, redaction, literal) for entry in entries],
    }
    target = Path(path).expanduser()
    if target.suffix != ".json":
        raise CheckError(f"{target.name} must end in .json.")
    if not target.parent.is_dir():
        raise CheckError(f"There is no folder {target.parent}.")
    with whole_file(target) as handle:
        handle.write(msgspec.json.encode(whole))
    return target


def load(path: str | os.PathLike[str], notebook: Mapping[str, Any]) -> Session:
    """Read a session. Raise CheckError where there is no such file, or it is none."""
    source = Path(path).expanduser()
    if not source.is_file():
        raise CheckError(f"There is no file {source}.")
    try:
        kept = msgspec.json.decode(source.read_bytes())
    except msgspec.DecodeError as error:
        raise CheckError(f"{source.name} is no session of a panel: {error}.") from None
    if not isinstance(kept, dict) or kept.get("format") != _FORMAT:
        raise CheckError(
            f"{source.name} is no session of a panel: explorer.save() writes one, and "
            "nbchat.load reads runs."
        )
    situation, literal = kept_state.of_json(kept["state"], notebook)
    entries = [_read(one, notebook) for one in kept["entries"]]
    return Session(situation, entries, literal)


def _entry(entry: Entry, redaction: Redaction, literal: set[str]) -> dict[str, Any]:
    is_kept = entry.run is not None and entry.is_over
    return {
        "number": entry.number,
        "label": entry.label,
        "state": entry.state if entry.is_over else "interrupted",
        "problem": redaction.text(entry.problem),
        "pinned": entry.is_pinned,
        "mark": entry.mark,
        "note": redaction.text(entry.note),
        "situation": kept_state.as_json(entry.situation, literal),
        "run": msgspec.Raw(line_of(entry.run, redaction)) if is_kept and entry.run else None,
    }


def _read(kept: Mapping[str, Any], notebook: Mapping[str, Any]) -> Entry:
    situation, _ = kept_state.of_json(kept["situation"], notebook)
    run = None if kept["run"] is None else Run.from_dict(kept["run"])
    entry = Entry(
        situation.draft,
        int(kept["number"]),
        str(kept["label"]),
        run=run,
        variables=situation.variables,
    )
    entry.state = kept["state"]
    entry.problem, entry.is_pinned = kept["problem"], bool(kept["pinned"])
    entry.mark, entry.note = kept["mark"], kept["note"]
    return entry
