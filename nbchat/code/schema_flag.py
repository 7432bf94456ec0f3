"""What ``--schema`` names: a type of the notebook, a list of one, or a JSON schema."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from nbchat.errors import MagicUsageError
from nbchat.structured import Structure, response_format, structure_of

if TYPE_CHECKING:
    from nbchat.code.flags import Flags

_LIST = re.compile(r"[Ll]ist\[(.+)\]")
_DOTTED = re.compile(r"[^\W\d]\w*(?:\.[^\W\d_]\w*)*")
_BUILTINS: Mapping[str, Any] = {"str": str, "int": int, "float": float, "bool": bool}


def take_structure(
    flags: Flags, fields: dict[str, Any], variables: Mapping[str, Any], fill: Callable[[str], str]
) -> Structure | None:
    """Give the structure that a line asks for; its wire form takes its place in `fields`."""
    text = flags.one("schema", fill)
    strict = not flags.is_set("no-strict")
    if text is None:
        if not strict:
            raise MagicUsageError("--no-strict says how --schema is sent: name one.")
        found = structure_of(_decoded(fields.get("response_format")))
    elif "response_format" in flags.given:
        raise MagicUsageError("--schema and --response-format are the same field: set one.")
    else:
        found = _structure(text, variables, strict=strict)
    if found is not None:
        fields["response_format"] = found.wire
    return found


def _structure(text: str, variables: Mapping[str, Any], *, strict: bool) -> Structure:
    if text.startswith("{"):
        try:
            value = json.loads(text)
        except ValueError as error:
            raise MagicUsageError(f"--schema: this is no JSON ({error}).") from None
    else:
        value = _named(text, variables)
    if isinstance(value, Structure):
        return value
    found = structure_of(value)
    if found is None:
        what = "no JSON schema" if isinstance(value, Mapping) else f"a {type(value).__name__}"
        raise MagicUsageError(
            f"--schema takes a type (a Struct, dataclass, TypedDict or pydantic model) or a JSON "
            f"schema; {text} is {what}."
        )
    return found if strict else response_format(value, strict=False)


def _named(text: str, variables: Mapping[str, Any]) -> Any:
    inner = _LIST.fullmatch(text)
    if inner is not None:
        return list[_named(inner[1].strip(), variables)]  # type: ignore[misc]
    if not _DOTTED.fullmatch(text):
        raise MagicUsageError(
            f"--schema takes a name, list[name] or a JSON schema, and {text!r} is none of them."
        )
    first, *attributes = text.split(".")
    known = {**_BUILTINS, **variables}
    if first not in known:
        near = difflib.get_close_matches(first, list(variables), n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise MagicUsageError(f"--schema: there is no {first} in the notebook.{hint}")
    value = known[first]
    for attribute in attributes:
        if not hasattr(value, attribute):
            raise MagicUsageError(f"--schema {text}: {first} has no attribute {attribute}.")
        value = getattr(value, attribute)
    return value


def _decoded(value: Any) -> Any:
    if not isinstance(value, str) or not value.lstrip().startswith("{"):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value  # for `check` to name
