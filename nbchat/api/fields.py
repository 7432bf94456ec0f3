"""`ChatParams` read back: one record for each field.

Nothing else reads the type hints of the declaration. The words for a type come from
here, so the parameter table, the help and the errors agree.
"""

from collections.abc import Iterator, Mapping
from functools import cache, reduce
from operator import or_
from types import MappingProxyType, NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct, UnsetType

from nbchat.api.params import ChatParams

Kind = Literal[
    "number", "integer", "boolean", "string", "choice", "list", "mapping", "object", "any"
]
_SCALARS: dict[Any, Kind] = {bool: "boolean", int: "integer", float: "number", str: "string"}
_WITHOUT_ARTICLE = ("true or false", "one of", "any value")


class Field(Struct, frozen=True, kw_only=True):
    """What is declared of one request field.

    `hint` is its type without null and unset; `type_text` says it in words ("number from
    0 to 2"), `rule` as the end of a sentence ("a number from 0 to 2"). `kind` is "any"
    where values of several shapes are taken; `kinds` has all of them. `entry` is the kind
    of what a list or a map holds (None where it holds nothing). `choices` are the
    literal strings among the values (of a list: of its entries). `minimum` and `maximum`
    bound a number. `default_text` is what the API does without the field ("" where it
    does nothing).
    """

    name: str
    hint: Any
    kind: Kind
    kinds: tuple[Kind, ...]
    entry: Kind | None
    type_text: str
    rule: str
    choices: tuple[str, ...]
    minimum: float | None
    maximum: float | None
    nullable: bool
    group: str
    description: str
    deprecated: bool
    successor: str | None
    default_text: str


@cache
def FIELDS() -> Mapping[str, Field]:  # noqa: N802 - a constant, made on first use
    """Give the record of each declared field, in declared order."""
    hints = get_type_hints(ChatParams, include_extras=True)
    del hints["extra"]
    return MappingProxyType({name: _read(name, hint) for name, hint in hints.items()})


def _read(name: str, annotated: Any) -> Field:
    declared, about = get_args(annotated)
    hint = reduce(or_, (part for part in branches(declared) if part is not NoneType))
    limits = limits_of(hint)
    kinds = tuple(dict.fromkeys(_kind(part) for part in branches(hint)))
    return Field(
        name=name,
        hint=hint,
        kind=kinds[0] if len(kinds) == 1 else "any",
        kinds=kinds,
        entry=next((_entry(part) for part in branches(hint) if _entry(part)), None),
        type_text=type_text(hint),
        rule=rule_of(hint),
        choices=_choices(hint),
        minimum=limits.ge if limits else None,
        maximum=limits.le if limits else None,
        nullable=NoneType in branches(declared),
        group=about.extra["group"],
        description=about.description,
        deprecated=about.extra["deprecated"],
        successor=about.extra["successor"],
        default_text=about.extra["default"],
    )


def bare(hint: Any) -> Any:
    """Give a type without its bounds."""
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def limits_of(hint: Any) -> Meta | None:
    """Give the bounds of a type, None where it has none."""
    return get_args(hint)[1] if get_origin(hint) is Annotated else None


def branches(hint: Any) -> tuple[Any, ...]:
    """Give the alternatives of a union (or the type itself), the unset one aside."""
    is_union = get_origin(hint) in (Union, UnionType)
    return tuple(part for part in (get_args(hint) if is_union else [hint]) if part is not UnsetType)


def is_struct(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, Struct)


def tag_of(shape: Any) -> str | None:
    """Give the value of `type` that marks a shape among others, None where nothing does."""
    tag: str | None = shape.__struct_config__.tag
    return tag


def type_text(hint: Any) -> str:
    """Say a type in words: ``"string or list of 1 to 4 strings"``."""
    return " or ".join(_branch_texts(hint))


def rule_of(hint: Any) -> str:
    """Say a type as the end of "it must be …"."""
    return " or ".join(_with_article(text) for text in _branch_texts(hint))


def _with_article(text: str) -> str:
    if text.startswith(_WITHOUT_ARTICLE):
        return text
    return f"{'an' if text[0] in 'aeio' else 'a'} {text}"


def _branch_texts(hint: Any) -> Iterator[str]:
    parts = branches(hint)
    tagged = [part for part in parts if is_struct(part) and tag_of(part)]
    yield from (_text(part) for part in parts if part not in tagged and part is not NoneType)
    if tagged:
        yield f"object of type {_or(str(tag_of(part)) for part in tagged)}"


def _text(hint: Any) -> str:
    kind, limits = bare(hint), limits_of(hint)
    origin, args = get_origin(kind), get_args(kind)
    if limits is not None and limits.description:
        return limits.description
    if kind is bool:
        return "true or false"
    if kind is int or kind is float:
        return _SCALARS[kind] + _range(limits)
    if kind is str:
        return f"string (at most {limits.max_length} characters)" if limits else "string"
    if origin is Literal:
        return f"one of {', '.join(args)}"
    if origin is list:
        return f"list of {_count(limits)}{_plural(type_text(args[0]))}"
    if origin is dict:
        if args[1] is Any:
            return "JSON object"
        pairs = f"at most {limits.max_length} pairs, " if limits else ""
        return f"map of {pairs}{_text(args[0])} to {_text(args[1])}"
    if is_struct(kind):
        return f"object {{{', '.join(_keys(kind))}}}"
    return "any value"


def _keys(shape: Any) -> Iterator[str]:
    for key in msgspec.structs.fields(shape):
        yield key.encode_name if key.required else f"{key.encode_name}?"


def _range(limits: Meta | None) -> str:
    if limits is None:
        return ""
    if limits.le is None:
        return f" of at least {limits.ge}"
    return f" from {limits.ge} to {limits.le}"


def _count(limits: Meta | None) -> str:
    if limits is None:
        return ""
    if limits.max_length is None:
        return "one or more " if limits.min_length == 1 else f"at least {limits.min_length} "
    return f"{limits.min_length} to {limits.max_length} "


def _plural(text: str) -> str:
    if text.startswith("one of "):
        return _or(iter(text.removeprefix("one of ").split(", ")))
    noun, _, rest = text.partition(" ")
    return f"{noun}s {rest}".rstrip()


def _or(names: Iterator[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last


def _kind(hint: Any) -> Kind:
    kind = bare(hint)
    if is_struct(kind):
        return "object"
    by_origin: dict[Any, Kind] = {Literal: "choice", list: "list", dict: "mapping"}
    return by_origin.get(get_origin(kind)) or _SCALARS.get(kind, "any")


def _entry(hint: Any) -> Kind | None:
    """Give the kind of the entries of a list, or of the values of a map."""
    if get_origin(bare(hint)) not in (list, dict):
        return None
    kinds = {_kind(part) for part in branches(get_args(bare(hint))[-1])}
    return kinds.pop() if len(kinds) == 1 else "any"


def _choices(hint: Any) -> tuple[str, ...]:
    choices: list[str] = []
    for part in branches(hint):
        origin, args = get_origin(bare(part)), get_args(bare(part))
        if origin is Literal:
            choices.extend(args)
        elif origin is list:
            choices.extend(_choices(args[0]))
    return tuple(choices)
