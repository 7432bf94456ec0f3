"""The points of a grid: what is varied, in every combination, as listed, or drawn at random."""

from __future__ import annotations

import itertools
import json
import random as randomness
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from nbchat.errors import CheckError
from nbchat.sweep.data import plain

Point = dict[str, Any]
_RULE = "must be a dict of lists, a list of dicts, a frame, or nbchat.sweep.random(…)"
_LONGEST_LABEL = 60


class Grid(msgspec.Struct, frozen=True):
    """What is varied: the names of the axes, and the points, each a value on each axis."""

    axes: tuple[str, ...]
    points: tuple[Point, ...]


def read_grid(grid: Any) -> Grid:
    """Read a grid; None is one point without axes. Raise CheckError where it is none."""
    if grid is None:
        return Grid((), ({},))
    if isinstance(grid, Mapping):
        return _product(grid)
    if hasattr(grid, "columns") and hasattr(grid, "to_dict"):
        grid = grid.to_dict("records")
    if not isinstance(grid, (list, tuple)) or not all(isinstance(p, Mapping) for p in grid):
        raise _refusal(grid)
    if not grid:
        raise CheckError("grid has no points.", field="grid", rule="must have at least one")
    axes = tuple(dict.fromkeys(str(name) for point in grid for name in point))
    return Grid(axes, tuple({str(k): plain(v) for k, v in point.items()} for point in grid))


def random(n: int, seed: int = 0, /, **ranges: Any) -> list[Point]:
    """Draw `n` points at random, the same ones for the same `seed`.

    Each name has a range: ``temperature=(0, 2.0)`` are numbers from 0 to 2,
    ``top_logprobs=(1, 20)`` whole numbers, both ends included, and a list is a choice of its
    values. Raise CheckError for another range.
    """
    if type(n) is not int or n < 1:
        raise CheckError(
            f"random() takes the number of points first, and it is {n!r}.", field="n", value=n
        )
    draws = randomness.Random(seed)  # noqa: S311 - nothing here is secret
    points = [
        {name: _drawn(name, wanted, draws) for name, wanted in ranges.items()} for _ in range(n)
    ]
    if not ranges:
        raise CheckError(
            "random() needs at least one range, as temperature=(0, 2.0).", field="grid"
        )
    return points


def label_of(value: Any) -> Any:
    """Give a value as frames and figures name it: numbers and texts as they are."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, (list, tuple)):
        parts = [str(label_of(entry)) for entry in value]
        return _shortened(f"[{', '.join(parts)}]")
    if isinstance(value, Mapping):
        schema = value.get("json_schema")
        name = value.get("name") or (schema.get("name") if isinstance(schema, Mapping) else None)
        return _shortened(str(name) if name else json.dumps(value, default=str))
    name = getattr(value, "__name__", None) or getattr(value, "name", None)
    return name if isinstance(name, str) else _shortened(repr(value))


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_LABEL else f"{text[: _LONGEST_LABEL - 1]}…"


def _product(grid: Mapping[Any, Any]) -> Grid:
    axes = {str(name): _values(str(name), values) for name, values in grid.items()}
    points = (dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values()))
    return Grid(tuple(axes), tuple(points))


def _values(name: str, values: Any) -> list[Any]:
    is_list = isinstance(values, Iterable) and not isinstance(values, (str, bytes, Mapping))
    plain_values = [plain(value) for value in values] if is_list else []
    if plain_values:
        return plain_values
    what = "an empty list" if is_list else repr(values)
    raise CheckError(
        f"grid[{name!r}] is {what}, but it must be a list of the values to ask at.",
        field=f"grid.{name}",
        value=values,
        rule="must be a list with at least one value",
    )


def _drawn(name: str, wanted: Any, draws: randomness.Random) -> Any:
    if isinstance(wanted, list) and wanted:
        return draws.choice(wanted)
    if isinstance(wanted, tuple) and len(wanted) == 2:
        low, high = wanted
        if all(type(end) is int for end in wanted) and low <= high:
            return draws.randint(low, high)
        if all(isinstance(end, (int, float)) for end in wanted) and low <= high:
            return draws.uniform(low, high)
    rule = "must be (lowest, highest), or a list of values to choose from"
    raise CheckError(f"{name} is {wanted!r}, but it {rule}.", field=name, value=wanted, rule=rule)


def _refusal(grid: Any) -> CheckError:
    return CheckError(
        f"grid is a {type(grid).__name__}, but it {_RULE}.", field="grid", value=grid, rule=_RULE
    )
