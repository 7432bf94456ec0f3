"""`prepare`: the one order in which a draft becomes a request that is whole and checked."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from nbchat.api.check import check
from nbchat.api.messages import check_messages
from nbchat.api.params import ChatParams
from nbchat.api.reply_messages import without_open_calls
from nbchat.api.rules import unstreamable
from nbchat.client import presets
from nbchat.client.client import wire_body
from nbchat.client.presets import LOCAL
from nbchat.client.profiles import Profile
from nbchat.errors import CheckError
from nbchat.options import Options
from nbchat.request import full_vocabulary, logit_bias
from nbchat.request.deprecated import warn_of_deprecated
from nbchat.request.describe import describe, has_attachments
from nbchat.request.draft import Draft
from nbchat.request.servers import Conversation, Say, Servers
from nbchat.request.toolbox import Toolbox, toolbox_of

if TYPE_CHECKING:
    from nbchat.run import Run
    from nbchat.structured import Structure


class Prepared(msgspec.Struct, kw_only=True):
    """A request that is checked and whole, but not sent. `body` is what would go out.

    - `messages`: list of dict, all that is sent; `new_messages`: those of them that are new
    - `options`: how it was asked for, `profile` the one that this found
    - `thread`, `cell`: the conversation that it belongs to, and which turn of it
    - `structure`: what the reply is read as; `toolbox`: the functions that may run
    - `notes`: list of str, what the run is to say of how it was made
    """

    messages: list[dict[str, Any]]
    params: ChatParams
    body: dict[str, Any]
    profile: Profile
    new_messages: list[dict[str, Any]]
    options: Options
    thread: Conversation | None = None
    cell: Hashable = None
    structure: Structure | None = None
    toolbox: Toolbox | None = None
    notes: list[str] = []

    @property
    def url(self) -> str:
        """Where it would go."""
        return self.profile.url

    @property
    def turn(self) -> int | None:
        """The number of the turn in its thread, from 1."""
        return None if self.thread is None else self.thread.place(self.cell) + 1


def prepare(
    draft: Draft,
    servers: Servers,
    *,
    cell: Hashable = None,
    say: Say = None,
    is_dry: bool = False,
) -> Prepared:
    """Make a draft whole, and check it. Nothing is sent.

    `cell` names the turn in a conversation. A step that needs the server (texts in
    `logit_bias`, "all" as `top_logprobs`) starts it and tells `say` what is waited for, after
    all else was found right; without `say` it has to run already. Where `is_dry` nothing that
    lasts is made. Raise CheckError, ProfileError, or what the server's answer raises.
    """
    described = describe(draft)
    new_messages = check_messages(described.messages)
    profile = servers.profile(draft.profile)
    fields, extra = described.fields, described.extra
    steps = [step for step in (logit_bias, full_vocabulary) if step.is_needed(fields)]
    if steps:
        names = {step.FIELD for step in steps}
        check({n: v for n, v in fields.items() if n not in names}, extra=extra or None)
        for step in steps:
            fields, extra = step.resolved(fields, extra, draft.profile, servers, say)
    params = check(fields, extra=extra or None)
    toolbox = toolbox_of(
        described.functions, params, max_rounds=draft.max_rounds, confirm=draft.confirm
    )
    warn_of_deprecated(params)
    thread = servers.conversation(draft.thread, cell=cell, fork=draft.fork, is_dry=is_dry)
    whole = _whole(new_messages, draft, thread, cell, partial(_knows, profile, params))
    messages, left_out = (whole, []) if thread is None else without_open_calls(whole)
    check_model(profile, params.given())
    _check_media(messages)
    return Prepared(
        messages=messages,
        params=params,
        body=wire_body(profile, messages, params, streams=streams(params)),
        profile=profile,
        new_messages=new_messages,
        options=draft,
        thread=thread,
        cell=cell,
        structure=described.structure,
        toolbox=toolbox,
        notes=[f"left out calls without a result: {', '.join(left_out)}"] if left_out else [],
    )


def with_messages(prepared: Prepared, messages: list[dict[str, Any]]) -> Prepared:
    """Give a request with other messages in the place of those that were new, and check them.

    What was found of its fields, functions and server holds for it too, so that of many requests
    that differ in their texts alone only one goes the whole way. Nothing is sent. Raise CheckError
    for messages that are none, ValueError for a request of a conversation or with attachments.
    """
    draft = prepared.options
    if prepared.thread is not None or has_attachments(draft):
        raise ValueError("Its messages are not all that was new in it.")
    new_messages = check_messages(messages)
    whole = [*prepared.messages[: -len(prepared.new_messages)], *new_messages]
    _check_media(whole)
    return msgspec.structs.replace(
        prepared,
        messages=whole,
        body={**prepared.body, "messages": [*whole]},
        new_messages=new_messages,
        options=msgspec.structs.replace(draft, messages=messages),
    )


def _check_media(messages: list[dict[str, Any]]) -> None:
    if any(isinstance(message.get("content"), list) for message in messages):
        from nbchat.media import check_totals

        check_totals(messages)


def _whole(
    new_messages: list[dict[str, Any]],
    draft: Draft,
    thread: Conversation | None,
    cell: Hashable,
    knows: Any,
) -> list[dict[str, Any]]:
    """Give all messages of the request: the thread's earlier ones, the system's, the new ones."""
    if thread is not None:
        return thread.request(new_messages, cell=cell, system=draft.system, knows=knows)
    lead = [] if draft.system is None else [{"role": "system", "content": draft.system}]
    return [*lead, *new_messages]


def check_model(profile: Profile, fields: Mapping[str, Any]) -> None:
    """Raise CheckError where a provider wants a model and none is named, or `local` has no such.

    The embedded server answers whatever model it is asked for; a user's own server may serve
    one under any name.
    """
    model = fields.get("model")
    if profile.name == LOCAL and model is not None and model != profile.model:
        rule = f"{profile.model}, or another profile's"
        raise CheckError(
            f"The embedded server has no model {model!r}: it has {profile.model}. Leave the model "
            "out, or name whose it is (profile=…, --profile, OPENAI_API_KEY in the environment).",
            field="model",
            value=model,
            rule=rule,
        )
    preset = presets.PRESETS.get(profile.name)
    is_provider = preset is not None and profile.base_url.startswith("https:")
    if is_provider and not profile.model and "model" not in fields:
        raise CheckError(
            f"The profile {profile.name} has no default model: name one with model=… "
            "(or --model), or set NBCHAT_MODEL.",
            field="model",
            rule="required here",
        )


def streams(params: ChatParams) -> bool:
    """Tell whether the answer is streamed: unless ``stream`` was asked to be false.

    A spoken answer that is not pcm16 comes whole, too: no stream carries it.
    """
    return params.stream is not False and comes_whole(params) is None


def comes_whole(params: ChatParams) -> str | None:
    """Name the audio format because of which an answer cannot be streamed; None where it can."""
    return unstreamable(params.given())


def _knows(profile: Profile, params: ChatParams, run: Run) -> bool:
    """Tell whether who is asked now is who said this, and so knows its sound by the id."""
    models = [each.given().get("model") for each in (params, run.params)]
    return run.base_url == profile.base_url and models[0] == models[1]
