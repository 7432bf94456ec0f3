"""A request and what varies in it, as a call of `nbchat.sweep`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import product
from typing import Any

from msgspec import UNSET

from nbchat.code.as_draft import draft_of
from nbchat.code.inline_data import as_code, with_calls
from nbchat.code.python_call import argument
from nbchat.code.python_names import names_in
from nbchat.options import OPTIONS
from nbchat.request.describe import as_data
from nbchat.request.draft import Draft


def as_sweep(
    draft: Draft | Any,
    grid: Mapping[str, Sequence[Any]],
    rows: Sequence[Mapping[str, Any]] | None = None,
    *,
    data: str = "",
    columns: Collection[str] = (),
    beside: Mapping[str, Any] | None = None,
    repeats: int = 1,
    has_seeds: bool = False,
    server_fields: Collection[str] = (),
    literal: Collection[str] = (),
    folder: str = "sweep",
) -> str:
    """Give Python that sends the request at each point of a grid and for each row of data.

    `grid` maps what varies to its values, UNSET among them where it is left out; `rows` are what
    the names in the texts stand for, `data` is the name of a table of the notebook that has them
    as `columns`. `beside` is what other names stand for in each row: a value, or what `as_code`
    gives for a variable of the notebook.
    `literal` are texts that are no templates. With `has_seeds` each repeat has a seed of its own,
    which a sweep counts up from that of the request.
    """
    draft = draft_of(draft)
    names = names_in(draft.fields)
    draft = as_data(draft)
    messages = [_as_it_stands(message, frozenset(literal)) for message in draft.messages]
    system, prompt = _prompt(messages, varies_system="system" in grid)
    arguments: dict[str, Any] = {"": prompt}
    beside = {name: value for name, value in (beside or {}).items() if name not in grid}
    if data:
        arguments["data"] = as_code(_table(data, [n for n in columns if n in grid], beside))
    elif rows or beside:
        per_row = [
            {**beside, **{name: v for name, v in row.items() if name not in grid}}
            for row in rows or [{}]
        ]
        if per_row[0]:
            arguments["data"] = per_row
    if grid:
        arguments["grid"] = _grid(grid)
    if repeats > 1:
        arguments["repeats"] = repeats
    arguments["folder"] = folder
    if system is not None:
        arguments["system"] = system
    fields = {name: value for name, value in draft.fields.items() if name not in grid}
    if has_seeds:
        fields = {"seed": 1, **fields}
    arguments |= fields
    for name, each in names.items():
        text = ", ".join(each)
        if name in fields:
            arguments[name] = as_code(text if name == "response_format" else f"[{text}]")
    # a sweep varies what only a server takes where it is among the extra ones
    extra = {**draft.extra, **{name: grid[name][0] for name in server_fields if name in grid}}
    if extra:
        arguments["extra"] = extra
    arguments |= {
        name: value
        for name, option in OPTIONS().items()
        if option.in_code
        and not option.no_argument
        and name not in (*grid, "system")
        and (value := getattr(draft, name)) is not None
    }
    lines = [f"    {argument(name, value)}," for name, value in arguments.items()]
    call = ["import nbchat", "", "sweep = nbchat.sweep(", *lines, ")", "sweep"]
    return "\n".join(call)


def _table(name: str, varied: Sequence[str], beside: Mapping[str, Any]) -> str:
    """Give a table without the columns that the grid varies, and with what is beside its rows."""
    drop = f".drop(columns={[*varied]!r})" if varied else ""
    # in a list, or a list and a table of the notebook would be taken for a column of their own
    values = ", ".join(f"{key}=[{value!r}] * len({name})" for key, value in beside.items())
    return f"{name}{drop}{f'.assign({values})' if values else ''}"


def _prompt(messages: list[dict[str, Any]], *, varies_system: bool) -> tuple[str | None, Any]:
    """Give the system's text and the prompt: a text, else a list of messages."""
    has_system = bool(messages) and messages[0].get("role") == "system"
    system = messages[0]["content"] if has_system else None
    rest = messages[1:] if has_system else messages
    is_text = len(rest) == 1 and rest[0].keys() == {"role", "content"}
    if is_text and rest[0]["role"] == "user" and isinstance(rest[0]["content"], str):
        return (None if varies_system else system), rest[0]["content"]
    return None, with_calls(rest if varies_system else messages)


def _as_it_stands(message: dict[str, Any], literal: frozenset[str]) -> dict[str, Any]:
    """Give a message whose literal texts come out of a template as they stand."""
    content = message.get("content")
    if isinstance(content, list):
        parts = [
            {**part, "text": _raw(part["text"], literal)} if "text" in part else part
            for part in content
        ]
        return {**message, "content": parts}
    return {**message, "content": _raw(content, literal)} if isinstance(content, str) else message


def _raw(text: str, literal: frozenset[str]) -> str:
    is_marked = text in literal and ("{{" in text or "{%" in text)
    return f"{{% raw %}}{text}{{% endraw %}}" if is_marked else text


def _grid(grid: Mapping[str, Sequence[Any]]) -> Any:
    """Give a grid as lists; as its points where a name is left out in some of them."""
    if not any(value is UNSET for values in grid.values() for value in values):
        return {name: [*values] for name, values in grid.items()}
    points = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
    return [{n: value for n, value in point.items() if value is not UNSET} for point in points]
