"""What holds for this process: the profile in force, its clients, the models they know."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from nbchat.client import presets, profiles
from nbchat.client.presets import LOCAL
from nbchat.client.profiles import Profile
from nbchat.client.secret import Secret
from nbchat.client.variables import TYPED_IN, Place, Variables
from nbchat.errors import CheckError, NbchatError, ProfileError
from nbchat.prices import read_prices
from nbchat.session.offline import asks_nobody, refuse_to_ask
from nbchat.session.several_servers import steady
from nbchat.session.state import STATE

if TYPE_CHECKING:
    from nbchat.client.client import Client
    from nbchat.client.stream import Timeouts
    from nbchat.history.cassette import Cassette
    from nbchat.session.budget import Budget


settings = STATE.settings


def configure(
    *,
    profile: str | Profile | None = None,
    model: str | None = None,
    timeout: float | Timeouts | None = None,
    max_retries: int | None = None,
    repair: bool | None = None,
    max_message_bytes: int | None = None,
    history: str | os.PathLike[str] | bool | None = None,
    replay: str | None = None,
    replay_speed: float | None = None,
    cassette: str | os.PathLike[str] | None = None,
    prices: Any = None,
    budget_usd: float | Literal["none"] | None = None,
) -> None:
    """Set what holds for all later requests of this process.

    - `profile`: a name ("local", "openai", …), a base URL or a `Profile`
    - `model`: the model of that profile that is asked where a request names none; it is
      forgotten where another profile is set
    - `timeout`: the longest silence of a server, in seconds
    - `max_retries`: tries after the first one, 0 for none
    - `repair`: where a server refuses one field that can be left out or has another name,
      try once without it or with that, and say so (the default); False: show its error
    - `max_message_bytes`: the most that one event of a stream, or a whole answer, may have
      (64 MB); a server that sends more is left
    - `history`: the file or folder that runs are kept in, "off" for none, "on" for the user's
      data folder
    - `replay`: "off", "auto" (answers from the record, and asks for what is not there), "only"
      (never asks, and says what is missing) or "refresh" (asks again and records anew)
    - `replay_speed`: 0 at once (the default), 1.0 as fast as it came
    - `cassette`: a ``.jsonl`` or ``.jsonl.gz`` beside the notebook that runs are recorded in and
      replayed from, in the place of the history; "off" for none
    - `prices`: what tokens cost, before what genai-prices knows: a frame or list of rows with
      model, input_usd_per_mtok, output_usd_per_mtok (`nbchat.prices.OwnPrice` says what else),
      or a mapping of models to such rows; ``[]`` for none
    - `budget_usd`: what all requests of this process may cost together: what may cost more
      than is left is not sent (`nbchat.budget()`); "none" for no limit

    What is not given stays as it is. Raise `ProfileError` where there is no such profile.
    """
    from nbchat.client import retry
    from nbchat.client.client import checked_size
    from nbchat.client.stream import Timeouts
    from nbchat.session.replay import checked_mode, checked_speed

    if profile is not None and profile not in presets.names():
        current_profile(profile)
    if model is not None:
        checked_model(model, profile)
    Timeouts.of(timeout)
    if max_retries is not None:
        retry.checked(max_retries)
    if budget_usd is not None:
        STATE.budget.limit_usd = None if budget_usd == "none" else budget_usd
    if prices is not None:
        settings.prices = read_prices(prices)
    if replay is not None:
        settings.replay = checked_mode(replay)
    if replay_speed is not None:
        settings.replay_speed = checked_speed(replay_speed)
    if cassette is not None:
        chosen = _cassette(cassette)
        if settings.cassette is not None:
            settings.cassette.write()
        settings.cassette = chosen
        STATE.claims.forget()
        STATE.forget_servers()  # what they are asked again goes into the cassette
    if history is not None:
        from nbchat.history.store import choose

        choose(history)
    if max_message_bytes is not None:
        settings.max_message_bytes = checked_size(max_message_bytes)
        with STATE.lock:
            for client in STATE.clients.values():
                client.max_message_bytes = max_message_bytes
    choose_profile(settings.profile if profile is None else profile)
    settings.model = settings.model if model is None else model
    settings.timeout = settings.timeout if timeout is None else timeout
    settings.max_retries = settings.max_retries if max_retries is None else max_retries
    settings.repair = settings.repair if repair is None else repair


def choose_profile(profile: str | Profile | None) -> None:
    """Set the profile in force, None for that of the environment. A model was of the other one."""
    if profile != settings.profile:
        settings.profile, settings.model = profile, None


def checked_model(model: Any, profile: str | Profile | None) -> None:
    """Raise CheckError for what is no model's name, or none of this profile's."""
    from nbchat.request.prepare import check_model

    if not isinstance(model, str) or not model.strip():
        rule = "must be a model's name"
        raise CheckError(f"model is {model!r}, but it {rule}.", field="model", rule=rule)
    check_model(_in_force(profile, None), {"model": model})


def budget() -> Budget:
    """Give what requests of this process may cost, what they did, and what is left."""
    return STATE.budget


def _cassette(path: str | os.PathLike[str]) -> Cassette | None:
    from nbchat.history.cassette import Cassette

    if os.fspath(path) == "off":
        return None
    try:
        return Cassette(path)
    except ValueError as error:
        raise CheckError(str(error), field="cassette", value=path) from None


def endpoint(profile_name: str, base_url: str) -> str:
    """Name a server for as long as the process lives; the embedded one may change its port."""
    return LOCAL if profile_name == LOCAL else base_url


def current_profile(profile: str | Profile | None = None) -> Profile:
    """Give the profile that a request would use. Starts nothing, asks for nothing.

    What the call names comes first, then `configure`, then the environment, then the
    embedded model.
    """
    return resolved(profile, say=None)


def resolved(profile: str | Profile | None, say: Callable[[str], None] | None) -> Profile:
    """Give the profile of a request; with `say`, one that is ready to be sent to.

    Then the embedded model is started where it does not run, and a key that is in no variable
    is asked for; `say` is told what is waited for. A replay that asks nobody needs neither.
    """
    if asks_nobody():
        say = None
    profile_named = _in_force(profile, say)
    if settings.model is None or profile_named.name == LOCAL:
        return profile_named
    in_force = profile_named if profile is None else _in_force(None, None)
    if (profile_named.name, profile_named.base_url) != (in_force.name, in_force.base_url):
        return profile_named
    return msgspec.structs.replace(profile_named, model=settings.model)


def _in_force(profile: str | Profile | None, say: Callable[[str], None] | None) -> Profile:
    chosen = profile if profile is not None else settings.profile
    if isinstance(chosen, Profile):
        return chosen
    if chosen is not None and not isinstance(chosen, str):
        raise ProfileError(
            f"A profile is a name, a base URL or a Profile, not a {type(chosen).__name__}."
        )
    variables = Variables(*profiles.environment().places, Place(TYPED_IN, STATE.typed_keys))
    name = chosen or profiles.default_name(variables)
    if name == LOCAL:
        return _local_profile(say)
    named_by = None if chosen else variables.place("NBCHAT_PROFILE")
    return profiles.resolve(
        name,
        variables,
        ask=None if say is None else _ask_for_key(name, say),
        needs_key=say is not None,
        named_by=named_by and named_by.name,
    )


def _local_profile(say: Callable[[str], None] | None) -> Profile:
    from nbchat import local

    if say is None:
        status = local.status_if_used()
        return Profile(
            name=LOCAL,
            base_url=(status and status.base_url) or "http://127.0.0.1:PORT/v1",
            key_variable="NBCHAT_API_KEY",
            model=local.model_if_used(),
        )
    server = local.ensure(say)
    return Profile(
        name=LOCAL,
        base_url=server.base_url,
        key=Secret(server.key),
        model=server.model,
    )


def _ask_for_key(name: str, say: Callable[[str], None]) -> Callable[[str], str]:
    def ask(prompt: str) -> str:
        import getpass

        if threading.current_thread() is not threading.main_thread():
            return ""  # no front end hears a question from there
        is_kernel = "ipykernel" in sys.modules
        if not is_kernel and not sys.stdin.isatty():
            return ""
        say(" ")  # that a token is waited for must not stand above the question
        try:
            key = getpass.getpass(prompt)
        except (EOFError, NotImplementedError, RuntimeError):
            return ""  # a front end that cannot ask, such as nbconvert
        finally:
            say("")
        preset = presets.PRESETS[name]
        if key.strip() and preset.key_variable:
            STATE.typed_keys[preset.key_variable] = key.strip()
        return key

    return ask


def typed_keys() -> set[str]:
    """Give the keys that were asked for. For comparing alone."""
    return set(STATE.typed_keys.values())


def client_of(profile: Profile) -> Client:
    """Give the client of a profile, one for the process, so that connections stay open.

    Of several servers it is that of the one which exact requests stay on.

    Raise `NotRecordedError` in a replay that asks nobody.
    """
    refuse_to_ask(profile)
    profile = steady(profile)
    key = profile.identity
    with STATE.lock:
        client = STATE.clients.get(key)
        if client is None:
            from nbchat.client.client import Client  # requests, on first use

            client = STATE.clients[key] = Client(profile)
            client.max_message_bytes = settings.max_message_bytes or client.max_message_bytes
    return client


class Listing:
    """The models of a server, while they are asked for and when they have come."""

    def __init__(self, profile: Profile):
        self._names: list[str] = []
        self._good_until = float("inf")
        # a look-up of the host's name can hang for long, and no timeout ends it
        self._asking = threading.Thread(
            target=self._ask, args=(profile,), name="nbchat-models", daemon=True
        )
        self._asking.start()

    def is_old(self) -> bool:
        """Tell whether it is time to ask again."""
        return time.monotonic() > self._good_until

    def names_within(self, timeout_s: float) -> list[str]:
        """Give the names, none where they have not come within so many seconds."""
        self._asking.join(timeout_s)
        return self._names

    def _ask(self, profile: Profile) -> None:
        lasts_s = 10.0
        try:
            self._names = client_of(profile).models(timeout_s=30.0)
            lasts_s = 300.0
        except NbchatError:
            pass
        finally:
            self._good_until = time.monotonic() + lasts_s


def models(profile: str | Profile | None = None, timeout_s: float = 0.5) -> list[str]:
    """Name the models of a server; the list is kept for five minutes.

    Empty where it has not come within `timeout_s` seconds in all; it is waited for in the
    background, so that the next call may have it. A server that does not answer is asked again
    after ten seconds. Never starts the embedded model.
    """
    try:
        profile_in_force = current_profile(profile)
    except NbchatError:
        return []
    if profile_in_force.name == LOCAL:
        return [profile_in_force.model] if profile_in_force.model else []
    listing = STATE.listings.get(profile_in_force.identity)
    if listing is None or listing.is_old():
        listing = STATE.listings[profile_in_force.identity] = Listing(profile_in_force)
    return listing.names_within(timeout_s)
