"""The draft as the page shows it, and the page's changes as the next draft."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from nbchat.api.check import is_credential
from nbchat.api.fields import FIELDS
from nbchat.code import Draft, implied, problems, refusals
from nbchat.code.as_draft import profile_of
from nbchat.errors import CheckError, NbchatError
from nbchat.options import OPTIONS
from nbchat.request.describe import describe
from nbchat.request.draft import is_json
from nbchat.session import current_profile
from nbchat.widgets.explorer.attached import Attachments

if TYPE_CHECKING:
    from nbchat.tools import Tool

_WHOLE = re.compile(r"[-+]?\d+")
_A_MESSAGE = re.compile(r"messages\[(\d+)\](\.?)")
#: the greatest whole number that JavaScript holds exactly
_MOST_EXACT = 2**53 - 1
NO_PROMPT = "Write a message first."
_BLANK = {"role": "user", "content": ""}


def form_of(
    draft: Draft, model: str | None, attachments: Attachments | None = None
) -> dict[str, Any]:
    """Give a draft as JSON for the page, with what is wrong with it.

    `model` answers where the draft names none. `problems` maps a field to its first sentence;
    what belongs to no control stands under extra.
    """
    attachments = attachments or Attachments()
    sentences: dict[str, str] = {}
    for problem in problems(draft, model) if draft.messages else _but_messages(draft, model):
        has_place = problem.field in {*FIELDS(), *panel_options(), "messages", "profile"}
        sentences.setdefault(problem.field if has_place else "extra", counted(problem.sentence))
    return {
        "profile": draft.profile,
        "messages": attachments.for_page(draft.messages) or [_BLANK],
        "attachments": attachments.facts(draft.messages),
        "fields": {name: _exact(value) for name, value in shown_fields(draft).items()},
        "extra": draft.extra,
        "problems": sentences,
        "refusals": refusals(draft, model),
        "model": model,
        "in_force": _in_force(),
    }


def counted(sentence: str) -> str:
    """Give a sentence that counts messages as the page does: from 1."""
    return _A_MESSAGE.sub(lambda match: f"message {int(match[1]) + 1}{match[2] and ': '}", sentence)


def _but_messages(draft: Draft, model: str | None) -> list[Any]:
    return [problem for problem in problems(draft, model) if problem.field != "messages"]


def default_model(draft: Draft, profiles: Mapping[str, Any]) -> str | None:
    """Give the model that answers where the draft names none, None where that is not known."""
    profile = profiles.get(draft.profile or "")
    if profile is not None:
        model: str | None = profile.model
        return model
    try:
        return profile_of(draft).model
    except NbchatError:
        return None


def _in_force() -> str:
    try:
        return current_profile().name
    except NbchatError:
        return ""


def is_empty(draft: Draft) -> bool:
    """Tell whether nobody has said anything yet."""
    return not any(_says_something(message) for message in draft.messages)


def _says_something(message: Any) -> bool:
    if not isinstance(message, dict):
        return True
    return message.get("content") != "" or len(message.keys() - {"role", "content"}) > 0


def edited(
    draft: Draft, change: Mapping[str, Any], variables: Mapping[str, Any] | None = None
) -> tuple[Draft, str]:
    """Give the draft after a change of the page, and what followed from it, in words.

    `change` has `fields` (set; nbchat's own options among them), `unset` (names), and of
    `messages`, `extra` and `profile` those that have changed. What a field implies acts at once
    (`nbchat.code.implied`). `variables` are those of the notebook, for functions by name.
    """
    changed = {name: _typed(name, value) for name, value in (change.get("fields") or {}).items()}
    gone = [*(change.get("unset") or ())]
    options = panel_options()
    fields_set = {
        name: meant(name, value, draft, variables or {})
        for name, value in changed.items()
        if name not in options
    }
    fields = {**draft.fields, **fields_set}
    fields = {name: value for name, value in fields.items() if name not in gone}
    notes = []
    for name in [*fields_set, *(name for name in gone if name not in options)]:
        fields, note = implied(fields, name)
        notes += [note] if note else []
    parts: dict[str, Any] = {name: change[name] for name in ("messages", "extra") if name in change}
    if "profile" in change:
        parts["profile"] = change["profile"] or None
    parts |= {name: value for name, value in changed.items() if name in options}
    parts |= {name: None for name in gone if name in options}
    following = msgspec.structs.replace(draft, fields=fields, **parts)
    refusal = key_in(following)
    if refusal:
        extra = {name: value for name, value in following.extra.items() if not is_credential(name)}
        following = msgspec.structs.replace(following, extra=extra)
        notes.append(refusal)
    return following, " ".join(notes)


def panel_options() -> list[str]:
    """Give the names of nbchat's own options that have a control."""
    return [name for name, option in OPTIONS().items() if not option.no_control]


def shown_fields(draft: Draft) -> dict[str, Any]:
    """Give what the controls show: the fields as data, and the options that are set."""
    options = {name: getattr(draft, name) for name in panel_options()}
    options = {name: value for name, value in options.items() if value is not None}
    if callable(options.get("confirm")):
        options["confirm"] = True
    try:
        fields = describe(draft).fields
    except CheckError:
        fields = {name: value for name, value in draft.fields.items() if is_json(value)}
    return {**fields, **options}


def described_fields(draft: Draft) -> dict[str, Any]:
    """Give the fields of a draft as data, without nbchat's own options."""
    return {name: v for name, v in shown_fields(draft).items() if name not in panel_options()}


def functions_of(draft: Draft) -> dict[str, Tool]:
    """Give the functions among a draft's tools that can run, by name."""
    try:
        return describe(draft).functions
    except CheckError:
        return {}


def meant(name: str, value: Any, draft: Draft, variables: Mapping[str, Any]) -> Any:
    """Give what a page means by the value of a field: functions and types by their JSON or name.

    A page knows a function as its schema. One that is still there, letter for letter, is the
    function; a text among the tools names one of `variables`, and so does one as a type.
    """
    before = draft.fields.get(name)
    if name in ("tools", "functions") and isinstance(value, list):
        known = [one for one in before if not is_json(one)] if isinstance(before, list) else []
        data = [_described(name, [one])[0] for one in known]
        by_key = dict(zip(map(_key, data), known, strict=True))
        return [_function(entry, by_key, variables) for entry in value]
    if name == "response_format":
        if before is not None and not is_json(before) and _described(name, before) == value:
            return before
        named = variables.get(value) if isinstance(value, str) else None
        return value if named is None else named
    return value


def _function(entry: Any, known: Mapping[str, Any], variables: Mapping[str, Any]) -> Any:
    named = variables.get(entry) if isinstance(entry, str) else None
    return named if callable(named) else known.get(_key(entry), entry)


def _described(name: str, value: Any) -> Any:
    return describe(Draft(fields={name: value})).fields[name]


def _key(value: Any) -> str:
    return msgspec.json.encode(value, order="sorted").decode()


def key_in(draft: Draft) -> str:
    """Say why a draft may not hold the key that it holds; empty where it has none."""
    names = [name for name in draft.extra if is_credential(name)]
    sentences = [problem.sentence for problem in problems(draft) if problem.field in names]
    return sentences[0] if sentences else ""


def refuse_credentials(draft: Draft) -> None:
    """Raise CheckError for a field that is a key: it would be in the notebook."""
    sentence = key_in(draft)
    if sentence:
        raise CheckError(sentence)


def _typed(name: str, value: Any) -> Any:
    """Read a whole number that JavaScript could not hold, and so left as text."""
    field = FIELDS().get(name)
    is_number = field is not None and field.kind in ("integer", "number")
    return int(value) if is_number and isinstance(value, str) and _WHOLE.fullmatch(value) else value


def _exact(value: Any) -> Any:
    is_beyond = type(value) is int and abs(value) > _MOST_EXACT
    return str(value) if is_beyond else value
