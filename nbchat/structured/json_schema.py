"""JSON schemas as mappings: what a node says of itself, and how its references are followed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from nbchat.errors import CheckError

Node = dict[str, Any]
DEFS = "#/$defs/"
TYPES = {"object", "array", "string", "number", "integer", "boolean", "null"}
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
    return all(isinstance(one, str) and one in TYPES for one in kinds)


def types_of(node: Node) -> list[str]:
    """Give the types that a node declares; those of its keywords where it declares none."""
    kind = node.get("type")
    if isinstance(kind, list):
        return [one for one in kind if isinstance(one, str)]
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


def lifted(schema: Node, field: str = "response_format") -> Node:
    """Bring the definitions that stand inside up to the root, under ``$defs``.

    Raise CheckError, which names the `field` of the request, where two differ under one name.
    """
    defs: dict[str, Any] = {}

    def lift(node: Node) -> Node:
        for keyword in ("$defs", "definitions"):
            inner = node.pop(keyword, None)
            if not isinstance(inner, dict):
                continue
            for name, definition in inner.items():
                if defs.setdefault(name, definition) != definition:
                    raise CheckError(
                        f"{field}: the schema has two definitions named {name}.",
                        field=field,
                        rule="one definition for each name",
                    )
        ref = node.get("$ref")
        if isinstance(ref, str) and ref.startswith("#/definitions/"):
            node["$ref"] = DEFS + ref.removeprefix("#/definitions/")
        return node

    older = schema.get("definitions")
    if isinstance(older, dict):
        schema = {**schema, "$defs": {**older, **object_at(schema, "$defs")}}
        del schema["definitions"]
    root: Node = mapped(schema, lift)
    return {**root, "$defs": defs} if defs else root


def object_at(node: Any, keyword: str) -> Node:
    """Give what stands under a keyword that names schemas; {} where it is none, as in ``null``."""
    value = node.get(keyword) if isinstance(node, dict) else None
    return value if isinstance(value, dict) else {}


def list_at(node: Any, *keywords: str) -> list[Any]:
    """Give what stands under keywords that list schemas or values, in one list."""
    lists = [node.get(keyword) if isinstance(node, dict) else None for keyword in keywords]
    return [part for parts in lists if isinstance(parts, list) for part in parts]


def refs_of(node: Any) -> Iterator[str]:
    """Give the references that stand in a node, definitions beside it left out."""
    refs: list[str] = []

    def take(inner: Node) -> Node:
        if isinstance(inner.get("$ref"), str):
            refs.append(inner["$ref"])
        return inner

    if isinstance(node, dict):
        mapped({key: value for key, value in node.items() if key != "$defs"}, take)
    return iter(refs)


def followed(node: Node, root: Node) -> Node:
    """Give what a node refers to; the node itself where it refers to nothing that is there."""
    for _ in range(32):  # a reference to a reference to itself leads nowhere
        ref = node.get("$ref")
        target = root if ref == "#" else object_at(root, "$defs").get(_name_in(ref) or "")
        if not isinstance(target, dict):
            break
        node = target
    return node


def _name_in(ref: Any) -> str | None:
    return ref.removeprefix(DEFS) if isinstance(ref, str) else None


def branches_of(node: Any, root: Node) -> list[Any]:
    """Give what a value may be: the node, or the branches of its unions, all references followed.

    What stands in a union twice is given once; None for a union that was met before, perhaps
    inside of itself.
    """
    branches: list[Any] = []
    waiting, seen = [node], set()
    while waiting:
        part = waiting.pop()
        part = followed(part, root) if isinstance(part, dict) else part
        is_narrowed = isinstance(part, dict) and ("allOf" in part or "not" in part)
        inner = [] if is_narrowed else list_at(part, "anyOf", "oneOf")
        if id(part) in seen:
            branches += [None] if inner else []
            continue
        seen.add(id(part))
        waiting.extend(reversed(inner))
        if not inner:
            branches.append(part)
    return branches


def is_nullable(node: Any, root: Node) -> bool:
    """Tell whether null fits a node."""
    return any(_takes_null(branch) for branch in branches_of(node, root))


def _takes_null(node: Any) -> bool:
    if node is True or node == {}:
        return True
    if not isinstance(node, dict):
        return False
    if "enum" in node:
        return None in list_at(node, "enum")
    if "const" in node:
        return node["const"] is None
    return "null" in types_of(node)
