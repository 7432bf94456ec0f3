"""A request as a call of `nbchat.chat`."""

from __future__ import annotations

import pprint
from collections.abc import Collection, Mapping
from typing import Any

from nbchat.client.profiles import Profile
from nbchat.code.as_draft import draft_of
from nbchat.code.inline_data import as_arguments, as_code, with_calls
from nbchat.code.python_names import names_in
from nbchat.options import OPTIONS
from nbchat.request.describe import as_data
from nbchat.request.draft import Draft

_WIDTH = 88
_TEXTS = ("content", "text")


def as_call(
    draft: Draft | Any,
    *,
    values: Mapping[str, Any] | None = None,
    literal: Collection[str] = (),
) -> str:
    """Give Python that sends the request and names its run ``run``.

    `draft` can be anything that `draft_of` takes. With `values` its texts are templates, but for
    `literal`, and these are what their names stand for (`as_code` for the notebook's own).
    """
    draft = draft_of(draft)
    names = names_in(draft.fields)
    draft = as_data(draft)
    messages = _messages(draft.messages)
    if values is not None:
        messages = _with_fill(messages, frozenset(literal))
    arguments = {**messages, **draft.fields}
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
    if isinstance(draft.profile, Profile):
        arguments["profile"] = as_code(_profile(draft.profile))
    if callable(draft.confirm):
        arguments["confirm"] = as_code(names_in({"tools": draft.confirm}).get("tools", ["True"])[0])
    lines = [f"    {argument(name, value)}," for name, value in arguments.items()]
    head = ["import nbchat", ""]
    if values is not None:
        head = ["import nbchat", "from nbchat.code.template import fill", ""]
        head += [argument("values", dict(values)).replace("=", " = ", 1)]
    return "\n".join([*head, "run = nbchat.chat(", *lines, ")"])


def _profile(profile: Profile) -> str:
    """Give what makes a profile; its key, which stands in no code, is not among it."""
    addresses = list(profile.base_urls)
    facts: dict[str, Any] = {"base_urls": addresses} if addresses else {}
    facts |= {} if addresses else {"base_url": profile.base_url}
    facts |= {"model": profile.model} if profile.model else {}
    bare = Profile(**facts)
    facts = facts if bare.name == profile.name else {"name": profile.name, **facts}
    return f"nbchat.Profile({', '.join(f'{name}={value!r}' for name, value in facts.items())})"


def _with_fill(value: Any, literal: frozenset[str], *, is_text: bool = True) -> Any:
    """Give what is said with calls that fill in the templates among its texts."""
    if isinstance(value, str):
        is_template = is_text and value not in literal and ("{{" in value or "{%" in value)
        return as_code(f"fill({value!r}, values)") if is_template else value
    if isinstance(value, dict):
        return {
            key: _with_fill(entry, literal, is_text=key in ("", "system", "messages", *_TEXTS))
            for key, entry in value.items()
        }
    return [_with_fill(one, literal) for one in value] if isinstance(value, list) else value


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


def argument(name: str, value: Any) -> str:
    """Give an argument of a call, a name and a value or a value alone, on lines of its own."""
    head = f"{name}=" if name else ""
    # a line end inside a text is written as an escape, so those left are between the parts
    lines = pprint.pformat(value, width=_WIDTH - len(head), sort_dicts=False).split("\n")
    return head + ("\n" + " " * (len(head) + 4)).join(lines)
