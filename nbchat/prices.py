"""What a run costs, from the price list of the genai-prices package where it is installed."""

from __future__ import annotations

import functools
from typing import Any


@functools.cache
def _price_list() -> Any:
    try:
        import genai_prices
    except ImportError:
        return None
    return genai_prices


def cost_usd(model: str, provider: str, usage: Any) -> float | None:
    """Give the price of a run in US dollars, None where it is not known.

    `usage` has the fields of `nbchat.api.Usage`. The prices are those of the installed
    version of genai-prices; no network is used.
    """
    prices = _price_list()
    if prices is None or usage.prompt_tokens is None or usage.completion_tokens is None:
        return None
    counts = prices.Usage(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        cache_read_tokens=usage.cached_tokens or 0,
    )
    try:
        price = prices.calc_price(counts, model_ref=model, provider_id=provider)
    except LookupError:
        return None
    return float(price.total_price)
