"""Whatever describes a request, as a draft."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from nbchat.api.fields import FIELDS
from nbchat.api.json_values import plain, shown
from nbchat.api.params import ChatParams
from nbchat.api.rules import unstreamable
from nbchat.client import presets
from nbchat.client.client import dressed
from nbchat.options import OPTIONS
from nbchat.request.describe import as_data
from nbchat.request.draft import Draft, value_copied
from nbchat.request.prepare import Prepared
from nbchat.run import Run
from nbchat.session import current_profile

if TYPE_CHECKING:
    from nbchat.client.profiles import Profile

#: what the client puts into a body by itself: it is no part of what was asked
_ADDED: Mapping[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}


def draft_of(source: Any = None, variables: Mapping[str, Any] | None = None) -> Draft:
    """Give the draft of something that is a request, or describes one.

    `source` is one of

    - None: an empty draft; a `Draft`: itself
    - a `Run`, or a request that was prepared: its messages, params and profile
    - `ChatParams`, or a mapping of fields: those, and no messages
    - a mapping with messages: the body of a request. ``stream`` and the option for usage,
      which nbchat adds to a body by itself, are left out
    - a list of messages
    - a text: that of a ``%%chat`` or ``%chat`` cell; a curl command, JSON or a call in Python
      (`nbchat.code.pasted`); else what the user says

    `variables` are those of the notebook, for what a cell or a call names. A name that is no
    declared field goes to `extra`.

    Raise MagicUsageError or TemplateError where a cell cannot be read, CheckError where a
    request that was copied from elsewhere cannot, NotJsonError (a ValueError) for values that
    JSON does not know, TypeError for any other source.
    """
    if source is None:
        return Draft()
    if isinstance(source, Draft):
        return source
    if isinstance(source, Run):
        profile = _name(source.profile, source.base_url) if source.profile else None
        return _of_params(source.params, source.messages, profile, source.options)
    if isinstance(source, Prepared):
        profile = _name(source.profile.name, source.profile.base_url)
        return _of_params(source.params, source.messages, profile)
    if isinstance(source, ChatParams):
        return _of_params(source, [])
    if isinstance(source, str):
        return _of_text(source, variables)
    if isinstance(source, Mapping):
        return _of_mapping(source)
    if isinstance(source, Sequence) and not isinstance(source, (bytes, bytearray, memoryview)):
        return Draft(messages=_listed(plain(source, "messages")))
    raise TypeError(
        f"a draft is made of a run, params, a request's body or the text of a cell, not of "
        f"{type(source).__name__}"
    )


def _of_params(
    params: ChatParams,
    messages: list[dict[str, Any]],
    profile: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> Draft:
    return Draft(
        messages=plain(messages, "messages"),
        fields=params.given(),
        extra=plain(params.extra, "extra"),
        **{**(options or {}), "profile": profile},
    )


def _name(name: str, base_url: str) -> str:
    """Give what a profile can be asked for by: its own name where nbchat has it, else its URL."""
    return name if name in presets.names() else base_url


def _of_text(text: str, variables: Mapping[str, Any] | None) -> Draft:
    from nbchat.code.cell import is_cell, read_cell

    if is_cell(text):
        return read_cell(text, variables)
    from nbchat.code.pasted import read_pasted

    pasted = read_pasted(text, variables)
    if pasted is not None:
        return pasted
    return Draft(messages=[{"role": "user", "content": text}])


def _of_mapping(mapping: Mapping[str, Any]) -> Draft:
    fields: dict[str, Any] = {
        name: value for name, value in mapping.items() if value is not msgspec.UNSET
    }
    options = {
        name: fields.pop(name)
        for name, option in OPTIONS().items()
        if name in fields and not option.no_argument
    }
    extra = plain(fields.pop("extra", None) or {}, "extra")
    if "messages" in fields:
        messages = plain(fields.pop("messages"), "messages")
        fields = {n: v for n, v in fields.items() if n not in _ADDED or v != _ADDED[n]}
    else:
        messages = []
    messages = _listed(messages)
    values: dict[str, Any] = {name: value_copied(value, name) for name, value in fields.items()}
    return Draft(
        messages=messages,
        fields={name: value for name, value in values.items() if name in FIELDS()},
        extra={**{n: v for n, v in values.items() if n not in FIELDS()}, **extra},
        **options,
    )


def _listed(messages: Any) -> list[dict[str, Any]]:
    """Give messages as a list, right or wrong. Raise TypeError where they are none."""
    if isinstance(messages, str):
        return [{"role": "user", "content": messages}]
    if not isinstance(messages, list):
        raise TypeError(f"messages is {shown(messages)}, but it must be a list of messages.")
    for place, message in enumerate(messages):
        if not isinstance(message, dict):
            raise TypeError(
                f"messages[{place}] is {shown(message)}, but it must be a mapping with a role."
            )
    return messages


def body_of(draft: Draft, profile: Profile | None = None) -> dict[str, Any]:
    """Give the body that a draft would be sent as, checked or not.

    `profile` stands in the place of the draft's own. Raise ProfileError where that one is
    not known, CheckError for a function or type that cannot be described.
    """
    target = profile_of(draft) if profile is None else profile
    draft = as_data(draft)
    fields = dict(draft.fields)
    model = {"model": fields.pop("model")} if "model" in fields else {}
    body = model | {"messages": draft.messages} | fields | draft.extra
    return dressed(
        target, body, streams=fields.get("stream") is not False and unstreamable(fields) is None
    )


def profile_of(draft: Draft) -> Profile:
    """Give the profile that a draft would be sent to. Raise ProfileError where it is unknown."""
    return current_profile(draft.profile)
