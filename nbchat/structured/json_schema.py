"""JSON schemas as mappings: what a node says of itself, and how its references are followed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Node = dict[str, Any]
DEFS = "#/$defs/"
_TYPES = {"object", "array", "string", "number", "integer", "boolean", "null"}
_KEYWORDS = {"$ref", "$defs", "properties", "items", "anyOf", "oneOf", "allOf", "enum", "const"}
#: keywords whose value is a schema, a list of schemas, or a mapping of names to schemas
_ONE = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")
_MANY = ("anyOf", "oneOf", "allOf", "prefixItems")
_NAMED = ("properties", "patternProperties", "$defs", "dependentSchemas")


def is_schema(value: Any) -> bool:
    """Tell a JSON schema from a `response_format` as it goes over the wire."""
    if not isinstance(value, Mapping):
        return False
    kind = value.get("type")
    if kind is None:
        return any(keyword in value for keyword in _KEYWORDS)
    kinds = kind if isinstance(kind, (list, tuple)) else [kind]
    return all(isinstance(one, str) and one in _TYPES for one in kinds)


def types_of(node: Node) -> list[str]:
    """Give the types that a node declares; those of its keywords where it declares none."""
    kind = node.get("type")
    if isinstance(kind, list):
        return kind
    if isinstance(kind, str):
        return [kind]
    if "properties" in node:
        return ["object"]
    return ["array"] if "items" in node else []


def mapped(node: Any, change: Callable[[Node], Node]) -> Any:
    """Copy a schema; `change` gets each node after those inside it."""
    if not isinstance(node, dict):
        return node
    copy = dict(node)
    for keyword, value in node.items():
        if keyword in _ONE:
            copy[keyword] = mapped(value, change)
        elif keyword in _MANY and isinstance(value, list):
            copy[keyword] = [mapped(part, change) for part in value]
        elif keyword in _NAMED and isinstance(value, dict):
            copy[keyword] = {name: mapped(part, change) for name, part in value.items()}
    return change(copy)


def refs_of(node: Any) -> Iterator[str]:
    """Give the references that stand in a node, definitions beside it left out."""
    found: list[str] = []

    def take(inner: Node) -> Node:
        if isinstance(inner.get("$ref"), str):
            found.append(inner["$ref"])
        return inner

    mapped({key: value for key, value in node.items() if key != "$defs"}, take)
    return iter(found)


def followed(node: Node, root: Node) -> Node:
    """Give what a node refers to; the node itself where it refers to nothing that is there."""
    for _ in range(32):  # a reference to a reference to itself leads nowhere
        ref = node.get("$ref")
        if ref == "#":
            node = root
        elif isinstance(ref, str) and ref.removeprefix(DEFS) in root.get("$defs", {}):
            node = root["$defs"][ref.removeprefix(DEFS)]
        else:
            break
    return node


def is_nullable(node: Any, root: Node, depth: int = 8) -> bool:
    """Tell whether null fits a node."""
    if node is True or node == {}:
        return True
    if not isinstance(node, dict) or depth == 0:
        return False
    node = followed(node, root)
    branches = [*node.get("anyOf", []), *node.get("oneOf", [])]
    if branches:
        return any(is_nullable(branch, root, depth - 1) for branch in branches)
    if "enum" in node:
        return None in node["enum"]
    if "const" in node:
        return node["const"] is None
    return "null" in types_of(node)
