"""The arguments of a call as a draft, and the signature that the declarations imply."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Mapping
from typing import Any

import msgspec

from nbchat.api.params import ChatParams
from nbchat.errors import CheckError
from nbchat.options import OPTIONS
from nbchat.request.draft import Draft

_ATTACHED = ("images", "audio_in", "files")
_SERVER = 'profile="https://…/v1" names a server, and so does a Profile with its base_url'
_KEY = (
    "keys come from the environment or a .env file, and Profile(…, key=…) takes one; profile=… "
    "says which server is meant"
)
#: arguments of other packages' functions, and what stands in their place here
_OF_OTHERS = {
    "base_url": _SERVER,
    "api_base": _SERVER,
    "url": _SERVER,
    "host": _SERVER,
    "endpoint": _SERVER,
    "client": "profile=… says where to send it: a name, a base URL or a Profile",
    "provider": "profile=… says where to send it: a name, a base URL or a Profile",
    "api_key": _KEY,
    "key": _KEY,
    "token": _KEY,
}


def draft_of_arguments(
    prompt: Any, messages: Any, arguments: Mapping[str, Any], *, by: str = "chat"
) -> Draft:
    """Give the draft of what `nbchat.chat` and its like were called with.

    `prompt` is a text, a message or a list of messages, `messages` the same by the API's name.
    `by` names the function. Raise CheckError where neither or both are given; nothing else is
    checked.
    """
    _refuse_arguments_of_others(arguments, by)
    declared = OPTIONS()
    options = {
        name: value
        for name, value in arguments.items()
        if name in declared and not declared[name].no_argument and value is not None
    }
    fields = {name: value for name, value in arguments.items() if name not in options}
    for name in declared:  # None leaves an option out, where it would be null in a field
        if name in fields and fields[name] is None:
            del fields[name]
    extra = fields.pop("extra", None)
    has_media = any(options.get(name) is not None for name in _ATTACHED)
    if prompt is None and messages is None and not has_media:
        raise CheckError(f"{by}() needs a prompt, or messages=[…].", field="messages")
    if prompt is not None and messages is not None:
        raise CheckError(f"{by}() takes a prompt or messages=[…], not both.", field="messages")
    _refuse_what_is_no_prompt(messages if prompt is None else prompt, by)
    return Draft(
        messages=as_messages(messages if prompt is None else prompt),
        fields={name: value for name, value in fields.items() if value is not msgspec.UNSET},
        extra={} if extra is None else extra,
        **options,
    )


def _refuse_arguments_of_others(arguments: Mapping[str, Any], by: str) -> None:
    for name in arguments:
        if name in _OF_OTHERS:
            raise CheckError(
                f"{by}() has no argument {name}: {_OF_OTHERS[name]}.", field=name, rule=name
            )


def _refuse_what_is_no_prompt(prompt: Any, by: str) -> None:
    """Say what to do with a table, a row or a run, which are no messages."""
    kind = type(prompt)
    is_row = isinstance(prompt, tuple) and hasattr(kind, "_fields")  # as itertuples gives it
    if hasattr(kind, "iloc") or is_row:
        what = (
            "In a cell {{ name }} puts it into the prompt as a table (%%chat); here "
            "name.to_markdown() or name.to_csv() is its text, and messages=[…] takes messages."
        )
    elif hasattr(kind, "from_completion"):
        what = (
            "chat(run.text) sends its text, messages=[*run.messages, run.message, …] goes on from "
            "it, and messages=run.messages asks the same again."
        )
    else:
        return
    raise CheckError(
        f"{by}() takes a text or messages, not a {kind.__name__}. {what}", field="messages"
    )


def as_messages(prompt: Any) -> Any:
    """Read a text or a message as a list of messages; all else is for the check to refuse."""
    if prompt is None:
        return []
    if isinstance(prompt, str):
        return [{"role": "user", "content": prompt}]
    return [prompt] if isinstance(prompt, Mapping) else prompt


def with_fields(function: Any, *, more: Mapping[str, Any] | None = None) -> None:
    """Give a function the signature and the docstring that the declarations imply.

    `more` are arguments of its own, with their defaults. In its docstring the line ``{options}``
    becomes the list of nbchat's own options.
    """
    parameter = inspect.Parameter
    options = [option for option in OPTIONS().values() if not option.no_argument]
    declared = [
        parameter(name, parameter.KEYWORD_ONLY, default=msgspec.UNSET)
        for name in ChatParams.__struct_fields__
        if name != "extra"
    ]
    defaults = {"messages": None, **{option.name: None for option in options}, **(more or {})}
    signature = inspect.signature(function)
    prompt = signature.parameters["prompt"]
    function.__signature__ = signature.replace(
        parameters=[
            prompt,
            *(parameter(name, parameter.KEYWORD_ONLY, default=defaults[name]) for name in defaults),
            *declared,
            parameter("extra", parameter.KEYWORD_ONLY, default=None),
        ]
    )
    lines = [
        textwrap.fill(
            f"- `{option.name}`: {option.about}",
            92,
            subsequent_indent="  ",
            break_on_hyphens=False,
            break_long_words=False,
        )
        for option in options
    ]
    # Python 3.13 takes the indentation out of docstrings, and those before it do not
    text = inspect.cleandoc(function.__doc__ or "")
    function.__doc__ = text.replace("{options}", "\n".join(lines))
