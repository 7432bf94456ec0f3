"""What this process remembers: one object, and all of it can be forgotten at once."""

from __future__ import annotations

import os
import threading
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import msgspec

from nbchat.client.balance import Balance
from nbchat.client.profiles import Profile
from nbchat.history.places import Claims, Places
from nbchat.prices import OwnPrice
from nbchat.session.budget import Budget
from nbchat.session.repair import Memory

if TYPE_CHECKING:
    from nbchat.client.client import Client
    from nbchat.client.native import Kind
    from nbchat.client.stream import Timeouts
    from nbchat.history.cassette import Cassette
    from nbchat.run import LogprobBasis, Run


class Settings(msgspec.Struct):
    """What `configure` sets; None leaves a thing to its default."""

    profile: str | Profile | None = None
    model: str | None = None
    timeout: float | Timeouts | None = None
    max_retries: int = 4
    repair: bool = True
    max_message_bytes: int | None = None
    prices: tuple[OwnPrice, ...] = ()
    cassette: Cassette | None = None
    replay: str = "off"
    replay_speed: float = 0.0


class State:
    """All that holds for this process, from its first request on.

    - `settings`: what `configure` set
    - `runs`: every run, in the order of their start; `threads`: the conversations by name;
      `forks`: the fork that a cell made of a conversation
    - `background`: the run that a cell began in the background, by the key of its turn
    - `clients`, `listings`: connections, and what servers said of their models
    - `asked_keys`: keys that the user typed, by their variable
    - `kinds`, `vocabulary_sizes`: base URL -> whose server it is, and how large its vocabulary
    - `end_tokens`: (base URL, model) -> the ids of all tokens that end a generation
    - `logprob_bases`: (endpoint, model) -> what `nbchat.probe` found of its log probabilities;
      `probes`, `continuations`: the same key -> all that it found
    - `refusals`: what servers have refused
    - `budget`: what requests may cost, and what they did
    - `limiters`: server and key -> who says when a sweep may ask it
    - `stations`: sweeps of others that this process works for, by their run
    - `balances`: the addresses of several servers -> what each of them has to do
    - `searched_sweeps`: folders of sweeps that a search of the history found
    - `places`, `claims`: where requests stand in their cells, and whose record each one took
    """

    def __init__(self) -> None:
        self.settings = Settings()
        self.lock = threading.Lock()
        self.runs: list[Run] = []
        self.threads: dict[str, Any] = {}
        self.forks: dict[Hashable, Any] = {}
        self.background: dict[Hashable, Run] = {}
        self.clients: dict[Hashable, Client] = {}
        self.balances: dict[tuple[str, ...], Balance] = {}
        self.listings: dict[Hashable, Any] = {}
        self.typed_keys: dict[str, str] = {}
        self.kinds: dict[str, Kind] = {}
        self.vocabulary_sizes: dict[str, int] = {}
        self.end_tokens: dict[tuple[str, str | None], list[int]] = {}
        self.logprob_bases: dict[tuple[str, str], LogprobBasis] = {}
        self.probes: dict[tuple[str, str], Any] = {}
        self.continuations: dict[tuple[str, str], Any] = {}
        self.limiters: dict[Hashable, Any] = {}
        self.stations: dict[str, Any] = {}
        self.searched_sweeps: dict[Any, Any] = {}
        self.refusals = Memory()
        self.places = Places()
        self.budget = Budget()
        self.claims = Claims()

    def reset(self) -> None:
        """Forget everything, in place: as in a process that has just begun."""
        fresh = State()
        for name, value in vars(self).items():
            if isinstance(value, (dict, list)):
                value.clear()
            elif isinstance(value, Settings):
                for field in Settings.__struct_fields__:
                    setattr(value, field, getattr(fresh.settings, field))
            else:
                setattr(self, name, getattr(fresh, name))

    def forget_servers(self) -> None:
        """Forget what servers said of themselves, so that it is asked again."""
        for known in (self.kinds, self.end_tokens, self.probes, self.continuations):
            known.clear()

    def begin_anew_after_fork(self) -> None:
        """Leave the parent's connections to the parent: two readers would mix up their answers."""
        self.lock = threading.Lock()  # the old one may be held for ever
        self.clients.clear()
        self.listings.clear()
        self.balances.clear()


STATE = State()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=STATE.begin_anew_after_fork)
