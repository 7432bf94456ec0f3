"""A request that is being put together: what was set so far, right or wrong."""

from __future__ import annotations

from typing import Any

import msgspec

from nbchat.api.json_values import plain
from nbchat.options import Options


class Draft(Options, frozen=True, kw_only=True, repr_omit_defaults=True):
    """A request that is being put together. Nothing in it is checked: see `nbchat.code.problems`.

    - `messages`: list of dict, as the reference has them
    - `fields`: the declared fields that are set; None is null, and a field that is not there is
      unset. Values are as JSON would have them, or what `prepare` makes that of: functions in
      `tools`, a type as `response_format`, a text as `prediction`, texts in `logit_bias`, "all"
      as `top_logprobs`
    - `extra`: fields that the reference does not have, or declared ones to be sent unchecked
    - every option of nbchat's own (`nbchat.options.Options`): `profile`, `system`, `timeout`, …
    """

    messages: list[dict[str, Any]] = msgspec.field(default_factory=list)
    fields: dict[str, Any] = msgspec.field(default_factory=dict)
    extra: dict[str, Any] = msgspec.field(default_factory=dict)


def copied(draft: Draft) -> Draft:
    """Give a draft that shares nothing with this one that can be changed."""
    return msgspec.structs.replace(
        draft,
        messages=plain(draft.messages, "messages"),
        fields={name: value_copied(value, name) for name, value in draft.fields.items()},
        extra=plain(draft.extra, "extra"),
    )


def value_copied(value: Any, name: str) -> Any:
    """Give the value of a field as JSON would have it; what Python gives a meaning stays."""
    if name in ("tools", "functions"):
        if isinstance(value, (list, tuple)):
            return [plain(tool, name) if is_json(tool) else tool for tool in value]
        return plain(value, name) if is_json(value) else value
    if name == "response_format" and not is_json(value):
        return value
    return plain(value, name)


def is_json(value: Any) -> bool:
    """Tell whether a value is data, and not a function, a type or another thing of Python's."""
    return value is None or isinstance(value, (str, int, float, dict, list, tuple))
