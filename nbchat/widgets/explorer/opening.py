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
from nbchat.options import OPTIONS, set_options
from nbchat.request.describe import attached, describe
from nbchat.request.draft import Draft
from nbchat.run import Run
from nbchat.widgets.explorer import session_file
from nbchat.widgets.explorer.form import refuse_credentials
from nbchat.widgets.explorer.notebook import notebook_variables
from nbchat.widgets.explorer.panel import Explorer

_BESIDE = ("messages", "extra")


def explore(
    source: Any = None,
    *,
    profile: str | Profile | None = None,
    variables: Mapping[str, Any] | None = None,
    data: Any = None,
    **fields: Any,
) -> Explorer:
    """Open the explorer: a panel in which every parameter of a request can be tried.

    `source` is the request to begin with: a run (its reply is shown too), params, a mapping of
    fields or a whole body, a list of messages, the text of a ``%%chat`` cell, of a curl command,
    of JSON or of a call in Python, the path of a session that was saved, or a prompt.
    `profile` is where to send it: a name, a base URL or a `Profile`. ``{{ name }}`` in a message
    is filled in with `variables` (a list is several values, a reply for each), with the rows of
    the DataFrame `data` (or its name), else with the notebook's own. `fields` are set on top:
    declared fields, `messages`, `extra`, and nbchat's own options as `nbchat.chat` takes them
    (`system`, `images`, `audio_in`, `files`, `timeout`, `confirm`, …), but for `thread`. Functions
    among `tools` run when the model asks for them, a type as `response_format` is what the reply
    is read as, and texts in `logit_bias` and ``top_logprobs="all"`` are looked up when it is sent.

    The panel it gives (`nbchat.widgets.explorer.panel.Explorer`) has ``run()``, ``vary()``,
    ``wait()``, ``stop()``, ``show()``, `draft`, `last` and the frames `runs`, ``tokens()``,
    ``alternatives()`` and ``usage()``.

    Raise UnknownFieldError for any other name, what `nbchat.code.draft_of` raises where the source
    cannot be read, and CheckError for a key among the fields and for a function, a type or a file
    that cannot be described. What breaks any other rule of the request raises nothing:
    the panel says it beside the control.
    """
    kept = None
    if session_file.is_path(source):
        kept, source = session_file.load(source, notebook_variables()), None
        draft = kept.situation.draft
    else:
        draft = draft_of(source, notebook_variables())
    profiles: dict[str, Profile] = {}
    if isinstance(profile, Profile):
        profiles[profile.name] = profile
        profile = profile.name
    if fields:
        draft = _over(draft, fields)
    if profile is not None:
        draft = msgspec.structs.replace(draft, profile=profile)
    describe(draft)  # what cannot be described is said here, where it was given
    draft = attached(draft)
    refuse_credentials(draft)
    explorer = Explorer(draft, profiles)
    if variables is not None:
        explorer.variables = variables
    if data is not None:
        explorer.data = data
    if isinstance(source, Run):
        explorer.show_reply(source)
    if kept is not None:
        explorer.take_session(kept)
    return explorer


def _over(draft: Draft, fields: dict[str, Any]) -> Draft:
    """Give a draft with these fields and options set over its own."""
    _refuse_unknown(fields)
    more = draft_of(fields)
    return msgspec.structs.replace(
        draft,
        messages=more.messages or draft.messages,
        fields={**draft.fields, **more.fields},
        extra={**draft.extra, **more.extra},
        **set_options(more),
    )


def _refuse_unknown(fields: dict[str, Any]) -> None:
    options = {name for name, option in OPTIONS().items() if not option.no_argument}
    if "thread" in fields:
        raise CheckError(
            "explore() takes no thread: give its messages, messages=thread.messages.",
            field="thread",
        )
    known = {*FIELDS(), *options, *_BESIDE}
    check({name: value for name, value in fields.items() if name not in known})
    if not isinstance(fields.get("extra") or {}, Mapping):
        raise CheckError(
            f"extra is {shown(fields['extra'])}, but it must be a mapping of fields.", field="extra"
        )
