"""`explore`: the panel, opened in the state of whatever describes a request."""

from __future__ import annotations

from typing import Any

import msgspec

from nbchat.client import Profile
from nbchat.code import draft_of
from nbchat.run import Run
from nbchat.widgets.explorer.form import refuse_keys
from nbchat.widgets.explorer.panel import Explorer, notebook_variables


def explore(source: Any = None, *, profile: str | Profile | None = None, **fields: Any) -> Explorer:
    """Open the explorer: a panel in which every parameter of a request can be tried.

    `source` is the request to begin with: a run (its reply is shown too), params, a mapping of
    fields or a whole body, a list of messages, the text of a ``%%chat`` cell, or a prompt.
    `profile` is where to send it: a name, a base URL or a `Profile`. `fields` are set on top:
    declared fields, `messages`, `system` (str, the system message) and `extra`.

    Raise what `nbchat.code.draft_of` raises where the source cannot be read, and CheckError
    for a key among the fields. What breaks any other rule of the request raises nothing: the
    panel says it beside the control.
    """
    draft = draft_of(source, notebook_variables())
    profiles: dict[str, Profile] = {}
    if isinstance(profile, Profile):
        profiles[profile.name] = profile
        profile = profile.name
    system = fields.pop("system", None)
    if fields:
        more = draft_of(fields)
        draft = msgspec.structs.replace(
            draft,
            messages=more.messages or draft.messages,
            fields={**draft.fields, **more.fields},
            extra={**draft.extra, **more.extra},
        )
    if system is not None:
        messages = [{"role": "system", "content": system}, *draft.messages]
        draft = msgspec.structs.replace(draft, messages=messages)
    if profile is not None:
        draft = msgspec.structs.replace(draft, profile=profile)
    refuse_keys(draft)
    explorer = Explorer(draft, profiles)
    if isinstance(source, Run):
        explorer.show(source)
    return explorer
