"""Where a run came from, and what kind of server that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbchat.client import native
from nbchat.client.profiles import LOCAL, PRESETS, Profile
from nbchat.session.settings import client_of, current_profile, settings

if TYPE_CHECKING:
    from nbchat.client.native import Kind
    from nbchat.run import Run

_kinds: dict[str, Kind] = {}


def origin_of(run: Run) -> str | Profile | None:
    """Name the profile that a run's server is reached by; None where the run does not say.

    A `Profile` of the user's own is found again where it is the one in force.
    """
    if run.profile == LOCAL:
        return LOCAL
    configured = settings.profile
    if isinstance(configured, Profile) and configured.base_url == run.base_url:
        return configured
    if run.profile in PRESETS and current_profile(run.profile).base_url == run.base_url:
        return run.profile
    return run.base_url or None


def kind_of(profile: Profile) -> Kind:
    """Tell whose server answers at a profile's address; asked once, and remembered."""
    known = native.kind_of_profile(profile)
    if known is not None:
        return known
    if profile.base_url not in _kinds:
        _kinds[profile.base_url] = native.kind(client_of(profile))
    return _kinds[profile.base_url]
