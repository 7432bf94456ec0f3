"""The line and the text of a magic as a draft."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nbchat.api.check import read_text
from nbchat.code.flags import Flags
from nbchat.errors import MagicUsageError
from nbchat.options import OPTIONS
from nbchat.request.draft import Draft
from nbchat.request.logit_bias import as_mapping

Fill = Callable[[str], str]


def draft_of_line(
    flags: Flags,
    text: str,
    variables: Mapping[str, Any],
    fill: Fill,
    defaults: Draft | None = None,
) -> Draft:
    """Give the draft of what a magic asks for, unchecked.

    `text` is what stands below the line, or behind its flags. Names and templates are looked up
    in `variables` and filled in by `fill`; what the line does not set is that of `defaults`.
    Raise MagicUsageError or TemplateError where the line cannot be read.
    """
    if fill is not str:
        flags.refuse_other_templates(variables)
    base = Draft() if defaults is None else defaults
    fields_set, extra = _fields(flags, variables, fill)
    extra = {**base.extra, **extra}
    fields = {n: v for n, v in base.fields.items() if n not in extra} | fields_set
    if flags.is_set("schema") or flags.is_set("no-strict"):
        from nbchat.code.schema_flag import structure_named

        fields["response_format"] = structure_named(flags, variables, fill)
    options = {name: getattr(base, name) for name in OPTIONS()}
    options |= _options(flags, variables, fill)
    if flags.is_set("stateless"):
        if flags.is_set("thread") or flags.is_set("fork"):
            raise MagicUsageError("--stateless has no conversation: leave --thread and --fork out.")
        options["thread"] = None
    return Draft(
        messages=_messages(flags, text, variables, fill), fields=fields, extra=extra, **options
    )


def _messages(
    flags: Flags, text: str, variables: Mapping[str, Any], fill: Fill
) -> list[dict[str, Any]]:
    """Give the messages of ``--messages`` and, where there is one, the prompt after them.

    The line end that every cell has is no part of the prompt.
    """
    before = flags.messages(variables, fill)
    prompt = fill(text.removesuffix("\n"))
    return [*before, {"role": "user", "content": prompt}] if prompt.strip() else before


def _options(flags: Flags, variables: Mapping[str, Any], fill: Fill) -> dict[str, Any]:
    """Give the options that stand on the line."""
    values: dict[str, Any] = {}
    for name, option in OPTIONS().items():
        if not flags.is_set(option.flag):
            continue
        if option.takes == "media":
            from nbchat.code.media_flags import media_named

            values[name] = media_named(option.flag, flags.each(option.flag, fill), variables)
        else:
            values[name] = _READ[option.takes](flags, option.flag, fill)
    return values


_READ: Mapping[str, Callable[[Flags, str, Fill], Any]] = {
    "nothing": lambda _flags, _flag, _fill: True,
    "text": lambda flags, flag, fill: flags.one(flag, fill),
    "seconds": lambda flags, flag, fill: flags.seconds(flag, fill),
    "count": lambda flags, flag, fill: flags.count(flag, fill),
}


def _fields(
    flags: Flags, variables: Mapping[str, Any], fill: Fill
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give the declared fields that are asked for, and those of `extra`.

    A flag goes before what ``--params`` has of the same name.
    """
    values, more = flags.params(variables, fill)
    texts = flags.fields(variables, fill)
    read = {name: _read(name, value) for name, value in texts.items()}
    return {**values, **read}, {**more, **flags.unchecked(fill)}


def _read(name: str, value: Any) -> Any:
    bias = as_mapping(value) if name == "logit_bias" else None
    return read_text(name, value if bias is None else bias)
