"""What requests cost: by a table of the user's own, else by the package genai-prices.

A price that is not known for exactly this request is unknown, and not another one's: another
tier's, that of text for sound, that of an ordinary token for one from a cache.
"""

from __future__ import annotations

import functools
import importlib.metadata
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from nbchat.api.response import Usage
from nbchat.errors import CheckError

#: what a server calls the tier that has the listed price
_ORDINARY = {None, "", "default", "auto", "standard"}
#: what the tier of a batch is called here
BATCH = "batch"
_MILLION = 1_000_000
#: says in each answer what it charged, in US dollars
_OPENROUTER = re.compile(r"https://openrouter\.ai(/|$)")
#: kind of token: its price in genai-prices, its price in a user's table
_KINDS = {
    "input": ("input_mtok", "input_usd_per_mtok"),
    "output": ("output_mtok", "output_usd_per_mtok"),
    "cache_read": ("cache_read_mtok", "cached_input_usd_per_mtok"),
    "cache_write": ("cache_write_mtok", "cache_write_usd_per_mtok"),
    "input_audio": ("input_audio_mtok", "input_audio_usd_per_mtok"),
    "output_audio": ("output_audio_mtok", "output_audio_usd_per_mtok"),
}


class Cost(msgspec.Struct, frozen=True):
    """US dollars, and where their price is from ("genai-prices 0.2.3", "prices of yours")."""

    usd: float
    source: str


class OwnPrice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row of a user's price table, in US dollars for a million tokens.

    `model` may have ``*``; `service_tier` is that of the answer ("batch" for a batch), None
    the ordinary one; `base_url` is the server's, None any.
    """

    model: str
    input_usd_per_mtok: float
    output_usd_per_mtok: float
    cached_input_usd_per_mtok: float | None = None
    cache_write_usd_per_mtok: float | None = None
    input_audio_usd_per_mtok: float | None = None
    output_audio_usd_per_mtok: float | None = None
    service_tier: str | None = None
    base_url: str | None = None


def read_prices(table: Any) -> tuple[OwnPrice, ...]:
    """Read a price table: a frame, a list of rows, or a mapping of models to rows.

    Raise CheckError where a row is none.
    """
    if hasattr(table, "to_dict") and hasattr(table, "columns"):
        table = table.to_dict("records")
    if isinstance(table, Mapping):
        table = [
            {"model": model, **(row if isinstance(row, Mapping) else {"row": row})}
            for model, row in table.items()
        ]
    if not isinstance(table, Iterable) or isinstance(table, (str, bytes)):
        rule = "must be a frame, a list of rows, or a mapping of models to rows"
        raise CheckError(f"prices {rule}.", field="prices", value=table, rule=rule)
    return tuple(_own_price(place, row) for place, row in enumerate(table))


def _own_price(place: int, row: Any) -> OwnPrice:
    if isinstance(row, OwnPrice):
        return row
    if not isinstance(row, Mapping):
        raise CheckError(
            f"prices, row {place} is {row!r}, but it must be a mapping.", field="prices", value=row
        )
    fields = {k: v for k, v in row.items() if v is not None and v == v}
    try:
        read = msgspec.convert(fields, OwnPrice, strict=True)
    except msgspec.ValidationError as error:
        raise CheckError(
            f"prices, row {place}: {error}. A row has model, input_usd_per_mtok, "
            "output_usd_per_mtok, and perhaps "
            f"{', '.join(OwnPrice.__struct_fields__[3:])}.",
            field="prices",
            value=row,
        ) from None
    if any(isinstance(value, float) and value < 0 for value in msgspec.structs.astuple(read)):
        raise CheckError(
            f"prices, row {place}: a price is below 0.", field="prices", value=row, rule="0 or more"
        )
    return read


def cost(
    model: str,
    base_url: str,
    usage: Usage,
    *,
    service_tier: str | None = None,
    when: datetime | None = None,
    searches: bool = False,
    own_prices: tuple[OwnPrice, ...] = (),
) -> Cost | None:
    """Give what a request cost; None where that is not known for exactly this.

    - `base_url`: the server that answered; `model`, `service_tier`: what it says of itself
    - `when`: the time of the request, whose price counts (None: now)
    - `searches`: whether the web was searched, which costs something apart
    - `own_prices`: the user's table, of which the first row that fits comes before all else

    No network is used.
    """
    tokens = _tokens(usage)
    billed = usage.extra.get("cost")
    if _OPENROUTER.match(base_url) and isinstance(billed, (int, float)) and billed >= 0:
        return Cost(float(billed), "the server")
    if tokens is None or searches:
        return None
    for row in own_prices:
        if _fits(row, model, base_url, service_tier):
            usd = _usd_by_own_prices(row, tokens)
            return None if usd is None else Cost(usd, "prices of yours")
    return _by_package(model, base_url, tokens, service_tier, when)


def most(
    model: str,
    base_url: str,
    *,
    prompt_tokens: int,
    completion_tokens: int,
    n: int = 1,
    service_tier: str | None = None,
    own_prices: tuple[OwnPrice, ...] = (),
) -> Cost | None:
    """Give what a request costs at most: nothing from a cache, all `n` replies at full length.

    None where its price is not known.
    """
    usage = Usage(prompt_tokens=prompt_tokens, completion_tokens=n * completion_tokens)
    return cost(model, base_url, usage, service_tier=service_tier, own_prices=own_prices)


def is_listed(own_prices: tuple[OwnPrice, ...], model: str, base_url: str) -> bool:
    """Tell whether the user's own table has a price of a model at a server, of whatever tier."""
    return any(_fits(row, model, base_url, row.service_tier) for row in own_prices)


def context_window(model: str, base_url: str) -> int | None:
    """Give the tokens that a model takes in and gives out together, None where not known."""
    listing = _listed(model, base_url, None)
    window = None if listing is None else listing.model.context_window
    return int(window) if window else None


def _tokens(usage: Usage) -> dict[str, int] | None:
    """Give the counts of each kind of token, kinds with a price of their own apart from the rest.

    `audio` that is both from a cache and sound cannot be told apart, and is not known.
    """
    prompt, completion = usage.prompt_tokens, usage.completion_tokens
    if prompt is None or completion is None:
        return None
    counts = {
        "input": prompt,
        "output": completion,
        "cache_read": usage.cached_tokens or 0,
        "cache_write": _detail(usage.prompt_tokens_details, "cache_write_tokens"),
        "input_audio": _detail(usage.prompt_tokens_details, "audio_tokens"),
        "output_audio": _detail(usage.completion_tokens_details, "audio_tokens"),
    }
    of_input = counts["cache_read"] + counts["cache_write"] + counts["input_audio"]
    is_odd = min(counts.values()) < 0 or of_input > prompt or counts["output_audio"] > completion
    if is_odd or (counts["input_audio"] and of_input > counts["input_audio"]):
        return None
    return counts


def _detail(details: Mapping[str, Any], name: str) -> int:
    value = details.get(name)
    return value if isinstance(value, int) else 0


def _fits(row: OwnPrice, model: str, base_url: str, tier: str | None) -> bool:
    same_tier = row.service_tier == tier or {row.service_tier, tier} <= _ORDINARY
    same_server = row.base_url is None or row.base_url.rstrip("/") == base_url.rstrip("/")
    return same_tier and same_server and fnmatchcase(model, row.model)


def _usd_by_own_prices(row: OwnPrice, tokens: Mapping[str, int]) -> float | None:
    prices = {kind: getattr(row, names[1]) for kind, names in _KINDS.items()}
    if any(count and prices[kind] is None for kind, count in tokens.items()):
        return None
    apart = {kind: count for kind, count in tokens.items() if kind not in ("input", "output")}
    plain = {
        "input": tokens["input"] - sum(n for kind, n in apart.items() if kind != "output_audio"),
        "output": tokens["output"] - apart["output_audio"],
    }
    paid = {**apart, **plain}
    return float(sum(count * prices[kind] for kind, count in paid.items() if count)) / _MILLION


@functools.cache
def _package() -> Any:
    try:
        import genai_prices
    except ImportError:
        return None
    return genai_prices


def _by_package(
    model: str,
    base_url: str,
    tokens: Mapping[str, int],
    tier: str | None,
    when: datetime | None,
) -> Cost | None:
    package = _package()
    counts = {
        "input_tokens": tokens["input"],
        "output_tokens": tokens["output"],
        "cache_read_tokens": tokens["cache_read"],
        "cache_write_tokens": tokens["cache_write"],
        "input_audio_tokens": tokens["input_audio"],
        "output_audio_tokens": tokens["output_audio"],
    }
    known = {name: count for name, count in counts.items() if count}
    listing = _listed(model, base_url, when, known, tier)
    if listing is None:
        return None
    used = {kind for kind, count in tokens.items() if count}
    if not all(_has_price(listing, kind, tier, when) for kind in used):
        return None
    version = getattr(package, "__version__", "") or importlib.metadata.version("genai-prices")
    return Cost(float(listing.total_price), f"genai-prices {version}")


def _listed(
    model: str,
    base_url: str,
    when: datetime | None,
    counts: Mapping[str, int] | None = None,
    tier: str | None = None,
) -> Any:
    package = _package()
    if package is None or not model or not base_url:
        return None
    usage = package.Usage(**(counts or {"input_tokens": 0, "output_tokens": 0}))
    try:
        listing = package.calc_price(
            usage,
            model_ref=model,
            provider_api_url=base_url,
            genai_request_timestamp=when,
            price_context=_conditions(tier) or None,
        )
    except (LookupError, ValueError, TypeError):
        return None
    # its patterns only look at how an address begins, and a host may go on
    match = re.match(listing.provider.api_pattern, base_url)
    rest = base_url[match.end() :] if match else "?"
    begins_with = base_url.removesuffix(rest)
    if begins_with.endswith("."):  # one pattern leaves the last part of the name open
        rest = rest.removeprefix("ai").removeprefix("cn")
    return listing if begins_with.endswith("/") or rest[:1] in ("", "/", ":") else None


def _conditions(tier: str | None) -> dict[str, str]:
    """Give under which conditions genai-prices lists a tier; a batch is a way of processing."""
    if tier in _ORDINARY:
        return {}
    return {"processing": "batch"} if tier == BATCH else {"service_tier": str(tier)}


def _holds(variant: Any, when: datetime | None) -> bool:
    constraint = getattr(variant, "constraint", None)
    return constraint is None or bool(constraint.active(when or datetime.now(UTC)))


def _has_price(listing: Any, kind: str, tier: str | None, when: datetime | None) -> bool:
    """Tell whether a kind of token has a price of its own, in this tier at this time."""
    name = _KINDS[kind][0]
    if getattr(listing.model_price, name, None) is None:
        return False
    if tier in _ORDINARY:
        return True
    # a tier without a price of its own would silently get the ordinary one
    variants = [
        variant
        for variant in listing.model.price_variants or ()
        if variant.when == _conditions(tier) and _holds(variant, when)
    ]
    return any(getattr(variant.prices, name, None) is not None for variant in variants)
