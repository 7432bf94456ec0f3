"""A Python function as a tool: its JSON schema from signature, type hints and docstring."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from nbchat.tools.arguments import Arguments, arguments_of, refusal
from nbchat.tools.docstring import read_docstring

MOST_FUNCTIONS = 128
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}\Z")


class Tool(Struct, frozen=True, kw_only=True):
    """A tool as the request declares it, and the function that runs when it is called.

    `schema` is the entry of the request's `tools`. Without a `function` the model may ask
    for it, and the caller answers. `takes` checks the arguments; a custom tool has none and
    gets the model's text as it is.
    """

    schema: dict[str, Any]
    function: Callable[..., Any] | None = None
    takes: Arguments | None = None

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
    (``msgspec.Meta``) or a description (a text). Models and dataclasses of pydantic are taken
    too, and its ``Field`` in ``Annotated`` or as a default. What the docstring says of a parameter
    (Google's, NumPy's and Sphinx's manners are read) becomes its description.

    Raises `CheckError` where the function cannot be described.
    """
    name = _name_of(function, name)
    summary, of_parameters = read_docstring(inspect.getdoc(function) or "")
    arguments = arguments_of(function, name, of_parameters)
    body: dict[str, Any] = {"name": name}
    if description or summary:
        body["description"] = description or summary
    body["parameters"] = arguments.schema
    return Tool(schema={"type": "function", "function": body}, function=function, takes=arguments)


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


def read_tools(tools: Any, *, field: str = "tools") -> tuple[Any, dict[str, Tool]]:
    """Give the schemas for the request, and the tools that have a function by their names.

    Functions and `Tool`s become schemas; all else (ready-made schemas, texts of flags)
    passes as it is. With `field` "functions" the schemas are those of the deprecated field.
    """
    if callable(tools) or isinstance(tools, Tool):
        tools = [tools]
    if not isinstance(tools, Sequence) or isinstance(tools, (str, bytes)):
        return tools, {}
    by_name: dict[str, Tool] = {}
    schemas: list[Any] = []
    for entry in tools:
        made = entry if isinstance(entry, Tool) else tool(entry) if callable(entry) else None
        if made is None:
            schemas.append(entry)
            continue
        if made.name in by_name:
            raise refusal(f"{field} names {made.name} twice.", field)
        schemas.append(made.schema if field == "tools" else _legacy(made))
        if made.function is not None:
            by_name[made.name] = made
    n_functions = sum(not _is_custom(schema) for schema in schemas)
    if n_functions > MOST_FUNCTIONS:
        raise refusal(
            f"{field} has {n_functions} functions, and {MOST_FUNCTIONS} are the most.", field
        )
    return schemas, by_name


def _is_custom(schema: Any) -> bool:
    return isinstance(schema, Mapping) and schema.get("type") == "custom"


def _legacy(made: Tool) -> dict[str, Any]:
    if _is_custom(made.schema):
        raise refusal(f"{made.name} is a custom tool, which only tools=[…] takes.", "functions")
    body: dict[str, Any] = made.schema["function"]
    return body


def _name_of(function: Any, name: str | None) -> str:
    inner = getattr(function, "func", function)  # functools.partial
    wanted = name or getattr(inner, "__name__", "") or type(inner).__name__
    if not _NAME.match(wanted):
        raise refusal(
            f"A tool's name has 1 to 64 letters, digits, _ or -, and {wanted} is none: "
            "give one, nbchat.tools.tool(function, name=…)."
        )
    return str(wanted)
