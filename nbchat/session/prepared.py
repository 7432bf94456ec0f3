"""A request that is whole and checked, before anything is sent."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from nbchat.api.params import ChatParams
from nbchat.api.rules import unstreamable
from nbchat.client import profiles
from nbchat.client.client import wire_body
from nbchat.client.profiles import Profile
from nbchat.errors import CheckError
from nbchat.session.rounds import warn_of_deprecated
from nbchat.session.settings import current_profile
from nbchat.session.threads import Thread, asked_messages

if TYPE_CHECKING:
    from nbchat.run import Run
    from nbchat.structured import Structure


class Prepared(msgspec.Struct):
    """A request that is checked and whole, but not sent. `body` is what would go out."""

    messages: list[dict[str, Any]]
    params: ChatParams
    body: dict[str, Any]
    profile: Profile
    asked: list[dict[str, Any]]
    system: str | None = None
    thread: Thread | None = None
    key: Hashable = None
    structure: Structure | None = None

    @property
    def url(self) -> str:
        """Where it would go."""
        return self.profile.url

    @property
    def turn(self) -> int | None:
        """The number of the turn in its thread, from 1."""
        return None if self.thread is None else self.thread.place(self.key) + 1


def prepare(
    prompt: Any,
    params: ChatParams,
    *,
    profile: str | Profile | None = None,
    system: str | None = None,
    thread: Thread | None = None,
    cell: Hashable = None,
    fork: bool = False,
    structure: Structure | None = None,
) -> Prepared:
    """Build and check a request. Nothing is sent and nothing started."""
    warn_of_deprecated(params)
    asked = asked_messages(prompt)
    found = current_profile(profile)
    if fork and thread is not None:
        thread = _forked(thread, cell)
    if thread is not None:
        messages = thread.request(
            asked, key=cell, system=system, knows=partial(_knows, found, params)
        )
    else:
        lead = [] if system is None else [{"role": "system", "content": system}]
        messages = [*lead, *asked]
    check_model(found, params.given())
    if any(isinstance(message.get("content"), list) for message in messages):
        from nbchat.media import check_totals

        check_totals(messages)
    return Prepared(
        messages=messages,
        params=params,
        body=wire_body(found, messages, params, streams=streams(params)),
        profile=found,
        asked=asked,
        system=system,
        thread=thread,
        key=cell,
        structure=structure,
    )


def check_model(profile: Profile, given: Mapping[str, Any]) -> None:
    """Raise CheckError where a provider is asked that wants a model, and none is named."""
    preset = profiles.PRESETS.get(profile.name)
    is_provider = preset is not None and profile.base_url.startswith("https:")
    if is_provider and not profile.model and "model" not in given:
        raise CheckError(
            f"The profile {profile.name} has no default model: name one with model=… "
            "(or --model), or set NBCHAT_MODEL.",
            field="model",
            rule="required here",
        )


def refuse_media(model: str | None, messages: list[dict[str, Any]]) -> None:
    """Raise CheckError where the embedded model is shown pictures and the like.

    A GGUF file of the user's own may be one that sees.
    """
    from nbchat import local

    contents = [m["content"] for m in messages if isinstance(m.get("content"), list)]
    kinds = {part["type"] for content in contents for part in content} - {"text", "refusal"}
    if kinds and model == local.MODEL:
        raise CheckError(
            f"The embedded model {model} reads text alone, and there is {', '.join(sorted(kinds))} "
            "in the request: name a profile whose model takes it (--dry-run shows the request).",
            field="messages",
        )


def streams(params: ChatParams) -> bool:
    """Tell whether the answer is streamed: unless ``stream`` was asked to be false.

    A spoken answer that is not pcm16 comes whole, too: no stream carries it.
    """
    return params.given().get("stream") is not False and comes_whole(params) is None


def comes_whole(params: ChatParams) -> str | None:
    """Name the audio format because of which an answer cannot be streamed; None where it can."""
    return unstreamable(params.given())


def _knows(profile: Profile, params: ChatParams, run: Run) -> bool:
    """Tell whether who is asked now is who said this, and so knows its sound by the id."""
    models = [each.given().get("model") for each in (params, run.params)]
    return run.base_url == profile.base_url and models[0] == models[1]


_forks: dict[Hashable, Thread] = {}


def _forked(thread: Thread, cell: Hashable) -> Thread:
    """Give the fork that this cell makes: one for each cell, however often it runs."""
    fork = _forks.get((thread.name, cell)) if cell is not None else None
    if fork is None:
        fork = thread.fork(before=cell)
        if cell is not None:
            _forks[thread.name, cell] = fork
    else:
        fork.turns = [*thread.before(cell), *fork.turns[fork.place(cell) :]]
    return fork
