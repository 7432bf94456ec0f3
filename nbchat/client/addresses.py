"""What a base URL tells of itself: whether it stays on this machine, and what must not be in it."""

from __future__ import annotations

import functools
import re
import socket
from ipaddress import IPv6Address, ip_address
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from nbchat.errors import ProfileError
from nbchat.redact import looks_like_key, names_secret, redact_address

# `urlsplit` and the HTTP library read these in two ways, and so find two hosts
_AMBIGUOUS = re.compile(r"[\\\x00-\x20\x7f]")


def checked_url(url: str) -> str:
    """Give a base URL without blanks around it. Raise `ProfileError` where it is none.

    One that holds a key is refused: addresses are shown, stored and logged, by servers too.
    """
    url = url.strip()
    refuse_keys_in(url)
    try:
        parts = urlsplit(url)
        _ = parts.port  # may be no number
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_address = False
    if not is_address or _AMBIGUOUS.search(url):
        raise ProfileError(
            f"{redact_address(url)!r} is no base URL. It should look like http://localhost:8000/v1."
        )
    return url


def base_url_of(url: str) -> str:
    """Give a base URL without what is added to it, and without a slash at its end.

    Raise `ProfileError` where it is none.
    """
    address, _, query = checked_url(url).partition("#")[0].partition("?")
    address = address.rstrip("/").removesuffix("/chat/completions").rstrip("/")
    return f"{address}{'?' * bool(query)}{query}"


def checked_addresses(base_url: str, base_urls: Any) -> tuple[str, ...]:
    """Give the addresses of a profile: `base_url` as it is, or each of `base_urls`.

    Raise `ProfileError` where there is none, and where several are not servers of one kind: one
    key goes to all of them.
    """
    if base_urls == () and base_url:
        refuse_keys_in(base_url)
        return (base_url,)
    if not isinstance(base_urls, (list, tuple)) or not all(isinstance(u, str) for u in base_urls):
        raise ProfileError(
            'base_urls must be a list of base URLs, as ["http://localhost:8000/v1"].'
        )
    if not base_urls:
        raise ProfileError("A profile needs an address: base_url, or base_urls with one at least.")
    addresses = tuple(base_url_of(url) for url in base_urls)
    if base_url and base_url_of(base_url) != addresses[0]:
        raise ProfileError("A profile has base_url or base_urls, and not both.")
    places = [_place_of(address) for address in addresses]
    twice = next((a for n, a in enumerate(addresses) if places[n] in places[:n]), None)
    if twice is not None:
        raise ProfileError(f"base_urls names {redact_address(twice)} twice.")
    if len({urlsplit(address).scheme for address in addresses}) > 1:
        raise ProfileError("base_urls has addresses by http and by https: one key goes to all.")
    return addresses


def _place_of(address: str) -> tuple[str, int | None, str]:
    """Tell two spellings of one address from two addresses."""
    parts = urlsplit(address)
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    return (parts.hostname or "").rstrip("."), port, f"{parts.path}?{parts.query}"


def refuse_keys_in(url: str) -> None:
    """Raise `ProfileError` where an address holds a name, a password or a key."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return  # no address at all, which is another sentence
    if "@" in parts.netloc:
        raise ProfileError(
            "A base URL must not hold a password or a key before its host: use a key in the "
            "environment."
        )
    for name, value in [*parse_qsl(parts.query), *parse_qsl(parts.fragment)]:
        if names_secret(name) or looks_like_key(value):
            raise ProfileError(
                f"A base URL must not hold a key, and {name}=… looks like one: use a key in the "
                "environment, or a header (Profile.headers)."
            )
    if looks_like_key(url):
        raise ProfileError("A base URL must not hold a key, and a part of its path looks like one.")


@functools.lru_cache(maxsize=256)
def is_loopback(url: str) -> bool:
    """Tell whether an address is one of this machine's own, which no other machine reaches."""
    try:
        host = (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return _is_short_loopback(host)
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    return address.is_loopback or address.is_unspecified


def _is_short_loopback(host: str) -> bool:
    """Read ``127.1`` and the like as the C library does, and with it every HTTP library."""
    if not re.fullmatch(r"[0-9a-fx.]+", host):
        return False
    try:
        return socket.inet_aton(host)[0] in (0, 127)
    except OSError:
        return False


def crosses_in_clear(url: str) -> bool:
    """Tell whether what is sent there can be read on its way."""
    return url.startswith("http:") and not is_loopback(url)
