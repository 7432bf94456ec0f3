"""A profile that is sent to another process: it goes without its key, and gets one there."""

from __future__ import annotations

import msgspec

from nbchat.client.presets import LOCAL
from nbchat.client.profile_key import key_for
from nbchat.client.profiles import ACCOUNT_HEADERS, Profile, account_headers, environment, place_of
from nbchat.errors import ProfileError


def without_keys(profile: Profile) -> Profile:
    """Give a profile as it may be sent: without its key, and without headers.

    Raise `ProfileError` where no other process could find them: for a key that is in no variable,
    and for headers that were set by hand, which may hold one.
    """
    if profile.name == LOCAL:
        return msgspec.structs.replace(profile, key=None)
    by_hand = [name for name in profile.headers if name not in ACCOUNT_HEADERS.values()]
    if by_hand:
        raise ProfileError(
            f"The profile {profile.name} has headers of its own ({', '.join(by_hand)}), which may "
            "hold a key, and keys are not sent to workers. Nothing was sent: give the key as a "
            "variable of the workers' environment (Profile(key_variable=…)), or run it here."
        )
    if profile.key is not None and not profile.key_variable:
        raise ProfileError(
            f"The profile {profile.name} has a key that is in no variable, and keys are not sent "
            "to workers. Nothing was sent: set the key in the workers' environment, and name the "
            "variable (Profile(key_variable=…))."
        )
    return msgspec.structs.replace(profile, key=None, headers={})


def with_keys_of_here(profile: Profile, *, had_key: bool, where: str) -> Profile:
    """Give a profile that came without its key the one of this process's environment.

    As everywhere, an address gets the key that stands in the same place as the address, and the
    provider's own gets the provider's. `where` names this process. Raise `ProfileError`, which
    names the variable that is missing.
    """
    if profile.name == LOCAL or not had_key:
        return profile
    variables, variable = environment(), profile.key_variable or ""
    address_from = profile.address_from
    if address_from is not None:
        address_from = place_of(profile.base_url, variables)
        if address_from is None:
            raise ProfileError(
                f"{where} has no OPENAI_BASE_URL that is {profile.base_url}: the address stands in "
                f"{profile.address_from} where the sweep was begun, and gets a key only from the "
                f"place that it stands in. Set it there beside {variable}."
            )
    key = key_for(profile.base_url, address_from, variable, variables)
    if key.secret is None:
        reason = f" {key.withheld}" if key.withheld else ""
        raise ProfileError(
            f"{where} has no variable {variable}, which the profile {profile.name} reads its key "
            f"from: set it in the environment that the worker is started in.{reason}"
        )
    return msgspec.structs.replace(
        profile,
        key=key.secret,
        key_from=key.place,
        address_from=address_from,
        headers=account_headers(profile.base_url, variables) if profile.name == "openai" else {},
    )
