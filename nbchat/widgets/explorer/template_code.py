"""A request with names in its texts, as code: the template stays one where the code can fill it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from nbchat.code import as_call, as_cell, as_curl, as_json, as_openai
from nbchat.code.inline_data import as_code
from nbchat.widgets.explorer import variables
from nbchat.widgets.explorer.notebook import notebook_variables

if TYPE_CHECKING:
    from nbchat.request.draft import Draft
    from nbchat.widgets.explorer.desk import Desk

#: forms that send what they show: there the names are filled in
_FILLED: Mapping[str, Callable[..., str]] = {
    "openai": as_openai,
    "curl": as_curl,
    "json": as_json,
}


def written(form: str, desk: Desk) -> str:
    """Give the request of a panel as code; of several lanes the first.

    Raise TemplateError or CheckError where it cannot be filled in.
    """
    notebook = notebook_variables()
    lanes = variables.lanes_of(desk.variables, desk.names, notebook).first
    values = lanes[0].values if lanes else {}
    if form == "call":
        known = {name: values.get(name, as_code(name)) for name in desk.names}
        return as_call(desk.draft, values=known, literal=desk.literal)
    templated = _with_values(desk.draft, values, desk.literal) if form == "cell" else None
    if templated is not None:
        return as_cell(templated, is_template=True)
    filled = variables.filled(desk.draft, {**notebook, **values}, desk.literal)
    return as_cell(filled) if form == "cell" else _FILLED[form](filled)


def _with_values(draft: Draft, values: Mapping[str, Any], literal: set[str]) -> Draft | None:
    """Give the request with its values set in the body; None where a body cannot say all of it.

    A cell fills each of its texts by itself, so that the body alone can hold a value.
    """
    *before, last = draft.messages
    text = last.get("content")
    others = variables.names_in(before)
    if not isinstance(text, str) or text in literal or others or last.get("role") != "user":
        return None
    names = variables.names_in([last])
    named = {name: value for name, value in values.items() if name in names}
    if not all(isinstance(value, (str, int, float)) for value in named.values()):
        return None
    head = "".join(f"{{% set {name} = {json.dumps(value)} %}}" for name, value in named.items())
    return msgspec.structs.replace(draft, messages=[*before, {**last, "content": head + text}])
