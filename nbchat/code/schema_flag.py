"""What ``--schema`` names: a type of the notebook, a list of one, or a JSON schema."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from nbchat.errors import MagicUsageError
from nbchat.structured import Structure, describes, response_format

if TYPE_CHECKING:
    from nbchat.code.flags import Flags

_LIST = re.compile(r"[Ll]ist\[(.+)\]")
_DOTTED = re.compile(r"[^\W\d]\w*(?:\.[^\W\d_]\w*)*")
_BUILTINS: Mapping[str, Any] = {"str": str, "int": int, "float": float, "bool": bool}


def structure_named(flags: Flags, variables: Mapping[str, Any], fill: Callable[[str], str]) -> Any:
    """Give the `response_format` that ``--schema`` and ``--no-strict`` ask for."""
    text = flags.one("schema", fill)
    if text is None:
        raise MagicUsageError("--no-strict says how --schema is sent: name one.")
    if "response_format" in flags.field_words:
        raise MagicUsageError("--schema and --response-format are the same field: set one.")
    return _structure(text, variables, strict=not flags.is_set("no-strict"))


def _structure(text: str, variables: Mapping[str, Any], *, strict: bool) -> Any:
    if text.startswith("{"):
        try:
            value = json.loads(text)
        except ValueError as error:
            raise MagicUsageError(f"--schema: this is no JSON ({error}).") from None
    else:
        value = _named(text, variables)
    if isinstance(value, Structure):
        return value
    if not describes(value):
        what = "no JSON schema" if isinstance(value, Mapping) else f"a {type(value).__name__}"
        raise MagicUsageError(
            f"--schema takes a type (a Struct, dataclass, TypedDict or pydantic model) or a JSON "
            f"schema; {text} is {what}."
        )
    return value if strict else response_format(value, strict=False)


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
