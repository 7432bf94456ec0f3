"""What a request may cost at most, before it is sent."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from nbchat import prices
from nbchat.api.encoded import plain_text
from nbchat.session.state import STATE

if TYPE_CHECKING:
    from nbchat.session.sources import Order


#: fields that a model reads beside the messages
_DESCRIBED = ("tools", "functions", "response_format")


class WorstCase(msgspec.Struct, frozen=True):
    """US dollars, None where the price is not known; and in words how that came about.

    `is_here`: nothing, since the server is on this machine.
    """

    usd: float | None
    what: str
    is_here: bool = False


def worst_case(order: Order) -> WorstCase:
    """Give what one exchange may cost at most.

    0 where the server is on this machine, unless the user has prices for it: it may pass on what
    costs something elsewhere.

    A token is at least one byte, so that no prompt has more tokens than bytes. Where no limit
    is set to the reply, it is the model's, and where media go with it, so is the prompt's.
    """
    base_url, fields = order.profile.base_url, order.fields
    model = str(fields.get("model") or order.profile.model or "")
    own_prices = STATE.settings.prices
    is_here = all(_is_here(address) for address in order.profile.addresses)
    if is_here and not prices.is_listed(own_prices, model, base_url):
        return WorstCase(0.0, "", is_here=True)
    window = prices.context_window(model, base_url)
    limit = fields.get("max_completion_tokens") or fields.get("max_tokens")
    prompt = window if _has_media(order.messages) else _most_tokens(order)
    completion = limit or window
    basis = (
        f"{model}, at most {completion:,} tokens"
        if limit
        else f"{model}, no max_completion_tokens is set and its own limit is {completion:,}"
        if completion
        else f"{model}, whose limit of tokens is not known: set max_completion_tokens"
    )
    n = fields.get("n") or 1
    if prompt is None or completion is None:
        return WorstCase(None, basis)
    cost = prices.most(
        model,
        base_url,
        prompt_tokens=prompt,
        completion_tokens=int(completion),
        n=int(n),
        service_tier=fields.get("service_tier"),
        own_prices=own_prices,
    )
    return WorstCase(None if cost is None else cost.usd, basis if n == 1 else f"{basis}, {n} times")


def _most_tokens(order: Order) -> int:
    counted = {
        n: v for n, v in order.fields.items() if n in ("tools", "functions", "response_format")
    }
    body: dict[str, Any] = {"messages": order.messages, **counted}
    return len(msgspec.json.encode(body, enc_hook=plain_text))


def _has_media(messages: list[dict[str, Any]]) -> bool:
    contents = [m["content"] for m in messages if isinstance(m.get("content"), list)]
    return any(
        isinstance(part, Mapping) and part.get("type") not in ("text", "refusal")
        for content in contents
        for part in content
    )


def _is_here(base_url: str) -> bool:
    host = urlsplit(base_url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
