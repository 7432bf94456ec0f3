"""Strict schemas: made to satisfy the API's rules, or refused in a sentence that names the rule.

Source: Chat Completions reference, section 2.4 (Structured Outputs).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from nbchat.api.json_values import shown
from nbchat.errors import CheckError
from nbchat.structured.json_schema import (
    DEFS,
    TYPES,
    Node,
    followed,
    is_nullable,
    list_at,
    object_at,
    types_of,
)
from nbchat.structured.nesting import levels_of

MAX_PROPERTIES = 5_000
MAX_DEPTH = 10
MAX_CHARACTERS = 120_000
MAX_ENUM_VALUES = 1_000
LONG_ENUM_VALUES = 250
MAX_LONG_ENUM_CHARACTERS = 15_000

_FORMATS = {
    "date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid",
}  # fmt: skip
_UNSUPPORTED = {
    "allOf", "not", "dependentRequired", "dependentSchemas", "if", "then", "else",
    "patternProperties", "propertyNames", "unevaluatedProperties", "prefixItems",
    "unevaluatedItems", "contains", "minContains", "maxContains",
}  # fmt: skip
# not among the supported ones either, but they only narrow what fits: reading checks them
_CHECKS = {"minLength", "maxLength", "uniqueItems", "minProperties", "maxProperties"}
# they say nothing of what fits
_ANNOTATIONS = {
    "default", "examples", "example", "discriminator", "$schema", "$id", "$comment", "readOnly",
    "writeOnly", "deprecated", "contentEncoding", "contentMediaType",
}  # fmt: skip
_JSON_TYPES = {
    str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null",
}  # fmt: skip


def strict_schema(
    schema: Mapping[str, Any], name: str = "reply", *, drops_checks: bool = False
) -> dict[str, Any]:
    """Give a copy of a JSON schema that satisfies the rules for ``strict: true``.

    Every property becomes required, an optional one a union with null; every object is
    closed; annotations that the API does not know are left out; ``oneOf`` becomes
    ``anyOf``. With `drops_checks` the bounds that the API does not know (``maxLength``,
    ``uniqueItems``, …) are left out too, for a caller who checks them in the answer.

    Raise CheckError, with the path inside the schema, where a rule cannot be satisfied.
    """
    strict = _Strict(dict(schema), name, drops_checks=drops_checks)
    try:
        return strict.made()
    except RecursionError:
        pass
    rule = f"a strict schema has at most {MAX_DEPTH} levels of nesting"
    raise CheckError(
        f"response_format: {name} is nested without end, but {rule}.",
        field="response_format",
        value=name,
        rule=rule,
    )


class _Strict:
    """One schema on its way; counts what the limits are about."""

    def __init__(self, root: Node, name: str, *, drops_checks: bool):
        self.root = root
        self.name = name
        self.drops_checks = drops_checks
        self.properties = 0
        self.characters = 0
        self.enum_values = 0
        self._inlined: list[str] = []
        self._n_inlined = 0

    def made(self) -> Node:
        defs = object_at(self.root, "$defs")
        body = {key: value for key, value in self.root.items() if key != "$defs"}
        if "anyOf" in body or types_of(body) != ["object"]:
            self._refuse(self.name, "is the root and no object", "has an object as its root")
        made = self._node(body, self.name)
        kept = {name: self._node(node, name) for name, node in defs.items()}
        self.characters += sum(map(len, defs))
        if kept:
            made["$defs"] = kept
        self._check_sizes(made)
        return made

    def _node(self, schema: Any, path: str) -> Node:
        if not isinstance(schema, Mapping):
            self._refuse(path, f"is {shown(schema)}", "gives each value a schema")
        node = {key: value for key, value in schema.items() if key not in _ANNOTATIONS}
        if "oneOf" in node and "anyOf" not in node:
            node = {"anyOf" if key == "oneOf" else key: value for key, value in node.items()}
        self._check_shapes(node, path)
        if len(only := list_at(node, "allOf")) == 1 and isinstance(only[0], dict):
            del node["allOf"]
            node = {**only[0], **node}
            self._check_shapes(node, path)
        if "$ref" in node:
            return self._reference(node, path)
        self._check_keywords(node, path)
        if not any(key in node for key in ("type", "anyOf", "enum", "const")):
            kinds = types_of(node)
            if not kinds:
                self._refuse(path, "takes any value", "gives each value a type")
            node = {"type": kinds[0], **node}
        if not isinstance(node.get("format"), str) or node["format"] not in _FORMATS:
            node.pop("format", None)
        if "anyOf" in node:
            node["anyOf"] = [self._node(branch, path) for branch in node["anyOf"]]
        self._take_values(node, path)
        if "object" in types_of(node):
            self._object(node, path)
        if "array" in types_of(node):
            if "items" not in node:
                self._refuse(path, "is a list of anything (no items)", "gives each value a type")
            node["items"] = self._node(node["items"], f"{path}[]")
        return node

    def _check_shapes(self, node: Node, path: str) -> None:
        """Refuse what is no JSON schema at all: ``properties`` that are null, an empty ``enum``."""
        for keyword, (is_right, wanted) in _SHAPES.items():
            if keyword in node and not is_right(node[keyword]):
                what = f"has {shown(node[keyword])} as its {keyword}"
                self._refuse(path, what, f"has {wanted} there")

    def _check_keywords(self, node: Node, path: str) -> None:
        wrong = [key for key in node if key in _UNSUPPORTED]
        if not self.drops_checks:
            wrong += [key for key in node if key in _CHECKS]
        if wrong:
            self._refuse(path, f"has {' and '.join(wrong)}", "does not take that keyword")
        for key in _CHECKS & node.keys():
            del node[key]

    def _reference(self, node: Node, path: str) -> Node:
        ref, rest = node["$ref"], {key: value for key, value in node.items() if key != "$ref"}
        is_known = ref == "#" or (
            isinstance(ref, str) and ref.removeprefix(DEFS) in object_at(self.root, "$defs")
        )
        if not is_known:
            self._refuse(path, f"refers to {shown(ref)}", "refers only to its own $defs, or to #")
        if not rest or ref == "#" or ref in self._inlined:
            return {"$ref": ref}  # nothing may stand beside it
        self._inlined.append(ref)
        self._n_inlined += 1
        if self._n_inlined > MAX_PROPERTIES:
            self._refuse(
                path, f"refers to others {MAX_PROPERTIES:,} times", "has no more, each written out"
            )
        made = self._node({**followed({"$ref": ref}, self.root), **rest}, path)
        self._inlined.pop()
        return made

    def _object(self, node: Node, path: str) -> None:
        properties = node.get("properties")
        more = node.get("additionalProperties", False)
        if not isinstance(properties, dict) or more is not False:
            self._refuse(
                path,
                "has free keys (a dict)",
                "names every property, so a list of pairs has to stand in for it",
            )
        required = node.get("required", [])
        made = {}
        self.properties += len(properties)
        self._check_count(self.properties, MAX_PROPERTIES, "properties")
        for key, value in properties.items():
            inner = self._node(value, f"{path}.{key}")
            is_certain = key in required or _is_one_value(inner)
            is_done = is_certain or is_nullable(value, self.root)
            made[key] = inner if is_done else _or_null(inner)
        node["properties"] = made
        node["required"] = list(made)
        node["additionalProperties"] = False
        self.characters += sum(map(len, made))

    def _take_values(self, node: Node, path: str) -> None:
        values = node["enum"] if "enum" in node else [node["const"]] if "const" in node else []
        if not values:
            return
        lengths = [len(value) for value in values if isinstance(value, str)]
        self.characters += sum(lengths)
        if "enum" in node:
            self.enum_values += len(values)
            if len(values) > LONG_ENUM_VALUES and sum(lengths) > MAX_LONG_ENUM_CHARACTERS:
                self._refuse(
                    path,
                    f"lists {len(values):,} values of {sum(lengths):,} characters",
                    f"has at most {MAX_LONG_ENUM_CHARACTERS:,} characters in a list of more than "
                    f"{LONG_ENUM_VALUES} values",
                )
        if "type" not in node:
            kinds = dict.fromkeys(_JSON_TYPES.get(type(value), "object") for value in values)
            node["type"] = next(iter(kinds)) if len(kinds) == 1 else list(kinds)

    def _check_sizes(self, made: Node) -> None:
        for count, limit, noun in (
            (self.properties, MAX_PROPERTIES, "properties"),
            (levels_of(made), MAX_DEPTH, "levels of nesting"),
            (self.characters, MAX_CHARACTERS, "characters in names and listed values"),
            (self.enum_values, MAX_ENUM_VALUES, "listed values (enum)"),
        ):
            self._check_count(count, limit, noun)

    def _check_count(self, count: int, limit: int, noun: str) -> None:
        if count > limit:
            self._refuse(self.name, f"has {count:,} {noun}", f"has at most {limit:,}")

    def _refuse(self, path: str, what: str, rule: str) -> NoReturn:
        raise CheckError(
            f"response_format: {path} {what}, but a strict schema {rule}. "
            "strict=False in nbchat.structured.response_format (--no-strict) sends it as it is.",
            field="response_format",
            value=path,
            rule=f"a strict schema {rule}",
        )


def _is_one_value(node: Node) -> bool:
    return "const" in node or len(node.get("enum", ())) == 1


def _or_null(node: Node) -> Node:
    if "anyOf" in node:
        return {**node, "anyOf": [*node["anyOf"], {"type": "null"}]}
    return {"anyOf": [node, {"type": "null"}]}


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


def _is_filled(value: Any) -> bool:
    return isinstance(value, list) and bool(value)


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _is_type(value: Any) -> bool:
    kinds = value if isinstance(value, list) and value else [value]
    return all(isinstance(kind, str) and kind in TYPES for kind in kinds)


_SHAPES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "type": (_is_type, f"one of {', '.join(sorted(TYPES))}, or a list of them"),
    "properties": (_is_mapping, "an object of names and schemas"),
    "required": (_is_names, "a list of names"),
    "enum": (_is_filled, "a list of one or more values"),
    "anyOf": (_is_filled, "a list of one or more schemas"),
    "allOf": (_is_filled, "a list of one or more schemas"),
    "$ref": (lambda value: isinstance(value, str), "a text"),
}
