"""How large a request of a sweep is, before a server has counted it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from nbchat.client.stream import Timeouts
from nbchat.session.sources import Order

if TYPE_CHECKING:
    from nbchat.request.prepare import Prepared

#: characters of a token, about, and tokens that a message has beside its text
_CHARS, _OF_MESSAGE = 4, 8


def order_of(prepared: Prepared) -> Order:
    """Give a request as its worst case is reckoned."""
    return Order(
        profile=prepared.profile,
        messages=prepared.messages,
        params=prepared.params,
        timeout=Timeouts(),
        max_retries=0,
        on_wait=lambda _: None,
    )


def prompt_size(prepared: Prepared, count: Callable[[str], int] | None = None) -> int:
    """Give the tokens of the texts that are sent: estimated, or as `count` counts them."""
    n = _OF_MESSAGE * len(prepared.messages)
    for message in prepared.messages:
        content = message.get("content")
        parts = [content] if isinstance(content, str) else content or []
        for part in parts:
            text = part if isinstance(part, str) else part.get("text")
            if isinstance(text, str):
                n += -(-len(text) // _CHARS) if count is None else count(text)
    return n


def reply_limit(prepared: Prepared) -> int | None:
    """Give the tokens that the reply has at most, None where no limit is set."""
    limit = prepared.params.max_completion_tokens or prepared.params.max_tokens
    return int(limit) if limit else None
