"""Which cell of a figure is meant by some values of its axes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nbchat.api.explain import did_you_mean, nearest
from nbchat.errors import CheckError
from nbchat.plots.axis_values import is_not_set
from nbchat.plots.glyphs import shortened

#: of more values of an axis the first are named
_MOST_NAMED = 8


def cell_at(points: list[dict[str, Any]], wanted: Any) -> int:
    """Give the number of the only point with these values, axis -> value.

    Raise CheckError where there is none or are several, which says what would be one.
    """
    if not isinstance(wanted, Mapping):
        raise _error(wanted, f"it must be the values of one cell, as {_in_code(points[0])}")
    axes = [*points[0]]
    for name in wanted:
        if name not in axes:
            there = f"the axes are {', '.join(axes)}" if axes else "the figure has no axis"
            near = did_you_mean(nearest(str(name), axes)).rstrip()
            raise _error(wanted, f"{name} is no axis; {there}", near)
        if not any(_is_same(point[name], wanted[name]) for point in points):
            raise _error(wanted, f"{name} must be {_values(point[name] for point in points)}")
    cells = [
        number
        for number, point in enumerate(points)
        if all(_is_same(point[name], wanted[name]) for name in wanted)
    ]
    if len(cells) == 1:
        return cells[0]
    if not cells:
        raise _error(wanted, "no cell has these values together")
    missing = [
        f"{name}, which is {_values(points[number][name] for number in cells)}"
        for name in axes
        if name not in wanted
    ]
    raise _error(wanted, f"{len(cells):,} cells have that: add {'; and '.join(missing)}")


def _error(wanted: Any, why: str, near: str = "") -> CheckError:
    sentence = f"selected is {_in_code(wanted)}, but {why}.{near}"
    return CheckError(sentence, field="selected", value=wanted)


def _values(values: Iterable[Any]) -> str:
    names = list(dict.fromkeys(_in_code(None if is_not_set(each) else each) for each in values))
    left = len(names) - _MOST_NAMED
    if left > 1:
        return f"{', '.join(names[:_MOST_NAMED])} or one of {left:,} others"
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _in_code(value: Any) -> str:
    return shortened(repr(value), 120)


def _is_same(one: Any, other: Any) -> bool:
    if is_not_set(one) or is_not_set(other):
        return is_not_set(one) and is_not_set(other)
    return bool(one == other)
