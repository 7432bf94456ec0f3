"""Profiles: where requests go, and where their keys come from. Keys never show."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import msgspec

from nbchat.client.addresses import base_url_of, checked_addresses, refuse_keys_in
from nbchat.client.presets import LOCAL, PRESETS, Preset, unknown_name
from nbchat.client.profile_key import key_by_asking, key_for, provider_of
from nbchat.client.secret import HeaderText, Secret, checked_key
from nbchat.client.variables import Place, Variables
from nbchat.errors import ProfileError
from nbchat.redact import HIDDEN, redact_address, redact_keys


class Profile(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Where to send requests.

    - `base_url`: up to and without ``/chat/completions``; a query stays behind what is added
    - `base_urls`: several servers with the same model, in the place of `base_url`, which is then
      the first: each request goes to the one that has least to do
    - `name`: what frames call it; where none is given, the host
    - `key`: a `Secret` (a text becomes one), or None where the server wants none
    - `key_variable`: the environment variable that the key is read from
    - `model`: used where a request names none
    - `api_version`: Azure's query parameter
    - `key_header`: ``Authorization`` (as a bearer token) or a header of the server's own
    - `includes_usage`: ask for usage in streams (`stream_options.include_usage`)
    - `proxy`: the address of a proxy to send through; None is what the environment says
      (``HTTPS_PROXY``, ``NO_PROXY``, …), which never holds for this machine's own addresses
    - `address_from`, `key_from`, `named_by`: where the address, the key and the profile's
      name stand, "the environment" or the path of a file; None where the address is nbchat's
      own, or was named in a call
    - `withheld`: a sentence, where there is a key that is not sent to this address

    Raise `ProfileError` where the address holds a key, or the key is none.
    """

    name: str = ""
    base_url: str = ""
    base_urls: tuple[str, ...] = ()
    key: Secret | None = None
    key_variable: str | None = None
    model: str | None = None
    api_version: str | None = None
    key_header: str = "Authorization"
    headers: dict[str, str] = {}
    includes_usage: bool = True
    proxy: str | None = None
    address_from: str | None = None
    key_from: str | None = None
    named_by: str | None = None
    withheld: str | None = None

    def __post_init__(self) -> None:
        addresses = checked_addresses(self.base_url, self.base_urls)
        msgspec.structs.force_setattr(self, "base_url", addresses[0])
        several = addresses if len(addresses) > 1 else ()
        msgspec.structs.force_setattr(self, "base_urls", several)
        if not self.name:
            msgspec.structs.force_setattr(self, "name", urlsplit(self.base_url).netloc)
        if isinstance(self.key, str):
            secret = Secret(checked_key(self.key.strip(), "key")) if self.key.strip() else None
            msgspec.structs.force_setattr(self, "key", secret)
        elif not isinstance(self.key, Secret | None):
            raise ProfileError(f"key must be a text or a Secret, not a {type(self.key).__name__}.")

    @property
    def addresses(self) -> tuple[str, ...]:
        """All base URLs, one or several."""
        return self.base_urls or (self.base_url,)

    def at(self, base_url: str) -> Profile:
        """Give the profile of one of several servers."""
        return msgspec.structs.replace(self, base_url=base_url, base_urls=())

    @property
    def url(self) -> str:
        """The address that completions are asked from."""
        return self._address("chat/completions")

    @property
    def models_url(self) -> str:
        """The address of the server's list of models."""
        return self._address("models")

    @property
    def completions_url(self) -> str:
        """The address of the older API, which takes a prompt as text or as token ids."""
        return self._address("completions")

    @property
    def batches_url(self) -> str:
        """The address of the server's batches; on Azure beside the deployments."""
        return self._address("batches", is_of_model=False)

    @property
    def files_url(self) -> str:
        """The address of the files that batches are made of, and of what came of them."""
        return self._address("files", is_of_model=False)

    @property
    def root_url(self) -> str:
        """Where a server has its own addresses, beside those of the API."""
        return self.base_url.partition("?")[0].rstrip("/").removesuffix("/v1")

    def _address(self, path: str, *, is_of_model: bool = True) -> str:
        base, _, query = self.base_url.partition("?")
        if not is_of_model:
            base = base.partition("/deployments/")[0]
        if self.api_version and "api-version=" not in query:
            query = "&".join(filter(None, (query, f"api-version={self.api_version}")))
        return f"{base.rstrip('/')}/{path}{'?' * bool(query)}{query}"

    def redact(self, text: str) -> str:
        """Take the key out of a text."""
        for secret in self._secrets():
            if len(secret) >= 4:
                text = text.replace(secret, HIDDEN)
        return redact_keys(text)

    def request_headers(self) -> dict[str, str]:
        """Give the headers that are sent for this profile, the key's among them."""
        headers: dict[str, str] = {n: HeaderText(value) for n, value in self.headers.items()}
        if self.key is not None:
            is_bearer = self.key_header == "Authorization"
            headers[self.key_header] = HeaderText(f"{'Bearer ' * is_bearer}{self.key.reveal()}")
        return headers

    @cached_property
    def identity(self) -> Hashable:
        """All that decides what is sent, and where: what a connection may be shared by."""
        apart = ("headers", "base_urls")
        fields = [getattr(self, name) for name in self.__struct_fields__ if name not in apart]
        fields += self.base_urls
        headers = [text for item in sorted(self.headers.items()) for text in item]
        # a repr of it shows none of the texts
        return tuple(
            HeaderText(fact) if isinstance(fact, str) else fact for fact in fields + headers
        )

    def _secrets(self) -> list[str]:
        """Give the key, and what stands in headers, which may be one; the longest first."""
        secrets = {value for value in self.headers.values() if len(value) >= 8}
        secrets |= {value.rpartition(" ")[2] for value in secrets}
        if self.key is not None:
            secrets.add(self.key.reveal())
        return sorted(secrets, key=len, reverse=True)

    def __repr__(self) -> str:
        addresses = [redact_address(url.split("?", maxsplit=1)[0]) for url in self.addresses]
        where = f"{addresses if self.base_urls else addresses[0]!r}"
        model = f", model={self.model!r}" if self.model else ""
        return f"Profile({self.name!r}, {where}{model})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:  # msgspec's own shows every field
        addresses = [redact_address(url) for url in self.addresses]
        where = ("base_urls", addresses) if self.base_urls else ("base_url", addresses[0])
        return [("name", self.name), where]


def environment() -> Variables:
    """Give the environment, filled up with the variables of the nearest ``.env`` file.

    A file that cannot be read has none. Of one that is not UTF-8 the rest is read.
    """
    return Variables.of(None)


def default_name(variables: Mapping[str, str]) -> str:
    """Name the profile that is in force where nothing was chosen."""
    if variables.get("NBCHAT_PROFILE"):
        return variables["NBCHAT_PROFILE"]
    if variables.get("OPENAI_BASE_URL") or variables.get("OPENAI_API_KEY"):
        return "openai"
    return LOCAL


def resolve(
    name: str,
    variables: Mapping[str, str] | None = None,
    *,
    ask: Callable[[str], str] | None = None,
    needs_key: bool = True,
    named_by: str | None = None,
) -> Profile:
    """Make the profile of a name or base URL, with its key from the environment.

    `ask` is called with a prompt where a provider's key is in no variable. Raise
    `ProfileError` where the name is unknown or the key is missing; without `needs_key`, which
    is for looking only, a missing key is None. `named_by` is the place that the name itself
    stands in, None where the user has named it. The profile "local" is
    not made here: its address is known only once the embedded model runs.

    A key goes to the provider's own address, and else to one that stands in the same place as
    the key: an address from a ``.env`` file gets no key of the environment.
    """
    variables = Variables.of(variables)
    if "://" in name:
        return _of_url(name, variables, named_by)
    preset = PRESETS.get(name)
    if preset is None:
        raise ProfileError(unknown_name(name))
    if name == "azure":
        return _azure(preset, variables, ask, needs_key=needs_key)
    base_url = base_url_of(preset.base_url)
    address_from = None
    if name == "openai" and variables.get("OPENAI_BASE_URL"):
        base_url = base_url_of(variables["OPENAI_BASE_URL"])
        address_from = place_of(base_url, variables)
    is_provider = base_url == preset.base_url and base_url.startswith("https:")
    key = key_for(base_url, address_from, preset.key_variable, variables)
    if key.secret is None and is_provider:
        key = key_by_asking(name, preset, ask, needs_key=needs_key)
    return Profile(
        name=name,
        base_url=base_url,
        **key.facts(address_from),
        named_by=named_by,
        key_variable=preset.key_variable,
        model=_default_model(name, variables) or preset.model,
        key_header=preset.key_header,
        headers=account_headers(base_url, variables) if name == "openai" else {},
        includes_usage=preset.includes_usage,
    )


#: headers that say on whose account OpenAI is asked -> their variables
ACCOUNT_HEADERS = {
    "OPENAI_ORG_ID": "OpenAI-Organization",
    "OPENAI_PROJECT_ID": "OpenAI-Project",
}


def account_headers(base_url: str, variables: Variables) -> dict[str, str]:
    """Give the headers that say on whose account OpenAI is asked; to others they are not sent."""
    parts = urlsplit(base_url)
    if parts.scheme != "https" or not f".{parts.hostname}".endswith(".openai.com"):
        return {}
    values = {name: (variables.get(name) or "").strip() for name in ACCOUNT_HEADERS}
    return {
        ACCOUNT_HEADERS[name]: checked_key(value, name) for name, value in values.items() if value
    }


def _of_url(url: str, variables: Variables, named_by: str | None) -> Profile:
    base_url = base_url_of(url)
    named_at = place_of(base_url, variables)
    address_from = named_at or named_by
    variable = provider_of(base_url) or ("OPENAI_API_KEY" if named_at else "NBCHAT_API_KEY")
    return Profile(
        name=urlsplit(base_url).netloc,
        base_url=base_url,
        **key_for(base_url, address_from, variable, variables).facts(address_from),
        named_by=named_by,
        key_variable=variable,
        model=variables.get("NBCHAT_MODEL") or None,
    )


def place_of(base_url: str, variables: Variables) -> str | None:
    """Name the place whose OPENAI_BASE_URL this is; of several, one that has the key too."""
    naming = [place for place in variables.places if _names(place, base_url)]
    with_key = [place for place in naming if place.values.get("OPENAI_API_KEY")]
    return next((place.name for place in [*with_key, *naming]), None)


def _names(place: Place, base_url: str) -> bool:
    url = place.values.get("OPENAI_BASE_URL")
    try:
        return bool(url) and base_url_of(str(url)) == base_url
    except ProfileError:
        return False


def _azure(
    preset: Preset,
    variables: Variables,
    ask: Callable[[str], str] | None,
    *,
    needs_key: bool,
) -> Profile:
    place = variables.place("AZURE_OPENAI_ENDPOINT")
    endpoint = place.values["AZURE_OPENAI_ENDPOINT"] if place is not None else None
    if place is None or not endpoint:
        raise ProfileError(
            "The profile azure needs AZURE_OPENAI_ENDPOINT, as https://NAME.openai.azure.com."
        )
    refuse_keys_in(endpoint)
    version = variables.get("OPENAI_API_VERSION")
    deployment = variables.get("AZURE_OPENAI_DEPLOYMENT")
    whole, _, query = endpoint.strip().partition("?")
    endpoint = whole.rstrip("/").removesuffix("/chat/completions")
    if endpoint != whole.rstrip("/"):  # the target URI, as the portal shows it
        base_url = f"{endpoint}{'?' * bool(query)}{query}"
        before, _, named = endpoint.rpartition("/deployments/")
        deployment = named if before else deployment
    elif not version:  # the newer address, which needs no version and names the model in the body
        root = endpoint.removesuffix("/openai")
        base_url = endpoint if endpoint.endswith("/v1") else f"{root}/openai/v1"
    elif not deployment:
        raise ProfileError(
            "The profile azure with OPENAI_API_VERSION needs AZURE_OPENAI_DEPLOYMENT too."
        )
    else:
        endpoint = endpoint.removesuffix("/openai")
        base_url = f"{endpoint}/openai/deployments/{deployment}"
    base_url = base_url_of(base_url)
    key = key_for(base_url, place.name, preset.key_variable, variables)
    if key.secret is None and key.withheld is None:
        key = key_by_asking("azure", preset, ask, needs_key=needs_key)
    elif key.secret is None and needs_key:
        raise ProfileError(f"The profile azure needs a key. {key.withheld}")
    return Profile(
        name="azure",
        base_url=base_url,
        **key.facts(place.name),
        key_variable=preset.key_variable,
        model=_default_model("azure", variables) or deployment,
        api_version=version,
        key_header=preset.key_header,
    )


def _default_model(name: str, variables: Mapping[str, str]) -> str | None:
    of_openai = variables.get("OPENAI_MODEL") if name == "openai" else None
    return of_openai or variables.get("NBCHAT_MODEL") or None
