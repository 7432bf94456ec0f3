"""A Python function as a tool: its JSON schema from signature, type hints and docstring."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

import msgspec
from msgspec import UNSET, Struct, UnsetType

from nbchat.errors import CheckError

if TYPE_CHECKING:
    from inspect import Parameter

MOST_FUNCTIONS = 128
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}\Z")
_SECTION = re.compile(r"([A-Z][A-Za-z ]{2,20}):?\s*\Z")
_OF_PARAMETERS = {"args", "arguments", "parameters", "params", "other parameters", "keyword args"}
_OF_OTHERS = {
    "returns", "return", "yields", "raises", "warns", "example", "examples", "note", "notes",
    "see also", "references", "attributes",
}  # fmt: skip
_ENTRY = re.compile(r"\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)")
_BULLET = re.compile(r"[-*]\s+`{1,2}(\w+)`{1,2}\s*(?:\([^)]*\))?\s*:\s*(.*)")
_FIELD = re.compile(r":(param|type|returns?|rtype|raises?)\b\s*([^:]*):\s*(.*)")


class Tool(Struct, frozen=True, kw_only=True):
    """A tool as the request declares it, and the function that runs when it is called.

    `schema` is the entry of the request's `tools`. Without a `function` the model may ask
    for it, and the caller answers. `takes` checks the arguments; a custom tool has none and
    gets the model's text as it is.
    """

    schema: dict[str, Any]
    function: Callable[..., Any] | None = None
    takes: type[Struct] | None = None
    positional: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        body = self.schema.get(str(self.schema.get("type"))) or self.schema
        return str(body.get("name", "")) if isinstance(body, Mapping) else ""


def tool(
    function: Callable[..., Any], *, name: str | None = None, description: str | None = None
) -> Tool:
    """Describe a function for a model.

    Types are those of msgspec: numbers, texts, `Literal`, enums, dates, lists, dicts,
    dataclasses, TypedDicts and Structs, optional and nested; ``Annotated`` adds bounds
    (``msgspec.Meta``) or a description (a text). What the docstring says of a parameter
    (Google's, NumPy's and Sphinx's manners are read) becomes its description.

    Raises `CheckError` where the function cannot be described.
    """
    name = _name_of(function, name)
    summary, of_parameters = read_docstring(inspect.getdoc(function) or "")
    parameters = _parameters(function, name)
    schemas, components = _schemas(parameters, name)
    properties: dict[str, Any] = {}
    for (parameter, hint), found in zip(parameters, schemas, strict=True):
        said = _said(hint) or of_parameters.get(parameter.name, "")
        about = {"description": said} if said and "description" not in found else {}
        properties[parameter.name] = {**found, **about, **_default(parameter)}
    body: dict[str, Any] = {"name": name}
    if description or summary:
        body["description"] = description or summary
    body["parameters"] = {
        "type": "object",
        "properties": properties,
        "required": [p.name for p, _ in parameters if p.default is p.empty],
        "additionalProperties": False,
        **({"$defs": components} if components else {}),
    }
    return Tool(
        schema={"type": "function", "function": body},
        function=function,
        takes=_struct(parameters, name),
        positional=tuple(p.name for p, _ in parameters if p.kind is p.POSITIONAL_ONLY),
    )


def custom(
    function: Callable[[str], Any],
    *,
    name: str | None = None,
    description: str | None = None,
    format: Mapping[str, Any] | None = None,  # noqa: A002 - the API's own name
) -> Tool:
    """Describe a function of one text as a custom tool, which takes free text.

    `format` is that of the API, such as ``{"type": "grammar", "grammar": {"syntax":
    "regex", "definition": "[0-9]+"}}``.
    """
    body: dict[str, Any] = {"name": _name_of(function, name)}
    description = description or read_docstring(inspect.getdoc(function) or "")[0]
    if description:
        body["description"] = description
    if format is not None:
        body["format"] = dict(format)
    return Tool(schema={"type": "custom", "custom": body}, function=function)


def read_tools(given: Any, *, field: str = "tools") -> tuple[Any, dict[str, Tool]]:
    """Give the schemas for the request, and the tools that have a function by their names.

    Functions and `Tool`s become schemas; all else (ready-made schemas, texts of flags)
    passes as it is. With `field` "functions" the schemas are those of the deprecated field.
    """
    if callable(given) or isinstance(given, Tool):
        given = [given]
    if not isinstance(given, Sequence) or isinstance(given, (str, bytes)):
        return given, {}
    found: dict[str, Tool] = {}
    schemas: list[Any] = []
    for entry in given:
        made = entry if isinstance(entry, Tool) else tool(entry) if callable(entry) else None
        if made is None:
            schemas.append(entry)
            continue
        if made.name in found:
            raise _refusal(f"{field} names {made.name} twice.", field)
        schemas.append(made.schema if field == "tools" else _legacy(made))
        if made.function is not None:
            found[made.name] = made
    n_functions = sum(not _is_custom(schema) for schema in schemas)
    if n_functions > MOST_FUNCTIONS:
        raise _refusal(
            f"{field} has {n_functions} functions, and {MOST_FUNCTIONS} are the most.", field
        )
    return schemas, found


def _is_custom(schema: Any) -> bool:
    return isinstance(schema, Mapping) and schema.get("type") == "custom"


def _legacy(made: Tool) -> dict[str, Any]:
    if _is_custom(made.schema):
        raise _refusal(f"{made.name} is a custom tool, which only tools=[…] takes.", "functions")
    body: dict[str, Any] = made.schema["function"]
    return body


def _refusal(sentence: str, field: str = "tools") -> CheckError:
    return CheckError(sentence, field=field, rule="a function that a JSON schema can describe")


def _name_of(function: Any, name: str | None) -> str:
    inner = getattr(function, "func", function)  # functools.partial
    found = name or getattr(inner, "__name__", "") or type(inner).__name__
    if not _NAME.match(found):
        raise _refusal(
            f"A tool's name has 1 to 64 letters, digits, _ or -, and {found} is none: "
            "give one, nbchat.tools.tool(function, name=…)."
        )
    return str(found)


def _parameters(function: Callable[..., Any], name: str) -> list[tuple[Parameter, Any]]:
    try:
        signature = inspect.signature(function, eval_str=True)
    except NameError as error:
        raise _refusal(
            f"{name} has a type hint that cannot be looked up: {error}. "
            "Define or import it where the function stands."
        ) from None
    except (TypeError, ValueError):
        raise _refusal(f"{name} has no signature that can be read: wrap it in a def.") from None
    found = []
    for parameter in signature.parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            stars = "*" if parameter.kind is parameter.VAR_POSITIONAL else "**"
            raise _refusal(
                f"{name} takes {stars}{parameter.name}, which a JSON schema cannot describe: "
                "name its parameters."
            )
        hint = Any if parameter.annotation is parameter.empty else parameter.annotation
        found.append((parameter, hint))
    return found


def _schemas(
    parameters: list[tuple[Parameter, Any]], name: str
) -> tuple[tuple[dict[str, Any], ...], dict[str, Any]]:
    for parameter, hint in parameters:
        try:
            msgspec.json.schema(hint)
        except (TypeError, NameError, RecursionError) as error:
            reason = str(error).rstrip(".").splitlines()[-1:] or [type(error).__name__]
            is_model = any(hasattr(part, "model_json_schema") for part in (hint, *get_args(hint)))
            instead = " Take a dataclass or a msgspec.Struct for it." if is_model else ""
            raise _refusal(
                f"{name} cannot be described to a model: its parameter {parameter.name} "
                f"({_shown(hint)}) is nothing that JSON can carry ({reason[0]}).{instead}"
            ) from None
    return msgspec.json.schema_components(
        [hint for _, hint in parameters], ref_template="#/$defs/{name}"
    )


def _shown(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint).replace("typing.", "")


def _said(hint: Any) -> str:
    """Give the description of ``Annotated[int, "how many"]``."""
    if get_origin(hint) is not Annotated:
        return ""
    return next((said for said in get_args(hint)[1:] if isinstance(said, str)), "")


def _default(parameter: Parameter) -> dict[str, Any]:
    if parameter.default is parameter.empty:
        return {}
    try:
        value = msgspec.to_builtins(parameter.default)
        msgspec.json.encode(value)
    except (TypeError, ValueError, RecursionError, OverflowError):
        return {}  # the function knows its default; the model need not
    return {"default": value}


def _struct(parameters: list[tuple[Parameter, Any]], name: str) -> type[Struct]:
    """Make the type that arguments are converted to; what is left out stays UNSET."""
    fields: list[Any] = []
    for place, (parameter, hint) in enumerate(parameters):
        is_needed = parameter.default is parameter.empty
        # names of their own, because a parameter may be called like a method
        field = msgspec.field(name=parameter.name) if is_needed else _optional(parameter.name)
        fields.append((f"p{place}", hint if is_needed else _or_unset(hint), field))
    return msgspec.defstruct(name, fields, kw_only=True, forbid_unknown_fields=True)


def _optional(name: str) -> Any:
    return msgspec.field(default=UNSET, name=name)


def _or_unset(hint: Any) -> Any:
    return Union[hint, UnsetType]  # noqa: UP007 - of values, not of names in the source


def read_docstring(text: str) -> tuple[str, dict[str, str]]:
    """Give what a docstring says of the function, and what of each parameter."""
    said: dict[str, list[str]] = {}
    summary: list[str] = []
    where: str | None = None  # the section; None is the text before the first one
    current: list[str] | None = None
    depth = 0
    for line, following in _with_next(inspect.cleandoc(text).splitlines()):
        field, bullet, head = _FIELD.match(line), _BULLET.match(line), _SECTION.match(line)
        if field:
            kind, name, rest = field.groups()
            where = "fields"
            current = None
            if kind == "param" and name.split():
                current = said[name.split()[-1]] = [rest]
        elif bullet and where is None:
            current = said[bullet[1]] = [bullet[2]]
        elif head and _is_section(head[1]) and (line.rstrip().endswith(":") or _is_rule(following)):
            where, current = head[1].lower(), None
        elif where is None:
            current = current if line.startswith(" ") else None
            (summary if current is None else current).append(line.strip() if current else line)
        elif where == "fields":
            _append(current, line)
        elif where in _OF_PARAMETERS:
            indent = len(line) - len(line.lstrip())
            entry = _ENTRY.match(line.strip()) or re.fullmatch(r"(\w+)()", line.strip())
            if entry and (current is None or indent <= depth):
                depth = indent
                # NumPy writes the type behind the colon, and the words below
                current = said[entry[1]] = [entry[2] if indent else ""]
            else:
                _append(current, line)
    joined = {name: " ".join(" ".join(lines).split()) for name, lines in said.items()}
    return "\n".join(summary).strip(), joined


def _is_section(title: str) -> bool:
    return title.lower() in _OF_PARAMETERS | _OF_OTHERS


def _append(lines: list[str] | None, line: str) -> None:
    if lines is not None and not _is_rule(line):
        lines.append(line.strip())


def _is_rule(line: str) -> bool:
    return len(line.strip()) > 2 and not line.strip("- =")


def _with_next(lines: list[str]) -> Iterator[tuple[str, str]]:
    yield from pairwise([*lines, ""])
