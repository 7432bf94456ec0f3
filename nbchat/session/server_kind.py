"""Whose server answers at an address, and how large its model's vocabulary is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbchat.client import native
from nbchat.client.presets import LOCAL
from nbchat.client.profiles import Profile
from nbchat.errors import TransportError
from nbchat.session.in_steps import client_in_steps
from nbchat.session.offline import asks_nobody, refuse_to_ask
from nbchat.session.state import STATE

if TYPE_CHECKING:
    from nbchat.client.native import Kind


def kind_of(profile: Profile) -> Kind:
    """Tell whose server answers at a profile's address; asked once, and remembered."""
    known = native.kind_of_profile(profile)
    if known is not None:
        return known
    if profile.base_url not in STATE.kinds:
        STATE.kinds[profile.base_url] = native.kind(client_in_steps(profile))
    return STATE.kinds[profile.base_url]


def vocabulary_size_of(profile: Profile) -> int | None:
    """Give V of the model that a llama.cpp server has loaded; None elsewhere.

    `profile` is one that is ready to be sent to. Providers are not asked.
    """
    if asks_nobody():
        return recorded_vocabulary_size(profile)
    if profile.name == LOCAL:
        from nbchat import local

        return local.ensure().vocab_size
    try:
        is_known = kind_of(profile) == "llama.cpp"
        size = native.vocabulary_size(client_in_steps(profile)) if is_known else None
    except TransportError:
        return None
    if size is not None:
        STATE.vocabulary_sizes[profile.base_url] = size
    return size


def end_tokens_of(profile: Profile, model: str | None) -> list[int]:
    """Give the ids of all tokens that end a generation on a llama.cpp server; asked once."""
    key = (profile.base_url, model)
    if key not in STATE.end_tokens:
        STATE.end_tokens[key] = native.end_tokens(client_in_steps(profile), model)
    return STATE.end_tokens[key]


def recorded_vocabulary_size(profile: Profile) -> int:
    """Give V as the record knows it of a server. Raise `NotRecordedError` where it does not."""
    from nbchat.session.replay import record_in_force

    size = record_in_force().vocabulary_size(profile.name, profile.base_url)
    if size is None:
        refuse_to_ask(profile)
    return size or 0
