"""Where the answer to a request comes from: its server, or whoever stands in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol, Self

import msgspec

from nbchat.api.params import ChatParams
from nbchat.client.profiles import Profile
from nbchat.request.prepare import streams
from nbchat.session.settings import client_of
from nbchat.session.several_servers import FromOneOf

if TYPE_CHECKING:
    from nbchat.api.response import Completion
    from nbchat.client.retry import Wait
    from nbchat.client.stream import Timeouts


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One exchange that is asked for: what is sent, where, and how it is waited for."""

    profile: Profile
    messages: list[dict[str, Any]]
    params: ChatParams
    timeout: Timeouts
    max_retries: int
    on_wait: Callable[[Wait], None]

    @property
    def fields(self) -> dict[str, Any]:
        """All fields that are set, those that the reference does not have included."""
        return {**self.params.given(), **self.params.extra}

    @property
    def manners(self) -> dict[str, Any]:
        """How it is sent, as `nbchat.client.Client.start_body` takes it."""
        return {
            "timeout": self.timeout,
            "max_retries": self.max_retries,
            "on_wait": self.on_wait,
        }


class Answer(Protocol):
    """An answer on its way: see `nbchat.client.Stream`."""

    @property
    def tries(self) -> int: ...

    @property
    def request_id(self) -> str | None: ...

    @property
    def ttft_s(self) -> float | None: ...

    @property
    def elapsed_s(self) -> float | None: ...

    @property
    def completion(self) -> Completion:
        """What has come so far, whole once the loop has ended."""

    def __iter__(self) -> Iterator[Any]: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def cancel(self) -> None:
        """Stop from another thread."""


class Source(Protocol):
    """Answers orders. One that does not `needs_server` starts none and asks for no key."""

    @property
    def needs_server(self) -> bool: ...

    def open(self, order: Order) -> Answer:
        """Give the answer to an order; nothing is sent before it is iterated over."""


class FromServer:
    """The server that the profile names."""

    needs_server = True
    #: a record of the same request may answer in its place
    is_replayable = True

    def open(self, order: Order) -> Answer:
        return FromOneOf(order, _start) if order.profile.base_urls else _start(order)


def _start(order: Order) -> Answer:
    return client_of(order.profile).start(
        order.messages, order.params, streams=streams(order.params), **order.manners
    )


class Rewritten:
    """An answer whose completion is read in another way: `read` makes it of what has come."""

    def __init__(self, answer: Answer, read: Callable[[Completion], Completion]):
        self._answer = answer
        self._read = read

    @property
    def completion(self) -> Completion:
        return self._read(self._answer.completion)

    @property
    def tries(self) -> int:
        return self._answer.tries

    @property
    def request_id(self) -> str | None:
        return self._answer.request_id

    @property
    def ttft_s(self) -> float | None:
        return self._answer.ttft_s

    @property
    def elapsed_s(self) -> float | None:
        return self._answer.elapsed_s

    def __iter__(self) -> Iterator[Any]:
        return iter(self._answer)

    def __enter__(self) -> Self:
        self._answer.__enter__()
        return self

    def __exit__(self, *about: object) -> None:
        self._answer.__exit__(*about)

    def cancel(self) -> None:
        self._answer.cancel()


class ReadyAnswer:
    """An answer that is there already: it has no chunks, and nothing was sent for it."""

    tries = 0
    request_id = None
    ttft_s = None
    elapsed_s = None

    def __init__(self, completion: Completion):
        self.completion = completion

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def cancel(self) -> None: ...
