"""`explore`: the panel, opened in the state of whatever describes a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from nbchat.api.check import check
from nbchat.api.fields import FIELDS
from nbchat.api.json_values import shown
from nbchat.client import Profile
from nbchat.code import draft_of
from nbchat.errors import CheckError
from nbchat.run import Run
from nbchat.session.execution import StatusLines
from nbchat.session.full_vocabulary import is_all, with_whole_rows
from nbchat.session.logit_bias import with_token_ids
from nbchat.structured import structure_of
from nbchat.tools import tool
from nbchat.widgets.explorer.form import refuse_keys
from nbchat.widgets.explorer.panel import Explorer, notebook_variables

_BESIDE = ("messages", "extra")


def explore(source: Any = None, *, profile: str | Profile | None = None, **fields: Any) -> Explorer:
    """Open the explorer: a panel in which every parameter of a request can be tried.

    `source` is the request to begin with: a run (its reply is shown too), params, a mapping of
    fields or a whole body, a list of messages, the text of a ``%%chat`` cell, or a prompt.
    `profile` is where to send it: a name, a base URL or a `Profile`. `fields` are set on top:
    declared fields, `messages`, `system` (str, the system message) and `extra`; functions among
    `tools`, a type as `response_format`, texts in `logit_bias` and ``top_logprobs="all"`` become
    what would be sent for them.

    The panel it gives (`nbchat.widgets.explorer.panel.Explorer`) has ``run()``, ``vary()``,
    ``wait()``, ``stop()``, ``show()``, `draft`, `last` and the frames `runs`, ``tokens()``,
    ``alternatives()`` and ``usage()``.

    Raise UnknownFieldError for any other name, what `nbchat.code.draft_of` raises where the source
    cannot be read, and CheckError for a key among the fields and for a function, type, text or
    "all" for which nothing can be sent. What breaks any other rule of the request raises nothing:
    the panel says it beside the control.
    """
    draft = draft_of(source, notebook_variables())
    profiles: dict[str, Profile] = {}
    given: Profile | None = None
    if isinstance(profile, Profile):
        given = profiles[profile.name] = profile
        profile = profile.name
    system = fields.pop("system", None)
    if fields:
        more = draft_of(_wire(fields, given or profile or draft.profile))
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


def _wire(fields: dict[str, Any], profile: str | Profile | None) -> dict[str, Any]:
    """Give fields as they are sent, functions and types described. Raise for unknown names."""
    _refuse_unknown(fields)
    tools = fields.get("tools")
    if isinstance(tools, (list, tuple)):
        fields = {**fields, "tools": [tool(t).schema if callable(t) else t for t in tools]}
    if "response_format" in fields:
        structure = structure_of(fields["response_format"])
        if structure is not None:
            fields = {**fields, "response_format": structure.wire}
    say = StatusLines().status
    if "logit_bias" in fields:
        fields = with_token_ids(fields, profile, say=say)
    if is_all(fields):
        fields, extra = with_whole_rows(fields, fields.get("extra"), profile, say=say)
        fields["extra"] = extra
    return fields


def _refuse_unknown(fields: dict[str, Any]) -> None:
    check({name: value for name, value in fields.items() if name not in {*FIELDS(), *_BESIDE}})
    if not isinstance(fields.get("extra") or {}, Mapping):
        raise CheckError(
            f"extra is {shown(fields['extra'])}, but it must be a mapping of fields.", field="extra"
        )
