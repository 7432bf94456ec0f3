"""A request as a ``%%chat`` cell, and a cell as a request."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import msgspec

from nbchat.api.fields import FIELDS
from nbchat.client.presets import LOCAL, PRESETS
from nbchat.client.profiles import Profile
from nbchat.code import template
from nbchat.code.as_draft import draft_of
from nbchat.code.flags import read_line
from nbchat.code.inline_data import base64_in
from nbchat.code.key_guard import names_key, without_key_flags
from nbchat.code.line_draft import draft_of_line
from nbchat.code.media_flags import media_of
from nbchat.code.python_names import names_in
from nbchat.errors import MagicUsageError, NbchatError
from nbchat.options import OPTIONS
from nbchat.request.describe import as_data, attached
from nbchat.request.draft import Draft, copied

_CELL = re.compile(r"\s*(%%?)(?:nb)?chat(?=\s|\Z)[^\S\n]*")
_BARE = re.compile(r"[\w./:@%+,][\w./:@%+,-]*", re.ASCII)
# what an editor, a shell or `splitlines` may take for a line end, or not show at all
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
_TEMPLATE = re.compile(r"\{\{|\{%")


def as_cell(draft: Draft | Any, *, is_template: bool = False) -> str:
    """Give the ``%%chat`` cell that sends exactly this request, right or wrong.

    A last user message of text is the body, with what is attached to it from files, addresses
    or variables as ``--image`` and the like; a system message of one line is ``--system``.
    What else was said goes to ``--messages``, and a field whose value no flag can carry to
    ``--params``. Defaults that ``%config NbChat`` sets are the notebook's, and are sent too.
    A `Profile` is named by its name or its address, the first one of several, and a model of its
    own goes to ``--model``. `draft` can be anything that `draft_of` takes; with `is_template` its
    ``{{ … }}`` is filled in where the cell runs.
    """
    draft = _with_named_profile(draft_of(draft))
    names = names_in(draft.fields)
    draft = as_data(draft)
    system, messages, prompt, media = _apart(draft.messages)
    words = [*_options(draft, system), *_named(names), *_fields(draft, names), *media]
    if messages:
        words += ["--messages", _json(messages)]
    if not is_template and any(_TEMPLATE.search(text) for text in (prompt, *words)):
        words.insert(0, "--raw")
    line = " ".join(["%%chat", "--stateless", *words])
    return f"{line}\n{prompt}" + "\n" * prompt.endswith("\n")


def _with_named_profile(draft: Draft) -> Draft:
    """Give a draft whose profile is a text, which is all that a flag can say of it."""
    profile: Any = draft.profile
    if not isinstance(profile, Profile):
        return draft
    fields = draft.fields
    if profile.model and "model" not in fields and profile.name != LOCAL:
        fields = {"model": profile.model, **fields}
    preset = PRESETS.get(profile.name)
    is_preset = preset is not None and preset.base_url == profile.base_url
    named = profile.name if is_preset or profile.name == LOCAL else profile.base_url
    return msgspec.structs.replace(draft, profile=named, fields=fields)


def is_cell(text: str) -> bool:
    """Tell whether a text is that of a cell of ours."""
    return _CELL.match(text) is not None


def read_cell(text: str, variables: Mapping[str, Any] | None = None) -> Draft:
    """Give the draft of what a ``%%chat`` or ``%chat`` cell asks for, unchecked.

    Templates and names are looked up in `variables`. A system message and what is attached stand
    among the messages; the conversation that the cell goes on with is no part of it. Raise
    MagicUsageError or TemplateError where the cell cannot be read.
    """
    match = _CELL.match(text)
    if match is None:
        raise MagicUsageError("A cell to read begins with %%chat or %chat.")
    known = variables or {}
    is_line = match[1] == "%"
    line, _, body = text[match.end() :].partition("\n")
    if is_line and body.strip():
        raise MagicUsageError("Besides a line of %chat there is more in this cell.")
    flags = read_line(line.rstrip(), takes_text=is_line)
    fill = str if flags.is_set("raw") else partial(template.fill, variables=known)
    draft = draft_of_line(flags, flags.text if is_line else body, known, fill)
    return copied(attached(msgspec.structs.replace(draft, thread=None, fork=False)))


def _apart(
    messages: list[dict[str, Any]],
) -> tuple[str | None, list[dict[str, Any]], str, list[str]]:
    """Give what ``--system``, ``--messages``, the body and its attachments can say of them."""
    last = _prompt(messages[-1], is_first=len(messages) == 1) if messages else None
    prompt, attached = last or ("", [])
    rest = messages if last is None else messages[:-1]
    # a system message alone is nothing to send for a magic
    system = _text(rest[0], "system") if rest and (last or rest[1:]) else None
    if system is None or not _fits(system):
        return None, rest, prompt, attached
    return system, rest[1:], prompt, attached


def _prompt(message: Mapping[str, Any], *, is_first: bool) -> tuple[str, list[str]] | None:
    """Give the body and the flags that make a message again; None where there are none."""
    prompt = _text(message, "user")
    if prompt is not None:
        return (prompt, []) if prompt.strip() and not _UNSAFE.search(prompt) else None
    media = media_of(message)
    if media is None or not (media[0].strip() or is_first) or _UNSAFE.search(media[0]):
        return None
    prompt, named = media
    words = [word for flag, text in named for word in (f"--{flag}", _word(text))]
    return (prompt, words) if _makes(words, prompt, message) else None


def _makes(words: list[str], prompt: str, message: Mapping[str, Any]) -> bool:
    """Tell whether a magic would attach the very same; what is in a variable is not known here."""
    line = " ".join([*words, "--fork"])
    if any(data.path is None for data in base64_in(message)):
        return _fits(line)
    try:
        flags = read_line(line, takes_text=False)
        made = attached(draft_of_line(flags, f"{prompt}\n", {}, str)).messages
    except (NbchatError, ValueError):
        return False
    return _fits(line) and flags.is_set("fork") and made == [message]


def _text(message: Mapping[str, Any], role: str) -> str | None:
    """Give the content of a message that is no more than the text of this role."""
    is_plain = message.keys() == {"role", "content"} and message["role"] == role
    content = message["content"] if is_plain else None
    return content if isinstance(content, str) else None


def _options(draft: Draft, system: str | None) -> Iterator[str]:
    """Give the flags of nbchat's own options."""
    for name, option in OPTIONS().items():
        value = system if name == "system" else getattr(draft, name)
        if not option.in_code or value is None or value is False:
            continue
        yield f"--{option.flag}"
        if option.takes != "nothing":
            yield _word(value if isinstance(value, str) else _json(value))


def _named(names: Mapping[str, list[str]]) -> Iterator[str]:
    """Give the flags that name functions and types of the notebook."""
    for name, each in names.items():
        flag = "--schema" if name == "response_format" else f"--{name}"
        yield from (flag, ",".join(each) if name != "response_format" else _word(each[0]))


def _fields(draft: Draft, names: Mapping[str, Any]) -> Iterator[str]:
    """Give the flags of the fields, and ``--params`` for those that no flag can carry."""
    left: dict[str, Any] = {}
    for name, value in draft.fields.items():
        if name in names:
            continue
        words = next((w for w in _spellings(name, value) if _means(w, name, value)), None)
        if words is None:
            left[name] = value
        else:
            yield from words
    extra: dict[str, Any] = {}
    for name, value in draft.extra.items():
        words = ["-p", f"{name}={_json(value)}"]
        if _means(words, name, value):
            yield from words
        else:
            extra[name] = value
    if extra:
        left["extra"] = extra
    if left:
        yield from ("--params", _json(left))


def _spellings(name: str, value: Any) -> Iterator[list[str]]:
    """Spell a field as a person would, and then as a person would who was misunderstood."""
    field = FIELDS().get(name)
    dashed = name.replace("_", "-")
    if field is None:
        return
    if field.kind == "boolean":
        yield [f"--no-{dashed}" if value is False else f"--{dashed}" + "=null" * (value is None)]
    elif isinstance(value, str):
        yield [f"--{dashed}", _word(value)]
        yield [f"--{dashed}", _word(_json(value))]
    elif isinstance(value, list) and all(entry in field.choices for entry in value):
        yield [f"--{dashed}", ",".join(value)]
        yield [f"--{dashed}", _json(value)]
    else:
        yield [f"--{dashed}", _json(value)]


def _fits(text: str) -> bool:
    """Tell whether a text can stand on a line, and is not refused there."""
    return not ("\n" in text or _UNSAFE.search(text) or names_key(text))


def _means(words: list[str], name: str, value: Any) -> bool:
    """Tell whether a magic would read these words as this very value of the field."""
    line = " ".join([*words, "--fork"])
    if not _fits(line):
        return False
    try:
        flags = read_line(line, takes_text=False)
        draft = copied(draft_of_line(flags, "", {}, str))
    except (NbchatError, ValueError):
        return False
    # a word that swallows what stands behind it is another one on a whole line
    return flags.is_set("fork") and _is_same({**draft.fields, **draft.extra}, {name: value})


def _is_same(one: Any, other: Any) -> bool:
    """Tell whether two values are one in JSON: true is not 1, and 1 is 1.0."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return [*one] == [*other] and all(_is_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_is_same, one, other))
    return bool(one == other)


def _word(text: str) -> str:
    """Spell a text as one word of the line."""
    if _BARE.fullmatch(text):
        return text
    if "'" not in text:
        return f"'{text}'"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _json(value: Any) -> str:
    """Give JSON on one line, whatever is taken for a line end as an escape."""
    text = without_key_flags(json.dumps(value, ensure_ascii=False))
    return _UNSAFE.sub(lambda match: json.dumps(match[0])[1:-1], text)
