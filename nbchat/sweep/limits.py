"""One limiter for each server and key of this process, whatever sweeps ask there."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from nbchat import local
from nbchat.api.json_values import shown
from nbchat.client.presets import LOCAL
from nbchat.errors import CheckError
from nbchat.session.pool import AT_ONCE, checked_at_once
from nbchat.session.state import STATE
from nbchat.sweep.limiter import Grants, Limiter, Outcome, Permit

if TYPE_CHECKING:
    from nbchat.client.profiles import Profile


class Limits(msgspec.Struct, frozen=True):
    """What a user says of limits; None leaves a thing to be learnt."""

    at_once: int | None = None
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None

    @classmethod
    def checked(cls, at_once: Any, requests_per_minute: Any, tokens_per_minute: Any) -> Limits:
        """Read what a user says. Raise CheckError for what is no limit."""
        return cls(
            None if at_once is None else checked_at_once(at_once),
            _rate("requests_per_minute", requests_per_minute),
            _rate("tokens_per_minute", tokens_per_minute),
        )

    @property
    def is_any(self) -> bool:
        return self != Limits()

    def grants_of(self, profile: Profile) -> Grants:
        """Give who says when this server may be asked: the same for all that say nothing."""
        if self.is_any:
            return self._made(profile)
        with STATE.lock:
            grants: Grants | None = STATE.limiters.get(profile.identity)
            if grants is None:
                grants = STATE.limiters[profile.identity] = self._made(profile)
        return grants

    def _made(self, profile: Profile) -> Grants:
        at_once = self.at_once
        if at_once is None and profile.name == LOCAL:
            status = local.status_if_used()  # it takes all there is, and has no more slots
            at_once = (status.slots if status is not None else None) or AT_ONCE
        return SharedGrants(
            Limiter(
                at_once=at_once,
                requests_per_minute=self.requests_per_minute,
                tokens_per_minute=self.tokens_per_minute,
            )
        )


class SharedGrants:
    """Grants that several threads, and several sweeps, ask."""

    def __init__(self, grants: Grants):
        self._grants = grants
        self._lock = threading.Lock()

    def take(self, now: float, tokens: int) -> Permit | float:
        with self._lock:
            return self._grants.take(now, tokens)

    def ended(
        self,
        permit: Permit,
        now: float,
        outcome: Outcome,
        *,
        tokens: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        with self._lock:
            self._grants.ended(permit, now, outcome, tokens=tokens, retry_after_s=retry_after_s)

    def learn(self, headers: Mapping[str, str]) -> None:
        with self._lock:
            self._grants.learn(headers)

    @property
    def slots(self) -> int:
        return self._grants.slots


def _rate(name: str, value: Any) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if value is None or (is_number and 0 < value < float("inf")):
        return None if value is None else float(value)
    rule = "must be a number above 0, or None for a limit that is learnt"
    raise CheckError(
        f"{name} is {shown(value)}, but it {rule}.", field=name, value=value, rule=rule
    )
