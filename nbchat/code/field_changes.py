"""In which fields several requests differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import UNSET

from nbchat.api.fields import FIELDS
from nbchat.api.json_values import shown
from nbchat.code.draft import Draft


def changed_fields(drafts: Sequence[Draft]) -> list[dict[str, str]]:
    """Give for each draft the fields in which not all of them agree, as they are shown.

    The names are ``profile``, those of the declared fields, those in `extra`, and
    ``messages``; a value is JSON, shortened where it is long, or ``unset``.
    """
    states = [_state(draft) for draft in drafts]
    differing = [
        name
        for name in ("profile", *FIELDS(), *_undeclared(states), "messages")
        if any(state.get(name, UNSET) != states[0].get(name, UNSET) for state in states)
    ]
    return [{name: _shown(state.get(name, UNSET)) for name in differing} for state in states]


def _state(draft: Draft) -> dict[str, Any]:
    own = {} if draft.profile is None else {"profile": draft.profile}
    return {**draft.fields, **draft.extra, **own, "messages": draft.messages}


def _undeclared(states: list[dict[str, Any]]) -> list[str]:
    known = {"profile", "messages", *FIELDS()}
    return [*dict.fromkeys(name for state in states for name in state if name not in known)]


def _shown(value: Any) -> str:
    return "unset" if value is UNSET else shown(value)
