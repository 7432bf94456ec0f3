"""What a function takes: how its parameters are described, and how a call's arguments are read."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from msgspec import UNSET, UnsetType

from nbchat.errors import CheckError
from nbchat.structured import python_types
from nbchat.structured.type_schema import default_of
from nbchat.structured.values import with_whole_numbers
from nbchat.tools.result_text import encodable

_NO_DEFAULT: Any = inspect.Parameter.empty
_REASONS = (TypeError, ValueError, NameError, NotImplementedError, RecursionError)


class WrongArgumentsError(ValueError):
    """Arguments that do not fit the function; the sentence says where."""


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter that a model fills in.

    `is_explicit`: its default is given with each call, since the function's own is a
    description of it (pydantic's ``Field``).
    """

    name: str
    hint: Any
    default: Any = _NO_DEFAULT
    is_positional: bool = False
    is_explicit: bool = False

    @property
    def is_needed(self) -> bool:
        return self.default is _NO_DEFAULT


class Arguments(msgspec.Struct, frozen=True):
    """What a function takes. `schema` is the JSON schema of all of it, an object."""

    taken: tuple[Taken, ...]
    schema: dict[str, Any]
    shape: type[msgspec.Struct]

    def read(self, text: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Give the positional values and those by name that a call's text stands for.

        No text at all, and null, are no arguments. Raise WrongArgumentsError where they do not
        fit.
        """
        try:
            values = self._values(text)
        except RecursionError:
            raise WrongArgumentsError("JSON that is nested too deeply") from None
        # a class of the user's own may raise anything while it is made
        except Exception as error:  # noqa: BLE001
            raise WrongArgumentsError(" ".join(str(error).split()).rstrip(".")) from None
        first = [t.name for t in self.taken if t.is_positional and t.name in values]
        return tuple(values.pop(name) for name in first), values

    def _values(self, text: str) -> dict[str, Any]:
        decoded = msgspec.json.decode(encodable(text)) if text.strip() else None
        decoded_values = with_whole_numbers(
            {} if decoded is None else decoded, self.schema, self.schema
        )
        made = msgspec.convert(
            decoded_values, self.shape, str_keys=True, dec_hook=python_types.foreign_object
        )
        values: dict[str, Any] = {}
        for taken, field in zip(self.taken, self.shape.__struct_fields__, strict=True):
            value = getattr(made, field)
            if value is UNSET:
                values |= {taken.name: taken.default} if taken.is_explicit else {}
            elif python_types.is_pydantics(taken.hint):
                values[taken.name] = _read(value, taken)
            else:
                values[taken.name] = value
        return values


def arguments_of(
    function: Callable[..., Any], name: str, descriptions: Mapping[str, str]
) -> Arguments:
    """Give what a function takes. `descriptions` are what its docstring says of each parameter.

    Raise CheckError where that is nothing that JSON can carry.
    """
    taken = _taken(function, name)
    nodes, components = _schemas(taken, name)
    properties = {}
    for one, node in zip(taken, nodes, strict=True):
        words = description_in(one.hint) or descriptions.get(one.name, "")
        about = {"description": words} if words and "description" not in node else {}
        default = {} if one.is_needed else default_of(one.default)
        properties[one.name] = {**node, **about, **default}
    schema = {
        "type": "object",
        "properties": properties,
        "required": [one.name for one in taken if one.is_needed],
        "additionalProperties": False,
        **({"$defs": components} if components else {}),
    }
    return Arguments(tuple(taken), schema, _shape(taken, name))


def refusal(sentence: str, field: str = "tools") -> CheckError:
    """Give the error for a function that no schema can describe."""
    return CheckError(sentence, field=field, rule="a function that a JSON schema can describe")


def description_in(hint: Any) -> str:
    """Give the description of ``Annotated[int, "how many"]``, or of a ``Doc("how many")``."""
    if get_origin(hint) is not Annotated:
        return ""
    words = (getattr(note, "documentation", note) for note in get_args(hint)[1:])
    return next((note for note in words if isinstance(note, str)), "")


def _taken(function: Callable[..., Any], name: str) -> list[Taken]:
    try:
        parameters = [*inspect.signature(function).parameters.values()]
    except (TypeError, ValueError):
        raise refusal(f"{name} has no signature that can be read: wrap it in a def.") from None
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            stars = "*" if parameter.kind is parameter.VAR_POSITIONAL else "**"
            raise refusal(
                f"{name} takes {stars}{parameter.name}, which a JSON schema cannot describe: "
                "name its parameters."
            )
    hinted = {p.name: p.annotation for p in parameters if p.annotation is not p.empty}
    try:
        hints = python_types.hints_of(function, hinted)
    # a text in quotes may raise anything
    except Exception as error:  # noqa: BLE001
        raise refusal(
            f"{name} has a type hint that cannot be looked up: {str(error).rstrip('.')}. "
            "Define or import it where the function stands."
        ) from None
    return [_described(parameter, hints.get(parameter.name, Any)) for parameter in parameters]


def _described(parameter: inspect.Parameter, hint: Any) -> Taken:
    is_positional = parameter.kind is parameter.POSITIONAL_ONLY
    default = parameter.default
    if not python_types.is_field(default):
        return Taken(name=parameter.name, hint=hint, default=default, is_positional=is_positional)
    value = default.get_default(call_default_factory=True)
    is_needed = default.is_required()
    return Taken(
        name=parameter.name,
        hint=Annotated[hint, default],
        default=_NO_DEFAULT if is_needed else value,
        is_positional=is_positional,
        is_explicit=not is_needed,
    )


def _schemas(taken: Sequence[Taken], name: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    for one in taken:
        try:
            python_types.described([one.hint])
        except _REASONS as error:
            lines = [line.rstrip(".:") for line in str(error).splitlines() if line.strip()]
            reason = (lines or [type(error).__name__])[-1]
            raise refusal(
                f"{name} cannot be described to a model: its parameter {one.name} "
                f"({_shown(one.hint)}) is nothing that JSON can carry ({reason})."
            ) from None
    try:
        return python_types.described([one.hint for one in taken], field="tools")
    except _REASONS as error:
        raise refusal(f"{name} cannot be described to a model: {str(error).rstrip('.')}.") from None


def _shown(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint).replace("typing.", "")


def _shape(taken: Sequence[Taken], name: str) -> type[msgspec.Struct]:
    """Make the type that arguments are converted to; what is left out stays UNSET."""
    fields: list[Any] = []
    for place, one in enumerate(taken):
        hint = Any if python_types.is_pydantics(one.hint) else one.hint
        # names of their own, because a parameter may be called like a method
        if one.is_needed:
            fields.append((f"p{place}", hint, msgspec.field(name=one.name)))
        else:
            optional = msgspec.field(default=UNSET, name=one.name)
            fields.append((f"p{place}", Union[hint, UnsetType], optional))  # noqa: UP007 - of values
    return msgspec.defstruct(name, fields, kw_only=True, forbid_unknown_fields=True)


def _read(value: Any, taken: Taken) -> Any:
    try:
        return python_types.read(value, taken.hint)
    except ValueError as error:
        sentence = str(error)
    raise WrongArgumentsError(f"{sentence}, in `$.{taken.name}`")
