"""Values that a model wrote, walked beside the schema that they were asked for by."""

from __future__ import annotations

from typing import Any

from nbchat.structured.json_schema import (
    Node,
    branches_of,
    followed,
    is_nullable,
    list_at,
    object_at,
    types_of,
)


def with_whole_numbers(value: Any, node: Any, root: Node) -> Any:
    """Give 5.0 as 5 where an integer was asked for, as JSON Schema has it, and nowhere else."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and _wants_integer(value, node, root) else value
    if not isinstance(value, (list, dict)) or not isinstance(node, dict):
        return value
    node = branch_for(value, node, root)
    if isinstance(value, list):
        places, rest = list_at(node, "prefixItems"), node.get("items")
        return [
            with_whole_numbers(entry, places[place] if place < len(places) else rest, root)
            for place, entry in enumerate(value)
        ]
    properties, rest = object_at(node, "properties"), node.get("additionalProperties")
    return {
        key: with_whole_numbers(entry, properties.get(key, rest), root)
        for key, entry in value.items()
    }


def without_added_nulls(value: Any, node: Any, root: Node) -> Any:
    """Take out the nulls of properties that the strict schema alone made required."""
    if not isinstance(node, dict):
        return value
    node = branch_for(value, node, root)
    if isinstance(value, list):
        return [without_added_nulls(entry, node.get("items"), root) for entry in value]
    if not isinstance(value, dict):
        return value
    properties, required = object_at(node, "properties"), list_at(node, "required")
    return {
        key: without_added_nulls(entry, properties.get(key), root)
        for key, entry in value.items()
        if entry is not None
        or key in required
        or key not in properties
        or is_nullable(properties[key], root)
    }


def branch_for(value: Any, node: Node, root: Node) -> Node:
    """Give the branch of a node that a value is of; the node itself where none fits."""
    node = followed(node, root)
    for _ in range(16):
        branches = list_at(node, "anyOf", "oneOf", "allOf")
        resolved = (followed(branch, root) for branch in branches if isinstance(branch, dict))
        fitting = next((branch for branch in resolved if _may_fit(value, branch, root)), None)
        if fitting is None:
            break
        node = fitting
    return node


def _may_fit(value: Any, node: Node, root: Node) -> bool:
    if "anyOf" in node or "oneOf" in node:
        return True
    if isinstance(value, list):
        return "items" in node or "prefixItems" in node
    if not isinstance(value, dict):
        return False
    if "properties" not in node:
        return isinstance(node.get("additionalProperties"), dict)
    properties = object_at(node, "properties")
    return value.keys() <= properties.keys() and all(
        _has_value(value[key], followed(inner, root))
        for key, inner in properties.items()
        if key in value and isinstance(inner, dict)
    )


def _has_value(value: Any, node: Node) -> bool:
    """Tell whether a value is among those that a node lists; yes where it lists none."""
    if value is None:  # of an optional property
        return True
    if "const" in node:
        return bool(value == node["const"])
    return "enum" not in node or value in list_at(node, "enum")


def _wants_integer(value: float, node: Any, root: Node) -> bool:
    branches = [branch for branch in branches_of(node, root) if branch is not None]
    if not all(isinstance(branch, dict) and branch for branch in branches):
        return False  # anything fits there
    kinds = {kind for branch in branches for kind in types_of(branch)}
    listed = [v for branch in branches for v in (*list_at(branch, "enum"), branch.get("const"))]
    is_listed = any(v == value for v in listed if type(v) is int)
    return "number" not in kinds and ("integer" in kinds or is_listed)
