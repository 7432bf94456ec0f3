"""Where a run came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbchat.client.presets import LOCAL, PRESETS
from nbchat.client.profiles import Profile
from nbchat.session.settings import current_profile, settings

if TYPE_CHECKING:
    from nbchat.run import Run


def origin_of(run: Run) -> str | Profile | None:
    """Name the profile that a run's server is reached by; None where the run does not say.

    A `Profile` of the user's own is found again where it is the one in force.
    """
    if run.profile == LOCAL:
        return LOCAL
    configured = settings.profile
    if isinstance(configured, Profile) and run.base_url in configured.addresses:
        return configured.at(run.base_url) if configured.base_urls else configured
    if run.profile in PRESETS and current_profile(run.profile).base_url == run.base_url:
        return run.profile
    return run.base_url or None
