"""Objects as the rows and columns of a table, all of builtins."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from nbchat.structured.json_schema import Node, branches_of, followed, object_at, types_of

if TYPE_CHECKING:
    from nbchat.structured.structure import Structure

MOST_COLUMNS = 5_000
MOST_LEVELS = 100
_KEPT = (
    dt.datetime,
    dt.date,
    dt.time,
    dt.timedelta,
    decimal.Decimal,
    uuid.UUID,
)


def rows(value: Any) -> list[dict[str, Any]]:
    """Give an object, or each of a list, as a row of builtins (times and decimals stay).

    What is no object stands under ``value``.
    """
    plain = msgspec.to_builtins(value, builtin_types=_KEPT, str_keys=True, enc_hook=_dumped)
    entries = plain if isinstance(plain, list) else [plain]
    return [entry if isinstance(entry, dict) else {"value": entry} for entry in entries]


def _dumped(value: Any) -> Any:
    dump = getattr(value, "model_dump", None)
    if not callable(dump):
        raise NotImplementedError(f"{type(value).__name__} has no plain form")
    return dump(by_alias=True)


def columns(structure: Structure | None) -> list[str]:
    """Name the columns that the schema promises, those of an object inside as ``outer.inner``."""
    if structure is None:
        return []
    root = structure.schema
    node = root if structure.wrapped is None else root["properties"][structure.wrapped]
    node = followed(node, root) if isinstance(node, dict) else {}
    if types_of(node) == ["array"]:
        items = node.get("items")
        node = followed(items, root) if isinstance(items, dict) else {}
    return list(islice(_leaves(node, root, "", ()), MOST_COLUMNS))


def _leaves(node: Node, root: Node, prefix: str, above: tuple[int, ...]) -> Iterator[str]:
    properties = object_at(node, "properties")
    here = (*above, id(properties))
    for key, inner in properties.items():
        held = _object_in(inner, root)
        # a recursion stays one column
        if held is None or id(held["properties"]) in here or len(here) > MOST_LEVELS:
            yield f"{prefix}{key}"
        else:
            yield from _leaves(held, root, f"{prefix}{key}.", here)


def _object_in(node: Any, root: Node) -> Node | None:
    """Give the object that a property holds, or may hold beside null."""
    branches = [branch for branch in branches_of(node, root) if isinstance(branch, dict)]
    held = [branch for branch in branches if types_of(branch) != ["null"]]
    return held[0] if len(held) == 1 and object_at(held[0], "properties") else None
