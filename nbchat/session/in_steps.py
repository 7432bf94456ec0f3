"""The door through which an analysis asks in steps of its own.

`nbchat.score` asks for the tokens of its texts, a branch for the row at its place: questions that
are no runs. Where a cassette is in force each answer to one goes into it, and a replay that asks
nobody answers from there, each question at its place as each run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbchat.request.prepare import streams
from nbchat.session.settings import client_of
from nbchat.session.sources import FromServer
from nbchat.session.state import STATE

if TYPE_CHECKING:
    from nbchat.client.client import Client
    from nbchat.client.profiles import Profile
    from nbchat.session.sources import Answer, Order


def client_in_steps(profile: Profile) -> Client:
    """Give the client that an analysis asks with: see `nbchat.session.settings.client_of`.

    Raise `NotRecordedError` in a replay that asks nobody and has no cassette.
    """
    cassette = STATE.settings.cassette
    if cassette is None:
        return client_of(profile)
    from nbchat.session.recorded_client import RecordedClient  # requests, on first use

    known: Any = ("in steps", cassette.path, profile.identity)
    with STATE.lock:
        client = STATE.clients.get(known)
        if client is None:
            client = STATE.clients[known] = RecordedClient(profile, cassette)
    return client


class FromServerInSteps(FromServer):
    """The server that the profile names, for a reply that is a step of an analysis."""

    is_replayable = False

    def open(self, order: Order) -> Answer:
        return client_in_steps(order.profile).start(
            order.messages, order.params, streams=streams(order.params), **order.manners
        )
