"""Which key an address gets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec

from nbchat.client.presets import PRESETS, Preset
from nbchat.client.secret import Secret, checked_key
from nbchat.client.variables import TYPED_IN, Variables
from nbchat.errors import ProfileError


class ProfileKey(msgspec.Struct, frozen=True):
    """A key for an address, and where it stands; or why there is none."""

    secret: Secret | None = None
    place: str | None = None
    withheld: str | None = None

    def facts(self, address_from: str | None) -> dict[str, Any]:
        """Give what a `Profile` says of its key and address."""
        return {
            "key": self.secret,
            "key_from": self.place,
            "withheld": self.withheld,
            "address_from": address_from,
        }


def key_for(
    base_url: str, address_from: str | None, variable: str | None, variables: Variables
) -> ProfileKey:
    """Decide which key an address gets: the one place for it.

    `address_from` is the place that the address stands in; None where it is a preset's own, or
    where the user has named it. That place's own key is sent there, and the key of a provider
    to the provider.
    """
    there = variables.place(variable) if variable is not None else None
    if variable is None or there is None:
        return ProfileKey()
    is_free = address_from is None or provider_of(base_url) == variable
    place = there if is_free else variables.at(address_from or "").place(variable)
    if place is None:
        return ProfileKey(
            withheld=f"{variable} of {there.name} is not sent to an address from {address_from}: "
            "a key goes to an address of its own place alone."
        )
    if base_url.startswith("http:") and _host_of_provider(base_url) is not None:
        raise ProfileError(f"{base_url} would be sent the key in clear: it is asked by https.")
    value = checked_key(place.values[variable].strip(), variable)
    return ProfileKey(Secret(value), place.name) if value else ProfileKey()


def provider_of(base_url: str) -> str | None:
    """Name the variable of the key that belongs to the provider at an address."""
    parts = urlsplit(base_url)
    is_its_own = parts.scheme == "https" and parts.port in (None, 443)
    return _host_of_provider(base_url) if is_its_own else None


def _host_of_provider(base_url: str) -> str | None:
    host = (urlsplit(base_url).hostname or "").rstrip(".")
    for preset in PRESETS.values():
        address = urlsplit(preset.base_url)
        # below a provider's name there is the provider alone: eu.api.openai.com
        if address.scheme == "https" and f".{host}".endswith(f".{address.hostname}"):
            return preset.key_variable
    return None


def key_by_asking(
    name: str, preset: Preset, ask: Callable[[str], str] | None, *, needs_key: bool
) -> ProfileKey:
    """Ask for a key that stands nowhere."""
    value = ""
    if ask is not None:
        value = ask(f"Key for {name} (is not shown, is kept in memory only): ").strip()
    if value:
        return ProfileKey(Secret(checked_key(value, preset.key_variable or "the key")), TYPED_IN)
    if needs_key:
        raise ProfileError(
            f"The profile {name} needs a key: set {preset.key_variable} in the environment or "
            "in a .env file."
        )
    return ProfileKey()
