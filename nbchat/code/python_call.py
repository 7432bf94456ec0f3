"""A request as a call of `nbchat.chat`."""

from __future__ import annotations

import pprint
from typing import Any

from nbchat.code.as_draft import draft_of
from nbchat.code.inline_data import as_arguments, as_code, with_calls
from nbchat.code.python_names import names_in
from nbchat.options import OPTIONS
from nbchat.request.describe import as_data
from nbchat.request.draft import Draft

_WIDTH = 88


def as_call(draft: Draft | Any) -> str:
    """Give Python that sends the request and names its run ``run``.

    `draft` can be anything that `draft_of` takes.
    """
    draft = draft_of(draft)
    names = names_in(draft.fields)
    draft = as_data(draft)
    arguments = {**_messages(draft.messages), **draft.fields}
    for name, each in names.items():
        text = ", ".join(each)
        arguments[name] = as_code(text if name == "response_format" else f"[{text}]")
    if draft.extra:
        arguments["extra"] = draft.extra
    arguments |= {
        name: value
        for name, option in OPTIONS().items()
        if option.in_code and not option.no_argument and (value := getattr(draft, name)) is not None
    }
    if callable(draft.confirm):
        arguments["confirm"] = as_code(names_in({"tools": draft.confirm}).get("tools", ["True"])[0])
    lines = [f"    {_argument(name, value)}," for name, value in arguments.items()]
    return "\n".join(["import nbchat", "", "run = nbchat.chat(", *lines, ")"])


def _messages(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """Give what the user says as the prompt, where there is no more than that and a system."""
    *before, last = messages or [{}]
    system = before[0] if len(before) == 1 else {}
    prompt = _prompt(last)
    if prompt is None or (before and not _is_text_of("system", system)):
        return {"messages": with_calls(messages)}
    return {**prompt, **({"system": system["content"]} if before else {})}


def _prompt(message: dict[str, Any]) -> dict[str, Any] | None:
    """Give what the user says, and what is attached to it, as arguments; None where none fit."""
    if _is_text_of("user", message):
        return {"": message["content"]}
    is_plain = message.keys() == {"role", "content"} and message["role"] == "user"
    return as_arguments(message) if is_plain else None


def _is_text_of(role: str, message: dict[str, Any]) -> bool:
    is_plain = message.keys() == {"role", "content"} and message["role"] == role
    return is_plain and isinstance(message["content"], str)


def _argument(name: str, value: Any) -> str:
    head = f"{name}=" if name else ""
    # a line end inside a text is written as an escape, so those left are between the parts
    lines = pprint.pformat(value, width=_WIDTH - len(head), sort_dicts=False).split("\n")
    return head + ("\n" + " " * (len(head) + 4)).join(lines)
