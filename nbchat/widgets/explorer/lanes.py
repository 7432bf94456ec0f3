"""The requests that stand side by side: of each combination of values one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import msgspec

from nbchat.errors import CheckError
from nbchat.widgets.explorer import axes, variables
from nbchat.widgets.explorer.axes import Axis
from nbchat.widgets.explorer.entries import Entry
from nbchat.widgets.explorer.kept_state import Situation
from nbchat.widgets.explorer.notebook import notebook_variables
from nbchat.widgets.explorer.variables import MOST_LANES, Lane, Variables

if TYPE_CHECKING:
    from nbchat.code import Draft


def lanes_along(
    situation: Situation,
    along: Sequence[Axis],
    literal: Collection[str],
    *,
    first: int,
    repeats: int = 1,
    has_seeds: bool = False,
) -> tuple[list[Entry], int]:
    """Give the requests of all combinations, and how many stand in a row (0: as they fit).

    `literal` are texts that are no templates; `first` is the number of the first request. Raise
    CheckError where there are too many, and what filling in raises.
    """
    _check_count(prod(len(axis.values) for axis in along) * repeats)
    notebook = notebook_variables()
    points: list[tuple[Situation, str]] = [(situation, "")]
    for axis in along:
        points = [
            _at(point, label, axis.name, value, literal, notebook)
            for point, label in points
            for value in axis.values
        ]
    entries: list[Entry] = []
    n_cells, n_all = 1, 0
    for point, label in points:
        names = names_of(point, literal)
        lanes = variables.lanes_of(point.variables, names, notebook)
        n_cells = len(lanes.first)
        # of the rows of a table the first ones are shown, and that is said
        n_all += (n_cells if point.variables.data else lanes.n_all) * repeats
        for lane in lanes.first:
            for k in range(repeats):
                entry = _entry(point, lane, names, literal, notebook)
                if has_seeds:
                    entry = _with_seed(entry, k)
                parts = [lane.label, label, f"#{k + 1}" if repeats > 1 else ""]
                entry.label = " · ".join(filter(None, parts))
                entries.append(entry)
    _check_count(n_all)
    last = repeats if repeats > 1 else len(along[-1].values) if along else 0
    if n_cells > 1 and along and repeats == 1:
        entries = _by_variable(entries, len(points))
        last = len(points)
    for place, entry in enumerate(entries):
        entry.number = first + place
    return entries, last if 1 < last < len(entries) else 0


def names_of(situation: Situation, literal: Collection[str]) -> list[str]:
    """Give the names that the messages ask for; none where templates are sent as they stand."""
    if situation.variables.is_raw:
        return []
    return variables.names_in(situation.draft.messages, literal)


def _at(
    point: Situation,
    label: str,
    name: str,
    value: Any,
    literal: Collection[str],
    notebook: Mapping[str, Any],
) -> tuple[Situation, str]:
    words = " · ".join(filter(None, [label, axes.label_of(name, value)]))
    draft, held = point.draft, point.variables
    if name in names_of(point, literal) and not axes.is_field(name):
        return Situation(draft, axes.with_variable(held, name, value)), words
    return Situation(*axes.with_value(draft, held, name, value, notebook)), words


def _entry(
    point: Situation,
    lane: Lane,
    names: Sequence[str],
    literal: Collection[str],
    notebook: Mapping[str, Any],
) -> Entry:
    draft, held = point.draft, point.variables
    if not names:
        return Entry(draft, 0, variables=held)
    sent = variables.filled(draft, {**notebook, **lane.values}, literal)
    # going back to this lane finds its values, and no others
    row: Variables = msgspec.structs.replace(held, values={**held.values, **lane.values}, data="")
    return Entry(draft, 0, sent=sent, variables=row if lane.label else held)


def _with_seed(entry: Entry, k: int) -> Entry:
    """Give the entry with the seed of its k-th repeat: the request's own, or 1, and so many on."""
    base = entry.draft.fields.get("seed")
    seed = (base if isinstance(base, int) else 1) + k

    def seeded(draft: Draft) -> Draft:
        return msgspec.structs.replace(draft, fields={**draft.fields, "seed": seed})

    entry.draft, entry.sent = seeded(entry.draft), seeded(entry.sent)
    return entry


def _by_variable(entries: list[Entry], n_points: int) -> list[Entry]:
    """Put what the axes make of one value of a variable into one row."""
    n_lanes = len(entries) // n_points
    return [entries[k * n_lanes + lane] for lane in range(n_lanes) for k in range(n_points)]


def _check_count(count: int) -> None:
    if count > MOST_LANES:
        raise CheckError(
            f"These are {count:,} replies: {MOST_LANES} stand side by side at most. "
            "Sweep this writes the code for all of them."
        )
