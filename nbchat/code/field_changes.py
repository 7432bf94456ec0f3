"""In which fields several requests differ."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from msgspec import UNSET

from nbchat.api.fields import FIELDS
from nbchat.api.json_values import shown
from nbchat.errors import CheckError
from nbchat.options import OPTIONS, set_options
from nbchat.request.describe import as_data
from nbchat.request.draft import Draft


def changed_fields(drafts: Sequence[Draft]) -> list[dict[str, str]]:
    """Give for each draft the fields in which not all of them agree, as they are shown.

    The names are ``profile``, those of the declared fields, those in `extra`, and
    ``messages``; a value is JSON, shortened where it is long, or ``unset``.
    """
    states = [_state(draft) for draft in drafts]
    differing = [
        name
        for name in (*OPTIONS(), *FIELDS(), *_undeclared(states), "messages")
        if any(state.get(name, UNSET) != states[0].get(name, UNSET) for state in states)
    ]
    return [{name: _shown(state.get(name, UNSET)) for name in differing} for state in states]


def _state(draft: Draft) -> dict[str, Any]:
    with contextlib.suppress(CheckError):  # then it is shown as it is
        draft = as_data(draft)
    options = {name: value for name, value in set_options(draft).items() if OPTIONS()[name].in_code}
    return {**draft.fields, **draft.extra, **options, "messages": draft.messages}


def _undeclared(states: list[dict[str, Any]]) -> list[str]:
    known = {"messages", *OPTIONS(), *FIELDS()}
    return [*dict.fromkeys(name for state in states for name in state if name not in known)]


def _shown(value: Any) -> str:
    return "unset" if value is UNSET else shown(value)
