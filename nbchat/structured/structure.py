"""What a reply is to be: a type or a JSON schema, as the `response_format` of a request."""

from __future__ import annotations

import pickle
import re
import sys
import types
import typing
from collections.abc import Mapping
from typing import Any, get_args, get_origin

import msgspec

from nbchat.api.json_values import NotJsonError, plain
from nbchat.errors import CheckError
from nbchat.structured.json_schema import (
    DEFS,
    Node,
    followed,
    is_schema,
    lifted,
    mapped,
    object_at,
    refs_of,
    types_of,
)
from nbchat.structured.python_types import looked_up, schema_of
from nbchat.structured.strict import strict_schema


class Structure(msgspec.Struct, frozen=True, kw_only=True):
    """What a reply is to be.

    - `wire`: dict, the `response_format` that is sent
    - `type`: what the reply is read as; None for a JSON schema, which is read as builtins
    - `schema`: dict, the schema before it was made strict; its root is an object
    - `wrapped`: the property that holds the reply, where its own root is no object; else None
    - `strict`: bool
    """

    wire: dict[str, Any]
    type: Any
    schema: dict[str, Any]
    wrapped: str | None
    strict: bool

    def __reduce__(self) -> tuple[Any, ...]:
        # a class of a function's own is in no module: without it the reply is read as builtins
        kept = self.type if _is_picklable(self.type) else None
        return _rebuilt, (self.wire, kept, self.schema, self.wrapped, self.strict)

    def __deepcopy__(self, _: object) -> Structure:
        return self


def _rebuilt(*facts: Any) -> Structure:
    return Structure(**dict(zip(Structure.__struct_fields__, facts, strict=True)))


def _is_picklable(value: Any) -> bool:
    try:
        pickle.dumps(value)
    except (pickle.PicklingError, AttributeError, TypeError):
        return False
    return True


def response_format(
    model: Any,
    *,
    name: str | None = None,
    description: str | None = None,
    strict: bool = True,
) -> Structure:
    """Give the structure of a type or JSON schema, for ``nbchat.chat(response_format=…)``.

    `model` is a msgspec Struct, a dataclass, a TypedDict, a pydantic model, any other type
    that msgspec knows (``list[Model]``, ``Literal["yes", "no"]``), or a JSON schema as a
    mapping. A root that is no object, such as a list, travels inside of one. With `strict`
    the schema is made to satisfy the API's rules for strict schemas; without, it goes out
    as it is. `name` (letters, digits, _ and -; at most 64) and `description` are for the
    model to read.

    Raise CheckError where the type has no JSON schema, or the schema breaks a rule that
    cannot be mended.
    """
    is_mapping = isinstance(model, Mapping)
    model = model if is_mapping else _looked_up(model)
    schema = _plain_schema(model) if is_mapping else _schema_of(model)
    title = name or _name_of(model, schema)
    root, wrapped = _with_object_at_root(lifted(schema))
    sent = strict_schema(root, name=title, drops_checks=not is_mapping) if strict else root
    json_schema: dict[str, Any] = {"name": title}
    if description is not None:
        json_schema["description"] = description
    json_schema |= {"schema": sent, "strict": strict}
    return Structure(
        wire={"type": "json_schema", "json_schema": json_schema},
        type=None if is_mapping else model,
        schema=root,
        wrapped=wrapped,
        strict=strict,
    )


def structure_of(value: Any) -> Structure | None:
    """Read a `response_format` argument: None where it is what goes over the wire already."""
    if isinstance(value, Structure):
        return value
    return response_format(value) if describes(value) else None


def describes(value: Any) -> bool:
    """Tell whether a value is a type or a JSON schema, and so says what a reply is to be."""
    return _is_type(value) or is_schema(value)


def _is_type(value: Any) -> bool:
    alias = getattr(typing, "TypeAliasType", typing.NewType)  # of Python 3.12
    if isinstance(value, (type, types.UnionType, typing.NewType, alias)):
        return True
    return get_origin(value) is not None


def _plain_schema(schema: Mapping[str, Any]) -> Node:
    try:
        node: Node = plain(schema, "response_format")
    except NotJsonError as error:
        raise CheckError(
            f"{error.path} must be {error.rule}.", field=error.path, value=error.value
        ) from None
    return node


def _looked_up(model: Any) -> Any:
    """Give a type with the names in quotes inside of it (``list["Place"]``) looked up."""
    try:
        return looked_up({"model": model}, vars(sys.modules["__main__"]))["model"]
    except Exception as error:
        raise _refusal(model, error) from error


def _schema_of(model: Any) -> Node:
    try:
        return schema_of(model)
    except CheckError:
        raise
    except (TypeError, ValueError, NameError, NotImplementedError, RecursionError) as error:
        raise _refusal(model, error) from error


def _refusal(model: Any, error: Exception) -> CheckError:
    first = str(error).partition("\n")[0]
    shown = "nothing describes it" if first.endswith(":") or not first else first.rstrip(".")
    return CheckError(
        f"response_format: {_shown(model)} has no JSON schema ({shown}).",
        field="response_format",
        value=model,
        rule="a type with a JSON schema",
    )


def _with_object_at_root(schema: Node) -> tuple[Node, str | None]:
    defs = object_at({"$defs": schema.pop("$defs", {})}, "$defs")
    target = followed(schema, {**schema, "$defs": defs})
    if types_of(target) == ["object"] and "anyOf" not in target:
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return _with_used_defs({**target, **rest}, defs), None
    if "#" in [ref for node in (schema, *defs.values()) for ref in refs_of(node)]:
        # the root is another one now
        defs, schema = mapped({"$defs": {**defs, "root": schema}}, _to_root)["$defs"], {}
        schema = {"$ref": f"{DEFS}root"}
    key = "items" if types_of(target) == ["array"] else "value"
    root = {
        "type": "object",
        "properties": {key: schema},
        "required": [key],
        "additionalProperties": False,
    }
    return _with_used_defs(root, defs), key


def _to_root(node: Node) -> Node:
    return {**node, "$ref": f"{DEFS}root"} if node.get("$ref") == "#" else node


def _with_used_defs(root: Node, defs: dict[str, Any]) -> Node:
    used: dict[str, Any] = {}
    waiting = [root]
    while waiting:
        for ref in refs_of(waiting.pop()):
            name = ref.removeprefix(DEFS)
            if name in defs and name not in used:
                used[name] = defs[name]
                if isinstance(defs[name], dict):
                    waiting.append(defs[name])
    kept = {name: node for name, node in defs.items() if name in used}
    return {**root, "$defs": kept} if kept else root


def _name_of(model: Any, schema: Node) -> str:
    text = schema.get("title", "") if isinstance(model, Mapping) else _shown(model)
    name = re.sub(r"[^a-zA-Z0-9_-]+", "_", str(text)).strip("_")[:64]
    return name or "reply"


def _shown(model: Any) -> str:
    if get_origin(model) is typing.Annotated:
        return _shown(get_args(model)[0])
    if hasattr(model, "__name__") and not get_args(model):
        return str(model.__name__)
    inner = [_shown(arg) if _is_type(arg) else "" for arg in get_args(model)]
    named = [name for name in inner if name]
    origin = getattr(get_origin(model), "__name__", "")
    if origin and named:
        return f"{origin}[{', '.join(named)}]"
    return str(model).replace("typing.", "")
