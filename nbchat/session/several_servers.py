"""A profile with several servers: each request goes to one of them, and another one if it fails."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

import msgspec

from nbchat.api.response import Completion
from nbchat.client.balance import Balance
from nbchat.errors import (
    ApiError,
    ConnectError,
    ConnectTimeout,
    NbchatError,
    ServerError,
    StreamCutError,
    TransportError,
)
from nbchat.session.state import STATE

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbchat.client.profiles import Profile
    from nbchat.session.sources import Answer, Order


def balance_of(profile: Profile) -> Balance:
    """Give who knows what the servers of a profile have to do, one for the process."""
    with STATE.lock:
        key = profile.addresses
        if key not in STATE.balances:
            STATE.balances[key] = Balance(len(key))
        return STATE.balances[key]


def steady(profile: Profile) -> Profile:
    """Give the profile of the one server that exact requests stay on.

    What stands in a server's memory, its slots and what it has evaluated, is in no other's.
    """
    if not profile.base_urls:
        return profile
    return profile.at(profile.base_urls[balance_of(profile).steady()])


class FromOneOf:
    """The answer of one of several servers: the one that has least to do.

    Where it cannot be reached, or fails before anything came, the next one is asked. `base_url`
    is whose answer it is.
    """

    def __init__(self, order: Order, open_at: Callable[[Order], Answer]):
        self.base_url = order.profile.base_url
        self._order = order
        self._open_at = open_at
        self._balance = balance_of(order.profile)
        self._answer: Answer | None = None
        self._tries_before = 0
        self._is_cancelled = threading.Event()

    @property
    def completion(self) -> Completion:
        return Completion() if self._answer is None else self._answer.completion

    @property
    def tries(self) -> int:
        """Requests sent, those to servers that failed included."""
        return self._tries_before + (0 if self._answer is None else self._answer.tries)

    @property
    def request_id(self) -> str | None:
        return None if self._answer is None else self._answer.request_id

    @property
    def ttft_s(self) -> float | None:
        return None if self._answer is None else self._answer.ttft_s

    @property
    def elapsed_s(self) -> float | None:
        return None if self._answer is None else self._answer.elapsed_s

    @property
    def limit_headers(self) -> dict[str, str]:
        headers: dict[str, str] = getattr(self._answer, "limit_headers", {})
        return headers

    def __iter__(self) -> Iterator[Any]:
        tried: set[int] = set()
        while not self._is_cancelled.is_set():
            try:
                yield from self._ask_one(tried)
            except NbchatError as error:
                if len(tried) == len(self._order.profile.base_urls) or not self._may_go_on(error):
                    raise
                self._tries_before = self.tries
                self._answer = None
            else:
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *about: object) -> None:
        if self._answer is not None:
            self._answer.__exit__(*about)

    def cancel(self) -> None:
        self._is_cancelled.set()
        answer = self._answer
        if answer is not None:
            answer.cancel()

    def _ask_one(self, tried: set[int]) -> Iterator[Any]:
        profile = self._order.profile
        number = self._balance.take(tried)
        tried.add(number)
        has_failed: bool | None = None
        try:
            self.base_url = profile.base_urls[number]
            is_last = len(tried) == len(profile.base_urls)
            order = msgspec.structs.replace(
                self._order,
                profile=profile.at(self.base_url),
                # another server is asked at once, before this one is asked again
                max_retries=self._order.max_retries if is_last else 0,
            )
            self._answer = answer = self._open_at(order)
            if self._is_cancelled.is_set():
                answer.cancel()
            with answer:
                yield from answer
            has_failed = None if self._is_cancelled.is_set() else False
        except (TransportError, ServerError):
            has_failed = True
            raise
        except ApiError:
            has_failed = False  # it answers
            raise
        finally:
            self._balance.ended(number, has_failed=has_failed)

    def _may_go_on(self, error: NbchatError) -> bool:
        """Tell whether another server may be asked: what was answered in part is not asked twice.

        A connection that broke may have cost an answer. Who counts these tries again itself.
        """
        if self._answer is not None and self._answer.completion.choices:
            return False
        if isinstance(error, StreamCutError):
            return self._order.max_retries > 0
        return isinstance(error, (ConnectError, ConnectTimeout, ServerError))
