"""Sources of replies that go on from a beginning, each in its own way.

The reply is whole at any time: what is given, and what has come of the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

import msgspec

from nbchat.analysis.branch_by_token_ids import body_of, own_fields
from nbchat.analysis.decoded_prefix import keep_warm
from nbchat.client.client import dressed
from nbchat.request.prepare import streams
from nbchat.session.in_steps import client_in_steps
from nbchat.session.sources import ReadyAnswer, Rewritten

if TYPE_CHECKING:
    from nbchat.analysis.decoded_prefix import Prefix
    from nbchat.analysis.prefix import Beginning
    from nbchat.session.sources import Order


class Ended(msgspec.Struct, frozen=True):
    """It is over where it begins, and nothing is sent; `reason` is why it ended."""

    beginning: Beginning
    reason: str
    needs_server: bool = False

    def open(self, order: Order) -> ReadyAnswer:  # noqa: ARG002 - nothing of it is sent
        return ReadyAnswer(self.beginning.ended(self.reason))


class FromTokenIds(msgspec.Struct, frozen=True):
    """It goes on from token ids, which are those of the prompt and of the beginning.

    `prefix`: what stands before the last of them is written one by one first; None: all is
    evaluated at once.
    """

    beginning: Beginning
    ids: list[int]
    prefix: Prefix | None = None
    needs_server: bool = True

    def open(self, order: Order) -> Rewritten:
        profile, params = order.profile, order.params
        body = body_of(self.ids, order.fields, profile.model) | own_fields(params.extra)
        prefix = self.prefix
        if prefix is not None:
            body |= {"id_slot": prefix.slot, "cache_prompt": True}
        answer = client_in_steps(profile).start_body(
            dressed(profile, body, streams=streams(params)),
            url=profile.completions_url,
            **order.manners,
        )
        if prefix is None:
            return Rewritten(answer, self.beginning.completion)
        return _Warmed(answer, self.beginning, lambda: keep_warm(client_in_steps(profile), prefix))


class _Warmed(Rewritten):
    """An answer before which something is done."""

    def __init__(self, answer: Any, beginning: Beginning, warm: Callable[[], None]):
        super().__init__(answer, beginning.completion)
        self._warm = warm

    def __enter__(self) -> Self:
        self._warm()
        return super().__enter__()


class FromText(msgspec.Struct, frozen=True):
    """It goes on from a message of the assistant that was begun; `extra` is what this needs."""

    beginning: Beginning
    extra: dict[str, Any]
    needs_server: bool = True

    def open(self, order: Order) -> Rewritten:
        client = client_in_steps(order.profile)
        begun = {"role": "assistant", "content": self.beginning.text}
        body = client.body([*order.messages, begun], order.params, streams=streams(order.params))
        answer = client.start_body(body | self.extra, **order.manners)
        return Rewritten(answer, self.beginning.completion)
