"""The servers of this process and the conversations with them, as a preparation asks for them."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from nbchat.client.presets import LOCAL
from nbchat.client.profiles import Profile
from nbchat.request.draft import Draft
from nbchat.request.prepare import Prepared
from nbchat.request.prepare import prepare as prepare_with
from nbchat.request.servers import Say
from nbchat.session.in_steps import client_in_steps
from nbchat.session.offline import asks_nobody, replaying
from nbchat.session.server_kind import vocabulary_size_of
from nbchat.session.settings import resolved
from nbchat.session.threads import Thread, thread_of

if TYPE_CHECKING:
    from nbchat.client.client import Client


class ProcessServers:
    """See `nbchat.request.servers.Servers`."""

    def profile(self, named: Any, say: Say = None) -> Profile:
        return resolved(named, say)

    def is_running(self, profile: Profile) -> bool:
        if profile.name != LOCAL or asks_nobody():
            return True
        from nbchat import local

        status = local.status_if_used()
        return status is not None and status.running

    def client(self, profile: Profile) -> Client:
        return client_in_steps(profile)

    def vocabulary_size(self, profile: Profile) -> int | None:
        return vocabulary_size_of(profile)

    def most_tokens(self, profile: Profile) -> int | None:
        if profile.name != LOCAL:
            return None
        if asks_nobody():
            return 0  # what is in the record was not too much
        from nbchat import local

        return local.ensure().max_tokens

    def conversation(
        self, named: Any, *, cell: Hashable, fork: bool, is_dry: bool
    ) -> Thread | None:
        return thread_of(named, cell=cell, fork=fork, is_dry=is_dry)


_SERVERS = ProcessServers()


def prepare(
    draft: Draft, *, cell: Hashable = None, say: Say = None, is_dry: bool = False
) -> Prepared:
    """Make a draft whole, and check it (`nbchat.request.prepare.prepare`). Nothing is sent."""
    with replaying(draft.replay):
        return prepare_with(draft, _SERVERS, cell=cell, say=say, is_dry=is_dry)
