"""A replay that asks nobody: then no server is asked or started, and no key is asked for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING

from nbchat.client.presets import LOCAL
from nbchat.errors import NotRecordedError
from nbchat.session.state import STATE

if TYPE_CHECKING:
    from nbchat.client.profiles import Profile

#: what the request that is being prepared says of its replay; None: what holds for the process
_chosen: ContextVar[str | None] = ContextVar("nbchat_replay", default=None)


@contextlib.contextmanager
def replaying(mode: str | None) -> Iterator[None]:
    """Let what a request says of its replay hold while it is prepared."""
    token = _chosen.set(mode)
    try:
        yield
    finally:
        _chosen.reset(token)


def asks_nobody() -> bool:
    """Tell whether what goes on now is to be answered from the record alone."""
    return (_chosen.get() or STATE.settings.replay) == "only"


#: the number of the run, among equal ones in its cell, whose answer is being opened: what is asked
#: then belongs to that run, so that its place does not hang on what threads do
number_of_run: ContextVar[int | None] = ContextVar("nbchat_number_of_run", default=None)


def can_replay_steps() -> bool:
    """Tell whether what an analysis asks in steps can be answered from a record: a cassette."""
    return STATE.settings.replay == "only" and STATE.settings.cassette is not None


def refuse_to_ask(profile: Profile | None = None) -> None:
    """Raise `NotRecordedError` where nobody may be asked; without a profile of the embedded one."""
    if not asks_nobody():
        return
    is_local = profile is None or profile.name == LOCAL
    whom = "the embedded model" if is_local or profile is None else f"the server {profile.base_url}"
    raise NotRecordedError(
        f'replay="only": this has to ask {whom} for its tokens, its template or what it supports, '
        'and such answers are kept in a cassette alone. Nothing was sent; replay="auto" asks.'
    )
