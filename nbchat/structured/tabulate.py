"""Objects as the rows and columns of a table, all of builtins."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from nbchat.structured.json_schema import Node, followed, types_of

if TYPE_CHECKING:
    from nbchat.structured.structure import Structure

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
    node = followed(node, root)
    if types_of(node) == ["array"]:
        node = followed(node.get("items") or {}, root)
    return list(_leaves(node, root, "", ()))


def _leaves(node: Node, root: Node, prefix: str, above: tuple[int, ...]) -> Iterator[str]:
    properties = node.get("properties", {})
    here = id(properties)
    for key, inner in properties.items():
        held = _object_in(inner, root)
        if held is None or id(held["properties"]) in (*above, here):  # a recursion stays one column
            yield f"{prefix}{key}"
        else:
            yield from _leaves(held, root, f"{prefix}{key}.", (*above, here))


def _object_in(node: Any, root: Node) -> Node | None:
    """Give the object that a property holds, or may hold beside null."""
    if not isinstance(node, dict):
        return None
    node = followed(node, root)
    branches = [followed(branch, root) for branch in node.get("anyOf", [node])]
    held = [branch for branch in branches if types_of(branch) != ["null"]]
    return held[0] if len(held) == 1 and held[0].get("properties") else None
