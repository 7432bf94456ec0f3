"""JSON schemas of Python types, from msgspec's own description of them.

msgspec writes schemas too. Here dates say that they are (``date-time``, ``time``), and a default
that JSON has no word for is left out: it stops no type from being described.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from msgspec import inspect as described

from nbchat.api.json_values import NotJsonError, plain
from nbchat.structured.definitions import FIELDED, class_name, collect, names_of
from nbchat.structured.json_schema import DEFS, Node

Foreign = Callable[[Any], Node]

_PLAIN: dict[type[described.Type], Node] = {
    described.AnyType: {},
    described.RawType: {},
    described.NoneType: {"type": "null"},
    described.BoolType: {"type": "boolean"},
    described.IntType: {"type": "integer"},
    described.FloatType: {"type": "number"},
    described.StrType: {"type": "string"},
    described.BytesType: {"type": "string", "contentEncoding": "base64"},
    described.ByteArrayType: {"type": "string", "contentEncoding": "base64"},
    described.MemoryViewType: {"type": "string", "contentEncoding": "base64"},
    described.DateType: {"type": "string", "format": "date"},
    described.TimeDeltaType: {"type": "string", "format": "duration"},
    described.UUIDType: {"type": "string", "format": "uuid"},
    described.DecimalType: {"type": "string", "format": "decimal"},
}
_NO_DEFAULT = described.Field("", "", described.AnyType()).default
_BOUNDS = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
    "pattern": "pattern",
}
_KEYS = (
    described.StrType,
    described.IntType,
    described.FloatType,
    described.BytesType,
    described.DateTimeType,
    described.DateType,
    described.TimeType,
    described.TimeDeltaType,
    described.UUIDType,
    described.DecimalType,
    described.EnumType,
    described.LiteralType,
    described.AnyType,
)


def schemas_of(hints: Sequence[Any], foreign: Foreign) -> tuple[tuple[Node, ...], dict[str, Node]]:
    """Give a schema for each type, and the definitions that they refer to by ``#/$defs/…``.

    `foreign` is asked for the schema of a class that msgspec does not know. Raise TypeError
    for a type that JSON cannot carry, NameError for a name in a type that stands for nothing.
    """
    infos = described.multi_type_info(hints)
    writer = _Writer(infos, foreign)
    nodes = tuple(map(writer.node, infos))
    return nodes, {name: writer.body(info) for info, name in writer.named.values()}


class _Writer:
    def __init__(self, infos: Iterable[described.Type], foreign: Foreign):
        self.foreign = foreign
        by_class: dict[Any, described.Type] = {}
        for info in infos:
            collect(info, by_class)
        names = names_of([*by_class])
        self.named = {cls: (info, names[cls]) for cls, info in by_class.items()}

    def node(self, info: described.Type) -> Node:
        if isinstance(info, described.Metadata):
            return {**self.node(info.type), **(info.extra_json_schema or {})}
        cls = getattr(info, "cls", None)
        return {"$ref": f"{DEFS}{self.named[cls][1]}"} if cls in self.named else self.body(info)

    def body(self, info: Any) -> Node:
        if isinstance(info, FIELDED):
            return self._fielded(info)
        if isinstance(info, described.EnumType):
            return {"title": info.cls.__name__, **_doc(info.cls), "enum": _values(info.cls)}
        if isinstance(info, described.LiteralType):
            return {"enum": _sorted(info.values)}
        if isinstance(info, described.UnionType):
            return self._union(info)
        if isinstance(info, described.CollectionType | described.TupleType):
            return self._array(info)
        if isinstance(info, described.DictType):
            return self._mapping(info)
        if isinstance(info, described.CustomType):
            return dict(self.foreign(info.cls))
        if isinstance(info, described.DateTimeType):
            return {"type": "string", **({} if info.tz is False else {"format": "date-time"})}
        if isinstance(info, described.TimeType):
            return {"type": "string", "format": "partial-time" if info.tz is False else "time"}
        if type(info) not in _PLAIN:
            raise TypeError(f"{type(info).__name__} has no JSON schema")
        return {**_PLAIN[type(info)], **_bounds(info)}

    def _fielded(self, info: Any) -> Node:
        cls = info.cls
        is_array = isinstance(info, described.NamedTupleType) or getattr(info, "array_like", False)
        fields = {field.encode_name: self._field(field) for field in info.fields}
        required = [field.encode_name for field in info.fields if field.required]
        if getattr(info, "tag_field", None) is not None:
            fields = {info.tag_field: {"enum": [info.tag]}, **fields}
            required = [info.tag_field, *required]
        is_closed = getattr(info, "forbid_unknown_fields", False)
        about = {"title": class_name(cls), **_doc(getattr(cls, "__origin__", cls))}
        if is_array:
            items = {"prefixItems": [*fields.values()]} if fields else {}
            is_bounded = is_closed or isinstance(info, described.NamedTupleType)
            most = {"maxItems": len(fields)} if is_bounded else {}
            return {**about, "type": "array", **items, "minItems": len(required), **most}
        closed = {"additionalProperties": False} if is_closed else {}
        return {**about, "type": "object", "properties": fields, "required": required, **closed}

    def _field(self, field: described.Field) -> Node:
        node = self.node(field.type)
        if field.required:
            return node
        default = field.default
        if field.default_factory in (list, dict, set, bytearray):
            default = field.default_factory()
        return {**node, **({} if default is _NO_DEFAULT else default_of(default))}

    def _union(self, info: described.UnionType) -> Node:
        """Give the branches as msgspec orders them: what is no Struct, Structs, null."""
        inner = [_bare(kind) for kind in info.types]
        is_struct = [isinstance(k, described.StructType) and not k.array_like for k in inner]
        is_null = [isinstance(kind, described.NoneType) for kind in inner]
        others = [
            self.node(kind)
            for kind, struct, null in zip(info.types, is_struct, is_null, strict=True)
            if not struct and not null
        ]
        structs = [self.node(k) for k, struct in zip(info.types, is_struct, strict=True) if struct]
        return {"anyOf": [*others, *structs, *([{"type": "null"}] if any(is_null) else [])]}

    def _array(self, info: Any) -> Node:
        if isinstance(info, described.TupleType):
            length = len(info.item_types)
            node: Node = {"type": "array", "minItems": length, "maxItems": length}
            if length:
                node |= {"prefixItems": [*map(self.node, info.item_types)], "items": False}
            return node
        node = {"type": "array"}
        if not isinstance(info.item_type, described.AnyType):
            node["items"] = self.node(info.item_type)
        node |= _lengths(info, "Items")
        is_set = isinstance(info, described.SetType | described.FrozenSetType)
        return {**node, **({"uniqueItems": True} if is_set else {})}

    def _mapping(self, info: described.DictType) -> Node:
        node: Node = {"type": "object"}
        key = _bare(info.key_type)
        for kind in key.types if isinstance(key, described.UnionType) else (key,):
            if not isinstance(_bare(kind), _KEYS):
                raise TypeError(f"a JSON text has no keys of the type {_word(_bare(kind))}")
        names = {} if _is_number_like(key) else self.node(info.key_type)
        names.pop("type", None)
        if names:
            node["propertyNames"] = names
        if not isinstance(info.value_type, described.AnyType):
            node["additionalProperties"] = self.node(info.value_type)
        return {**node, **_lengths(info, "Properties")}


def default_of(value: Any) -> Node:
    """Give ``{"default": …}`` of a default, {} of one that JSON has no word for."""
    try:
        return {"default": plain(msgspec.to_builtins(value, str_keys=True), "")}
    # a class of the user's may raise anything; who has the default knows it, the model need not
    except Exception:  # noqa: BLE001
        return {}


def _doc(cls: Any) -> Node:
    """Give what a class says of itself; nothing where Python wrote it."""
    docstring = inspect.cleandoc(cls.__dict__.get("__doc__") or "")
    is_made_up = docstring.startswith(f"{cls.__name__}(") or docstring == "An enumeration."
    return {} if is_made_up or not docstring else {"description": docstring}


def _values(cls: Any) -> list[Any]:
    members = {id(member): member.value for member in cls.__members__.values()}
    values = _sorted(tuple(members.values()))
    try:
        plain(values, "")
    except NotJsonError as error:
        raise TypeError(f"{cls.__name__} has the value {error.value!r}") from None
    return values


def _sorted(values: tuple[Any, ...]) -> list[Any]:
    """Give values as msgspec orders them; null first, those that have no order as they stand."""
    rest = [value for value in values if value is not None]
    try:
        rest.sort()
    except TypeError:
        rest.sort(key=lambda value: type(value).__name__)
    return [*([None] if None in values else []), *rest]


def _bounds(info: Any) -> Node:
    bounds = {word: getattr(info, name, None) for name, word in _BOUNDS.items()}
    lengths = _lengths(info, "Length")
    if "contentEncoding" in _PLAIN[type(info)]:
        lengths = {word: 4 * ((count + 2) // 3) for word, count in lengths.items()}
    return {**{word: bound for word, bound in bounds.items() if bound is not None}, **lengths}


def _lengths(info: Any, noun: str) -> Node:
    ends = {f"min{noun}": "min_length", f"max{noun}": "max_length"}
    counts = {word: getattr(info, name, None) for word, name in ends.items()}
    return {word: count for word, count in counts.items() if count is not None}


def _bare(info: Any) -> Any:
    while isinstance(info, described.Metadata):
        info = info.type
    return info


def _is_number_like(info: Any) -> bool:
    """Tell whether some of the keys are texts in JSON alone, which no schema of theirs fits."""
    if isinstance(info, described.UnionType):
        return any(_is_number_like(_bare(kind)) for kind in info.types)
    if isinstance(info, described.LiteralType):
        return not all(isinstance(value, str) for value in info.values)
    if isinstance(info, described.EnumType):
        return not all(isinstance(member.value, str) for member in info.cls.__members__.values())
    return isinstance(info, described.IntType | described.FloatType)


def _word(info: Any) -> str:
    cls = getattr(info, "cls", None)
    return str(getattr(cls, "__name__", type(info).__name__.removesuffix("Type").lower()))
