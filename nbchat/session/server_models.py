"""What models a server offers: asked for, and waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbchat.client.presets import LOCAL
from nbchat.session.settings import client_of, current_profile, resolved
from nbchat.session.watchers import PrintingWatcher

if TYPE_CHECKING:
    from nbchat.client.profiles import Profile


def models(profile: str | Profile | None = None) -> list[str]:
    """Name the models that a server offers, those of the profile in force by default.

    The embedded model is named and not started. Raise `ProfileError` where there is no such
    profile or no key for it, `ApiError` where the server has no list, `TransportError` where it
    does not answer.
    """
    in_force = current_profile(profile)
    if in_force.name == LOCAL:
        return [in_force.model] if in_force.model else []
    return client_of(resolved(profile, PrintingWatcher().status)).models(timeout_s=30.0)
