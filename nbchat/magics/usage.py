"""The help of ``%%chat?``, made from the declaration of the request."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from nbchat.api.fields import FIELDS, Field
from nbchat.code.flags import OPTION_FLAGS, OwnFlag

_WIDTH = 88
_HEAD = """\
Ask a chat model, and show its reply while it comes.

    %%chat --temperature 0.2 -o run
    Why is the sky {{ colour }}?

    %chat Why is the sky blue?
    run = %chat Why is the sky blue?

    %chat explore             opens the explorer
    %chat models              names the models of the server (%chat models openai)
    %chat threads             lists the conversations
    %chat reset               begins the conversation anew (%chat reset NAME)
    %chat history Paris       finds earlier runs by their words; without any, the latest
    %chat show 01a227bc9638   shows the run of an id

{{ name }} is filled in from the notebook's variables; a DataFrame becomes a table. All
other text is sent as it stands, and with --raw all text is. The reply stays in the
conversation of the notebook: running the cell again replaces it. %config NbChat.NAME = …
sets a default for a field. Keys come from the environment or a .env file, never from
here. On a line of %chat the flags stand first, and -- ends them. The words of a command
stand alone: %chat -- models asks the model.
"""


def usage() -> str:
    """Give the text of the help."""
    sections = [_HEAD, "Flags of nbchat", *(_flag_text(flag) for flag in OPTION_FLAGS.values())]
    sections.append("\nFields of the request, sent as they are given (null sends null)")
    for group, fields in _groups():
        sections += [f"\n  {group}", *(_declared(field) for field in fields)]
    return "\n".join(sections) + "\n"


def _groups() -> Iterator[tuple[str, list[Field]]]:
    fields = list(FIELDS().values())
    for group in dict.fromkeys(field.group for field in fields):
        yield group, [field for field in fields if field.group == group]


def _flag_text(flag: OwnFlag) -> str:
    long = "" if flag.takes == "pair" else f"--{flag.name}"
    spellings = ", ".join(part for part in (f"-{flag.short}" if flag.short else "", long) if part)
    return _entry(f"{spellings} {flag.shown}".rstrip(), flag.description)


def _declared(field: Field) -> str:
    dashed = field.name.replace("_", "-")
    if field.kind == "boolean":
        head = f"--{dashed}, --no-{dashed}"
    else:
        head = f"--{dashed} {_placeholder(field)}"
    facts = [field.description]
    if field.kind != "boolean":
        facts.append(f"{field.type_text[0].upper()}{field.type_text[1:]}.")
    if field.default_text:
        facts.append(f"Default {field.default_text}.")
    if field.deprecated:
        successor = field.successor
        facts.append(f"Deprecated: use {successor}." if successor else "Deprecated.")
    return _entry(head, " ".join(facts))


def _placeholder(field: Field) -> str:
    if {"string", "list"} <= set(field.kinds):
        return "TEXT …"
    if field.name == "prediction":
        return "VAR_OR_TEXT"
    placeholders = {
        "number": "NUMBER",
        "integer": "NUMBER",
        "string": "TEXT",
        "choice": "WORD",
        "mapping": "VAR_OR_JSON, or KEY=VALUE …",
        "object": "VAR_OR_JSON",
        "any": "WORD_OR_JSON",
    }
    if field.kind == "list":
        return "A,B" if field.choices else "VAR_OR_JSON"
    return placeholders[field.kind]


def _entry(head: str, text: str) -> str:
    indent = " " * 8
    body = textwrap.wrap(
        text, _WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )
    return "\n".join([f"    {head}", *body])
