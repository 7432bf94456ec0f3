"""The types that get a definition of their own in a JSON schema, and the names of these."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from msgspec import inspect as described

#: what has fields, as msgspec describes it
FIELDED = (
    described.StructType,
    described.TypedDictType,
    described.DataclassType,
    described.NamedTupleType,
)


def collect(info: Any, infos: dict[Any, described.Type]) -> None:
    """Find the types that get a definition of their own."""
    if isinstance(info, described.EnumType):
        infos[info.cls] = info
    elif isinstance(info, FIELDED) and info.cls not in infos:
        infos[info.cls] = info
        for field in info.fields:
            collect(field.type, infos)
    elif isinstance(info, described.Metadata):
        collect(info.type, infos)
    elif isinstance(info, described.CollectionType):
        collect(info.item_type, infos)
    elif isinstance(info, described.DictType):
        collect(info.key_type, infos)
        collect(info.value_type, infos)
    elif isinstance(info, described.TupleType | described.UnionType):
        kinds = info.item_types if isinstance(info, described.TupleType) else info.types
        for kind in kinds:
            collect(kind, infos)


def names_of(classes: Sequence[Any]) -> dict[Any, str]:
    """Name each class by its own name; by its module too, where another is called the same."""
    names: dict[Any, str] = {}
    for cls in classes:
        short = _word_characters(class_name(cls))
        long = _word_characters(f"{cls.__module__}.{getattr(cls, '__qualname__', short)}")
        is_shared = sum(class_name(cls) == class_name(other) for other in classes) > 1
        stem = name = long if is_shared else short
        number = 2
        while name in names.values():
            name, number = f"{stem}_{number}", number + 1
        names[cls] = name
    return names


def _word_characters(text: str) -> str:
    return re.sub(r"[^a-zA-Z0-9.\-_]", "_", text)


def class_name(cls: Any) -> str:
    """Give the name of a class, ``Box[int]`` of a generic one."""
    origin = getattr(cls, "__origin__", None)
    if origin is None:
        return str(cls.__name__)
    inner = (arg.__name__ if isinstance(arg, type) else repr(arg) for arg in cls.__args__)
    return f"{origin.__name__}[{', '.join(inner)}]"
