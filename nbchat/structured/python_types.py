"""Python's types as what a model is told and what comes back is read as.

msgspec knows most of them. A type with something of pydantic's in it (a model, a dataclass with
validators, ``Field`` in ``Annotated``) is pydantic's to describe and to read.
"""

from __future__ import annotations

import dataclasses
import functools
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from nbchat.structured.json_schema import Node, lifted
from nbchat.structured.type_schema import schemas_of

_OF_PYDANTIC = {"pydantic", "annotated_types"}
_ALIAS = getattr(typing, "TypeAliasType", typing.NewType)  # of Python 3.12


class UnreadableError(ValueError):
    """A value that does not fit its type; the sentence says where."""


def schema_of(hint: Any) -> Node:
    """Give the JSON schema of a type, its definitions under ``$defs``.

    Raise TypeError, ValueError or NameError where the type has none.
    """
    (node,), components = described([hint])
    return {**node, "$defs": components} if components else node


def described(
    hints: Sequence[Any], field: str = "response_format"
) -> tuple[list[Node], dict[str, Node]]:
    """Give the JSON schemas of types, and the definitions that they share.

    `field` names the field of the request in errors.
    """
    for hint in hints:
        _refuse_unheard(hint)
    nodes, components = schemas_of([_known(hint) for hint in hints], _foreign_schema)
    written = [
        _pydantic_schema(hint) if is_pydantics(hint) else node
        for hint, node in zip(hints, nodes, strict=True)
    ]
    named = {f"p{place}": node for place, node in enumerate(written)}
    whole = lifted({"properties": named, "$defs": components}, field)
    return [*whole["properties"].values()], whole.get("$defs", {})


def read(value: Any, hint: Any) -> Any:
    """Give a decoded JSON value as an object of a type. Raise ValueError where it does not fit.

    What a class of the user's own raises while it is made goes through.
    """
    if not is_pydantics(hint):
        return msgspec.convert(value, hint, str_keys=True, dec_hook=foreign_object)
    error_type: Any = sys.modules["pydantic"].ValidationError
    try:
        return _adapter(hint).validate_json(msgspec.json.encode(value))
    except error_type as error:
        sentence = "; ".join(f"{fault['msg']}{_at(fault['loc'])}" for fault in error.errors())
    raise UnreadableError(sentence)


def is_pydantics(hint: Any) -> bool:
    """Tell whether pydantic has to describe and read a type: something of its own is in it.

    Not so where a msgspec Struct or a class of attrs is in it too, which pydantic does not know.
    """
    if "pydantic" not in sys.modules:
        return False
    inner = [*parts(hint)]
    return any(map(_is_of_pydantic, inner)) and not any(map(_is_beyond_pydantic, inner))


def is_foreign(model: Any) -> bool:
    """Tell whether a class describes and reads itself, as those of pydantic do."""
    return all(
        callable(getattr(model, method, None))
        for method in ("model_json_schema", "model_validate_json")
    )


def is_field(value: Any) -> bool:
    """Tell whether a default is pydantic's description of one: ``Field(2, ge=1)``."""
    # pydantic loads its parts on first use: where this one is not, nobody has made such a value
    fields = sys.modules.get("pydantic.fields")
    return fields is not None and isinstance(value, fields.FieldInfo)


def parts(hint: Any) -> Iterator[Any]:
    """Give a type and all that is in it: arguments, what is annotated, fields of classes."""
    waiting, seen = [hint], set()
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        yield part
        waiting.extend(_inside(part))


def _inside(part: Any) -> Iterator[Any]:
    origin = get_origin(part)
    if origin is Annotated:
        yield from (part.__origin__, *part.__metadata__)
    elif origin is not None and origin is not Literal:
        yield from (origin, *get_args(part))
    elif isinstance(part, _ALIAS | typing.NewType):
        yield getattr(part, "__value__", None) or getattr(part, "__supertype__", None)
    elif isinstance(part, type) and not _is_of_pydantic(part) and _has_fields(part):
        yield from _field_hints(part)


def _refuse_unheard(hint: Any) -> None:
    """Raise TypeError where pydantic would check a part that only msgspec could read."""
    if "pydantic" not in sys.modules or is_pydantics(hint):
        return
    for part in parts(hint):
        if _is_of_pydantic(part) and not is_foreign(part):
            shown = getattr(part, "__name__", part)
            raise TypeError(
                f"a Struct or a class of attrs cannot hold {shown}, which is pydantic's"
            )


def _has_fields(cls: type) -> bool:
    is_tuple = issubclass(cls, tuple) and hasattr(cls, "_fields")
    is_attrs = hasattr(cls, "__attrs_attrs__")
    is_typed = typing.is_typeddict(cls) or dataclasses.is_dataclass(cls)
    return is_tuple or is_attrs or is_typed or issubclass(cls, msgspec.Struct)


def _field_hints(cls: type) -> list[Any]:
    try:
        return [*typing.get_type_hints(cls, include_extras=True).values()]
    except Exception:  # noqa: BLE001 - names that stand for nothing: msgspec says which
        return []


def _is_of_pydantic(part: Any) -> bool:
    if isinstance(part, type):
        return hasattr(part, "__pydantic_validator__")
    return type(part).__module__.partition(".")[0] in _OF_PYDANTIC


def _is_beyond_pydantic(part: Any) -> bool:
    return isinstance(part, type) and (
        issubclass(part, msgspec.Struct) or hasattr(part, "__attrs_attrs__")
    )


def _known(hint: Any) -> Any:
    return Any if is_pydantics(hint) else hint


def _adapter(hint: Any) -> Any:
    try:
        return _kept_adapter(hint)
    except TypeError:  # what is annotated cannot be hashed
        return sys.modules["pydantic"].TypeAdapter(hint)


@functools.lru_cache(maxsize=64)
def _kept_adapter(hint: Any) -> Any:
    return sys.modules["pydantic"].TypeAdapter(hint)


def _pydantic_schema(hint: Any) -> Node:
    try:
        schema: Node = _adapter(hint).json_schema()
    except Exception as error:  # noqa: BLE001 - pydantic has many of its own
        reason = str(error).partition("\n")[0]
    else:
        return schema
    raise TypeError(reason)


def _at(place: Sequence[str | int]) -> str:
    steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return f" - at `${steps}`" if steps else ""


def _foreign_schema(model: Any) -> Node:
    if not is_foreign(model):
        shown = getattr(model, "__name__", model)
        raise TypeError(f"{shown} is not known to msgspec")
    schema: Node = model.model_json_schema()
    return schema


def foreign_object(model: Any, value: Any) -> Any:
    """Read a value as a class that msgspec does not know: its ``dec_hook``."""
    if isinstance(model, type) and is_foreign(model):
        return model.model_validate_json(msgspec.json.encode(value))  # type: ignore[attr-defined]
    raise NotImplementedError(f"{model} is not known to msgspec")


def hints_of(function: Callable[..., Any], hints: Mapping[str, Any]) -> dict[str, Any]:
    """Give a function's annotations with the names in quotes looked up where it stands."""
    return looked_up(hints, _surroundings(function))


def looked_up(hints: Mapping[str, Any], names: Mapping[str, Any]) -> dict[str, Any]:
    """Give types by name, with what stands in quotes, inside of them too, looked up.

    What the texts raise goes through: NameError for what is not known, SyntaxError and more.
    """
    holder: Any = types.FunctionType((lambda: None).__code__, {})
    holder.__annotations__ = dict(hints)
    return typing.get_type_hints(holder, globalns=dict(names), localns={}, include_extras=True)


def _surroundings(function: Any) -> dict[str, Any]:
    """Give the names that a function sees: those of its module and of functions around it."""
    import inspect

    while hasattr(function, "func"):  # functools.partial
        function = function.func
    if not inspect.isroutine(function) and not isinstance(function, type):
        function = type(function).__call__
    function = inspect.unwrap(getattr(function, "__func__", function))
    module = sys.modules.get(getattr(function, "__module__", None) or "")
    known = getattr(function, "__globals__", None) or getattr(module, "__dict__", {})
    code = getattr(function, "__code__", None)
    names = {**known}
    for name, cell in zip(
        getattr(code, "co_freevars", ()), getattr(function, "__closure__", None) or (), strict=False
    ):
        try:
            names[name] = cell.cell_contents
        except ValueError:  # it has no value yet
            continue
    return names
