"""Where a value breaks its type, and what would be right.

msgspec decides whether a request is right; this module walks the same types only when it
is not, so that the error can name the place, the value and the rule in our own words.
"""

from __future__ import annotations

import re
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import msgspec
from msgspec import Struct

from nbchat.api.fields import bare, branches, is_struct, limits_of, rule_of, tag_of
from nbchat.api.json_values import shown
from nbchat.errors import CheckError, UnknownFieldError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class Offence(Struct, frozen=True, kw_only=True):
    """One broken rule: `path` names the place, `sentence` says all of it."""

    path: str
    value: object
    rule: str
    sentence: str
    is_unknown: bool = False
    nearest: tuple[str, ...] = ()


def wrong_value(path: str, value: object, rule: str) -> Offence:
    leave_out = "; leave it out instead of null" if value is None else ""
    sentence = f"{path} is {shown(value)}, but it must be {rule}{leave_out}."
    return Offence(path=path, value=value, rule=f"must be {rule}", sentence=sentence)


def missing(path: str, rule: str) -> Offence:
    parent, _, key = path.rpartition(".")
    sentence = f"{path} is missing: {parent} needs {key}, {rule}."
    return Offence(path=path, value=None, rule=f"needed: {rule}", sentence=sentence)


def unknown_key(path: str, value: object, known: Iterable[str], *, owner: str = "") -> Offence:
    parent, _, key = path.rpartition(".")
    names = list(known)
    near = nearest(key, names)
    hint = did_you_mean(near) if near else f" It has {', '.join(names)}." if names else ""
    sentence = f"{path} is not a field of {owner or parent}.{hint}"
    return Offence(
        path=path,
        value=value,
        rule="unknown name",
        sentence=sentence,
        is_unknown=True,
        nearest=near,
    )


def nearest(name: object, known: Iterable[str], *, cutoff: float = 0.6) -> tuple[str, ...]:
    """Give up to three of the known names, the likeliest first, () where none is like it."""
    import difflib

    key = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|-", "_", str(name)).lower()
    return tuple(difflib.get_close_matches(key, list(known), n=3, cutoff=cutoff))


def error_of(first: Offence, others: Iterable[str] = ()) -> CheckError:
    """Give the error that reports an offence; `others` names the fields that are wrong too."""
    also = ", ".join(others)
    message = f"{first.sentence} (also wrong: {also})" if also else first.sentence
    if first.is_unknown:
        return UnknownFieldError(
            message, field=first.path, value=first.value, rule=first.rule, nearest=first.nearest
        )
    return CheckError(message, field=first.path, value=first.value, rule=first.rule)


def did_you_mean(names: tuple[str, ...]) -> str:
    return f" Did you mean {' or '.join(names)}?" if names else ""


def offences(value: Any, hint: Any, path: str) -> Iterator[Offence]:
    """Walk a value beside its type. `value` is plain, as JSON would have it."""
    candidates = [part for part in branches(hint) if _has_shape(value, bare(part))]
    if not candidates:
        yield wrong_value(path, value, rule_of(hint))
    elif is_struct(bare(candidates[0])):
        yield from _in_object(value, candidates, path)
    elif len(candidates) > 1:
        if all(any(offences(value, part, path)) for part in candidates):
            yield wrong_value(path, value, rule_of(hint))
    elif _is_outside(value, candidates[0]):
        yield wrong_value(path, value, rule_of(hint))
    else:
        yield from _in_entries(value, bare(candidates[0]), path)


def _has_shape(value: Any, kind: Any) -> bool:
    if kind is Any:
        return True
    if kind is NoneType:
        return value is None
    if is_struct(kind) or get_origin(kind) is dict:
        return isinstance(value, dict)
    if get_origin(kind) is list:
        return isinstance(value, list)
    if kind is str or get_origin(kind) is Literal:
        return isinstance(value, str)
    if kind is bool:
        return isinstance(value, bool)
    is_number = isinstance(value, (int, float) if kind is float else int)
    return is_number and not isinstance(value, bool)


def _is_outside(value: Any, hint: Any) -> bool:
    kind, limits = bare(hint), limits_of(hint)
    if get_origin(kind) is Literal:
        return value not in get_args(kind)
    if limits is None:
        return False
    length = len(value) if isinstance(value, (str, list, dict)) else 0
    return (
        (limits.ge is not None and value < limits.ge)
        or (limits.le is not None and value > limits.le)
        or (limits.min_length is not None and length < limits.min_length)
        or (limits.max_length is not None and length > limits.max_length)
        or (limits.pattern is not None and re.search(limits.pattern, value) is None)
    )


def _in_object(value: dict[Any, Any], shapes: list[Any], path: str) -> Iterator[Offence]:
    tags = {tag_of(shape): shape for shape in shapes if tag_of(shape)}
    if not tags:
        yield from _in_shape(value, shapes[0], path, {})
        return
    accepted = f"one of {', '.join(map(str, tags))}"
    if "type" not in value:
        yield missing(f"{path}.type", accepted)
    elif value["type"] not in list(tags):  # a list, because the value may not be hashable
        yield wrong_value(f"{path}.type", value["type"], accepted)
    else:
        yield from _in_shape(value, tags[value["type"]], path, {"type": str})


def _in_shape(
    value: Mapping[Any, Any], shape: type[Struct], path: str, tag: dict[str, Any]
) -> Iterator[Offence]:
    keys = {key.encode_name: key for key in msgspec.structs.fields(shape)}
    for key in value:
        if key not in keys and key not in tag:
            yield unknown_key(f"{path}.{key}", value[key], [*tag, *keys])
    for name, key in keys.items():
        if name in value:
            yield from offences(value[name], key.type, f"{path}.{name}")
        elif key.required:
            yield missing(f"{path}.{name}", rule_of(key.type))


def _in_entries(value: Any, kind: Any, path: str) -> Iterator[Offence]:
    args = get_args(kind)
    if get_origin(kind) is list:
        for place, entry in enumerate(value):
            yield from offences(entry, args[0], f"{path}[{place}]")
    elif get_origin(kind) is dict and args[1] is not Any:
        for key, entry in value.items():
            if any(offences(key, args[0], path)):
                yield wrong_key(path, key, rule_of(args[0]))
            else:
                yield from offences(entry, args[1], f"{path}.{key}")


def wrong_key(path: str, key: object, rule: str) -> Offence:
    sentence = f"{path} has the key {shown(key)}, but a key must be {rule}."
    return Offence(path=path, value=key, rule=f"a key must be {rule}", sentence=sentence)
