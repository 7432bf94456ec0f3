"""The controls of the explorer, made from the declaration of the request."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from nbchat.api.fields import FIELDS, Field, Kind
from nbchat.api.server_fields import ServerField
from nbchat.options import OPTIONS, Option, Takes
from nbchat.widgets.hints import (
    DEPRECATED,
    GROUPS,
    HINTS,
    MOST_STEPS,
    OPEN_AT_FIRST,
    OWN_GROUP,
    ControlKind,
    Hint,
)

_BY_KIND: Mapping[Kind, ControlKind] = {
    "number": "number",
    "integer": "number",
    "boolean": "toggle",
    "choice": "dropdown",
    "string": "text",
    "list": "json",
    "mapping": "json",
    "object": "json",
    "any": "json",
}
_KIND_OF: Mapping[Takes, Kind] = {
    "seconds": "number",
    "count": "integer",
    "nothing": "boolean",
    "text": "string",
}
_OF_SERVER: Mapping[str, ControlKind] = {
    "number": "number",
    "integer": "number",
    "boolean": "toggle",
    "choice": "dropdown",
    "string": "text",
    "list": "tags",
    "object": "json",
}
_SCALARS = ("string", "number", "integer")


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """What a front end needs to draw the control of a field.

    `control` is slider (with a number box), number, dropdown, toggle, text, tags (a list of
    texts), pairs (rows of a key and a value) or json. `kind`, `entry`, `choices`, `minimum`,
    `maximum`, `type_text`, `default_text`, `nullable`, `deprecated` and `successor` are those
    of `nbchat.api.fields.Field`, `help` is its description. `step`, `soft_minimum` and
    `soft_maximum` are those of a slider or number box, `start` is what a control that was
    unset is set to (None where nothing suggests itself).
    """

    name: str
    group: str
    control: ControlKind
    kind: Kind
    entry: Kind | None
    choices: list[str]
    minimum: float | None
    maximum: float | None
    step: float | None
    soft_minimum: float | None
    soft_maximum: float | None
    start: Any
    help: str
    type_text: str
    default_text: str
    nullable: bool
    deprecated: bool
    successor: str | None


def controls(models: Iterable[str] = ()) -> list[dict[str, Any]]:
    """Give a record for each declared field, as JSON would have it, in the order of the screen.

    Keys: those of `Control`. `models` are the names that the control of the model offers.
    """
    of_fields = [control_of(field) for field in FIELDS().values()]
    of_fields = [
        msgspec.structs.replace(one, choices=[*models]) if one.name == "model" else one
        for one in sorted(of_fields, key=_place)
    ]
    of_options = [
        control_of_option(option) for option in OPTIONS().values() if not option.no_control
    ]
    n_deprecated = sum(one.group == DEPRECATED for one in of_fields)
    at = len(of_fields) - n_deprecated
    return [msgspec.to_builtins(one) for one in [*of_fields[:at], *of_options, *of_fields[at:]]]


def groups() -> list[dict[str, Any]]:
    """Give the groups in the order of the screen: name, is_open (at first), fields (names)."""
    names: dict[str, list[str]] = {}
    for control in controls():
        names.setdefault(control["group"], []).append(control["name"])
    return [
        {"name": name, "is_open": name in OPEN_AT_FIRST, "fields": fields}
        for name, fields in names.items()
    ]


def control_of_option(option: Option) -> Control:
    """Give the control of an option of nbchat's own."""
    kind = _KIND_OF[option.takes]
    step = {"number": 5.0, "integer": 1.0}.get(kind)
    return Control(
        name=option.name,
        group=OWN_GROUP,
        control=_BY_KIND[kind],
        kind=kind,
        entry=None,
        choices=[],
        minimum=None if step is None else 0,
        maximum=None,
        step=step,
        soft_minimum=None if step is None else 0,
        soft_maximum=None,
        start=None,
        help=option.help,
        type_text={"number": "number", "integer": "integer"}.get(kind, "boolean"),
        default_text="",
        nullable=False,
        deprecated=False,
        successor=None,
    )


def control_of_server_field(field: ServerField, kind: str) -> dict[str, Any]:
    """Give the control of a field that only one kind of server takes; its group has its name."""
    is_slider = field.kind in ("number", "integer") and field.minimum is not None
    control = Control(
        name=field.name,
        group=f"Of {kind} alone",
        control="slider" if is_slider else _OF_SERVER[field.kind],
        kind=field.kind,
        entry="string" if field.kind == "list" else None,
        choices=[*field.choices],
        minimum=field.minimum,
        maximum=field.maximum,
        step=field.step,
        soft_minimum=field.minimum,
        soft_maximum=field.soft_maximum if field.maximum is None else field.maximum,
        start=not field.default if field.kind == "boolean" else field.default,
        help=field.help,
        type_text={"list": "list of strings"}.get(field.kind, field.kind),
        default_text="" if field.default is None else msgspec.json.encode(field.default).decode(),
        nullable=False,
        deprecated=False,
        successor=None,
    )
    built: dict[str, Any] = msgspec.to_builtins(control)
    return built


def control_of(field: Field) -> Control:
    """Give the control of a field, whether it has a hint or not."""
    hint = HINTS.get(field.name, Hint())
    is_number = field.kind in ("number", "integer")
    soft_minimum = field.minimum if hint.soft_minimum is None else hint.soft_minimum
    soft_maximum = field.maximum if hint.soft_maximum is None else hint.soft_maximum
    step = (hint.step or _step(field)) if is_number else None
    return Control(
        name=field.name,
        group=hint.group or (DEPRECATED if field.deprecated else field.group),
        control=hint.control or _control(field, step, soft_minimum, soft_maximum),
        kind=field.kind,
        entry=field.entry,
        choices=[*field.choices],
        minimum=field.minimum,
        maximum=field.maximum,
        step=step,
        soft_minimum=soft_minimum if is_number else None,
        soft_maximum=soft_maximum if is_number else None,
        start=_start(field) if hint.start is None else hint.start,
        help=field.description,
        type_text=field.type_text,
        default_text=field.default_text,
        nullable=field.nullable,
        deprecated=field.deprecated,
        successor=field.successor,
    )


def _control(
    field: Field, step: float | None, low: float | None, high: float | None
) -> ControlKind:
    if step is not None and low is not None and high is not None:
        return "slider" if (high - low) / step <= MOST_STEPS else "number"
    if "list" in field.kinds and field.entry in ("string", "choice"):
        return "tags"
    if field.kind == "mapping" and field.entry in _SCALARS:
        return "pairs"
    return _BY_KIND[field.kind]


def _step(field: Field) -> float:
    """Give a step that cuts the range into 20 to 200 parts, a power of ten; 1 for integers."""
    if field.kind == "integer":
        return 1
    if field.minimum is None or field.maximum is None:
        return 0.1
    return float(10.0 ** math.floor(math.log10((field.maximum - field.minimum) / 20)))


def _start(field: Field) -> Any:
    """Give what the API takes where the field is unset, else the plainest value of its kind."""
    try:
        default = msgspec.json.decode(field.default_text)
    except msgspec.DecodeError:
        default = field.default_text if field.default_text in field.choices else None
    if field.kind == "boolean":
        return not default  # as the API has it already, setting it would change nothing
    if default is not None:
        return default
    if field.kind in ("number", "integer"):
        return field.minimum if field.minimum is not None else 0
    if field.kind == "choice":
        return field.choices[0]
    return {"string": "", "list": [], "mapping": {}}.get(field.kind)


def _place(control: Control) -> tuple[int, int]:
    order = [*HINTS]
    names = [*GROUPS]
    group = names.index(control.group) if control.group in names else len(names)
    within = order.index(control.name) if control.name in order else len(order)
    return group + (control.group == DEPRECATED), within
