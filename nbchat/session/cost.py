"""What a run cost, request by request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbchat import prices
from nbchat.api.response import Completion, Usage
from nbchat.client.addresses import is_loopback
from nbchat.prices import Cost, OwnPrice

if TYPE_CHECKING:
    from nbchat.run import Run


def cost_of(run: Run, own_prices: tuple[OwnPrice, ...] = ()) -> Cost | None:
    """Give the cost of all requests of a run; None where that of one is not known."""
    answers = [tool_round.completion for tool_round in run.rounds if tool_round.is_answered]
    if run.completion is not None:
        answers.append(run.completion)
    total: Cost | None = None
    for answer in answers:
        cost = cost_of_answer(run, answer, own_prices)
        if cost is None:
            return None
        total = cost if total is None else Cost(total.usd + cost.usd, total.source)
    return total


def cost_of_answer(
    run: Run, answer: Completion, own_prices: tuple[OwnPrice, ...], *, is_batch: bool = False
) -> Cost | None:
    """Give the cost of one request of a run, by the answer to it; None where it is not known.

    One that came in a batch has the price of a batch, whatever tier the answer names.
    """
    if not own_prices and is_loopback(run.base_url):
        return None  # no table lists a server of one's own, and to read one takes half a second
    fields = {**run.params.given(), **run.params.extra}
    model = answer.model or fields.get("model")
    if not isinstance(model, str):
        return None
    has_searched = "web_search_options" in fields or any(
        choice.message.annotations for choice in answer.choices
    )
    return prices.cost(
        model,
        run.base_url,
        answer.usage or Usage(),
        service_tier=prices.BATCH if is_batch else answer.service_tier,
        when=run.created_at,
        searches=has_searched,
        own_prices=own_prices,
    )
