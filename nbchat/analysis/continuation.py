"""Sources of replies that go on from a beginning, each in its own way.

The reply is whole at any time: what is given, and what has come of the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from nbchat.analysis.branch_by_token_ids import body_of, own_fields
from nbchat.client.client import dressed
from nbchat.request.prepare import streams
from nbchat.session.settings import client_of
from nbchat.session.sources import Given, Rewritten

if TYPE_CHECKING:
    from nbchat.analysis.prefix import Beginning
    from nbchat.session.sources import Order


class Ended(msgspec.Struct, frozen=True):
    """It is over where it begins, and nothing is sent; `reason` is why it ended."""

    beginning: Beginning
    reason: str
    needs_server: bool = False

    def open(self, order: Order) -> Given:  # noqa: ARG002 - nothing of it is sent
        return Given(self.beginning.ended(self.reason))


class FromTokenIds(msgspec.Struct, frozen=True):
    """It goes on from token ids, which are those of the prompt and of the beginning."""

    beginning: Beginning
    ids: list[int]
    needs_server: bool = True

    def open(self, order: Order) -> Rewritten:
        profile, params = order.profile, order.params
        body = body_of(self.ids, order.fields, profile.model) | own_fields(params.extra)
        answer = client_of(profile).start_body(
            dressed(profile, body, streams=streams(params)),
            url=profile.completions_url,
            **order.manners,
        )
        return Rewritten(answer, self.beginning.completion)


class FromText(msgspec.Struct, frozen=True):
    """It goes on from a message of the assistant that was begun; `extra` is what this needs."""

    beginning: Beginning
    extra: dict[str, Any]
    needs_server: bool = True

    def open(self, order: Order) -> Rewritten:
        client = client_of(order.profile)
        begun = {"role": "assistant", "content": self.beginning.text}
        body = client.body([*order.messages, begun], order.params, streams=streams(order.params))
        answer = client.start_body(body | self.extra, **order.manners)
        return Rewritten(answer, self.beginning.completion)
