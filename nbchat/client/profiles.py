"""Profiles: where requests go, and where their keys come from. Keys never show."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from nbchat.errors import ProfileError
from nbchat.redact import HIDDEN, redact_keys


class Secret:
    """A key that shows in no repr, no string, no format and no pickle. `reveal()` gives it."""

    __slots__ = ("_value",)

    def __init__(self, value: str):
        self._value = value

    def reveal(self) -> str:
        """Give the key itself. For a request's header, and nothing else."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({HIDDEN})"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("A key is not pickled: each process reads it from its own environment.")


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """Where to send requests.

    - `base_url`: up to and without ``/chat/completions``; a query stays behind what is added
    - `key`: a `Secret`, or None where the server wants none
    - `key_variable`: the environment variable that the key is read from
    - `model`: used where a request names none
    - `api_version`: Azure's query parameter
    - `key_header`: ``Authorization`` (as a bearer token) or a header of the server's own
    - `includes_usage`: ask for usage in streams (`stream_options.include_usage`)
    """

    name: str
    base_url: str
    key: Secret | None = None
    key_variable: str | None = None
    model: str | None = None
    api_version: str | None = None
    key_header: str = "Authorization"
    headers: dict[str, str] = {}
    includes_usage: bool = True

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
    def root_url(self) -> str:
        """Where a server has its own addresses, beside those of the API."""
        return self.base_url.partition("?")[0].rstrip("/").removesuffix("/v1")

    def _address(self, path: str) -> str:
        base, _, query = self.base_url.partition("?")
        if self.api_version and "api-version=" not in query:
            query = "&".join(filter(None, (query, f"api-version={self.api_version}")))
        return f"{base.rstrip('/')}/{path}{'?' * bool(query)}{query}"

    def redact(self, text: str) -> str:
        """Take the key out of a text."""
        if self.key is not None and len(self.key.reveal()) >= 4:
            text = text.replace(self.key.reveal(), HIDDEN)
        return redact_keys(text)

    def __repr__(self) -> str:
        address = self.base_url.split("?", maxsplit=1)[0]
        model = f", model={self.model!r}" if self.model else ""
        return f"Profile({self.name!r}, {address!r}{model})"


class _Preset(msgspec.Struct, frozen=True):
    base_url: str
    key_variable: str | None = None
    model: str | None = None
    key_header: str = "Authorization"
    includes_usage: bool = True


PRESETS: Mapping[str, _Preset] = {
    "openai": _Preset("https://api.openai.com/v1", "OPENAI_API_KEY"),
    "azure": _Preset("", "AZURE_OPENAI_API_KEY", key_header="api-key"),
    "openrouter": _Preset("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    "groq": _Preset("https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    # usage comes with the finish chunk there, and the option is refused
    "mistral": _Preset("https://api.mistral.ai/v1", "MISTRAL_API_KEY", includes_usage=False),
    "deepseek": _Preset("https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
    "vllm": _Preset("http://localhost:8000/v1", "VLLM_API_KEY"),
    "llamacpp": _Preset("http://localhost:8080/v1", "LLAMA_API_KEY"),
    "ollama": _Preset("http://localhost:11434/v1"),
}

LOCAL = "local"


def names() -> tuple[str, ...]:
    """Give the names of the profiles that come with nbchat."""
    return (LOCAL, *PRESETS)


def environment() -> dict[str, str]:
    """Give the environment, filled up with the variables of the nearest ``.env`` file.

    A file that cannot be read has none. Of one that is not UTF-8 the rest is read.
    """
    variables = dict(os.environ)
    path = _dotenv_path()
    if path is not None:
        from dotenv import dotenv_values

        with (
            contextlib.suppress(OSError),
            open(path, encoding="utf-8-sig", errors="replace") as file,  # noqa: PTH123 - as below
        ):
            found = {k: v for k, v in dotenv_values(stream=file).items() if v is not None}
            variables = {**found, **variables}
    return variables


def _dotenv_path() -> str | None:
    try:
        folder = os.getcwd()  # noqa: PTH109 - runs at every start: pathlib is slower
    except OSError:
        return None  # a folder that was taken away under the kernel
    while True:
        path = os.path.join(folder, ".env")  # noqa: PTH118
        if os.path.isfile(path):  # noqa: PTH113
            return path
        parent = os.path.dirname(folder)  # noqa: PTH120
        if parent == folder:
            return None
        folder = parent


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
) -> Profile:
    """Make the profile of a name or base URL, with its key from the environment.

    `ask` is called with a prompt where a provider's key is in no variable. Raise
    `ProfileError` where the name is unknown or the key is missing; without `needs_key`, which
    is for looking only, a missing key is None. The profile "local" is
    not made here: its address is known only once the embedded model runs.
    """
    if variables is None:
        variables = environment()
    if "://" in name:
        return _of_url(name, variables)
    preset = PRESETS.get(name)
    if preset is None:
        raise ProfileError(_unknown(name))
    if name == "azure":
        return _azure(preset, variables, ask, needs_key=needs_key)
    base_url = preset.base_url
    if name == "openai":
        base_url = variables.get("OPENAI_BASE_URL") or base_url
    is_provider = base_url == preset.base_url and base_url.startswith("https:")
    return Profile(
        name=name,
        base_url=_checked_url(base_url),
        key=_key(
            name,
            preset,
            variables,
            ask if is_provider else None,
            is_needed=is_provider and needs_key,
        ),
        key_variable=preset.key_variable,
        model=_default_model(name, variables) or preset.model,
        key_header=preset.key_header,
        headers=_account(base_url, variables) if name == "openai" else {},
        includes_usage=preset.includes_usage,
    )


_ACCOUNT_HEADERS = {
    "OPENAI_ORG_ID": "OpenAI-Organization",
    "OPENAI_PROJECT_ID": "OpenAI-Project",
}


def _account(base_url: str, variables: Mapping[str, str]) -> dict[str, str]:
    """Give the headers that say on whose account OpenAI is asked; to others they are not sent."""
    parts = urlsplit(base_url)
    if parts.scheme != "https" or not f".{parts.hostname}".endswith(".openai.com"):
        return {}
    given = {name: (variables.get(name) or "").strip() for name in _ACCOUNT_HEADERS}
    return {
        _ACCOUNT_HEADERS[name]: _checked_key(value, name) for name, value in given.items() if value
    }


def _of_url(url: str, variables: Mapping[str, str]) -> Profile:
    base_url = _checked_url(url)
    # a key is sent only to the server it belongs to
    is_openai = url.rstrip("/") == (variables.get("OPENAI_BASE_URL") or "").rstrip("/")
    variable = "OPENAI_API_KEY" if is_openai else "NBCHAT_API_KEY"
    key = (variables.get(variable) or "").strip()
    return Profile(
        name=urlsplit(base_url).netloc,
        base_url=base_url,
        key=Secret(_checked_key(key, variable)) if key else None,
        key_variable=variable,
        model=variables.get("NBCHAT_MODEL") or None,
    )


def _azure(
    preset: _Preset,
    variables: Mapping[str, str],
    ask: Callable[[str], str] | None,
    *,
    needs_key: bool,
) -> Profile:
    endpoint = variables.get("AZURE_OPENAI_ENDPOINT")
    if not endpoint:
        raise ProfileError(
            "The profile azure needs AZURE_OPENAI_ENDPOINT, as https://NAME.openai.azure.com."
        )
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
    return Profile(
        name="azure",
        base_url=_checked_url(base_url),
        key=_key("azure", preset, variables, ask, is_needed=needs_key),
        key_variable=preset.key_variable,
        model=_default_model("azure", variables) or deployment,
        api_version=version,
        key_header=preset.key_header,
    )


def _default_model(name: str, variables: Mapping[str, str]) -> str | None:
    own = variables.get("OPENAI_MODEL") if name == "openai" else None
    return own or variables.get("NBCHAT_MODEL") or None


def _key(
    name: str,
    preset: _Preset,
    variables: Mapping[str, str],
    ask: Callable[[str], str] | None,
    *,
    is_needed: bool,
) -> Secret | None:
    value = variables.get(preset.key_variable) if preset.key_variable else None
    if not value and ask is not None:
        value = ask(f"Key for {name} (is not shown, is kept in memory only): ").strip()
    if value:
        return Secret(_checked_key(value.strip(), preset.key_variable or "the key"))
    if is_needed:
        raise ProfileError(
            f"The profile {name} needs a key: set {preset.key_variable} in the environment or "
            "in a .env file."
        )
    return None


def _checked_key(value: str, source: str) -> str:
    # a stray line end or quote would be refused by the HTTP library in words that show the key
    if not value.isascii() or not value.isprintable():
        raise ProfileError(f"{source} holds characters that no key can have. Was it cut?")
    return value


def _checked_url(url: str) -> str:
    url = url.strip()
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname)
        has_password, _ = parts.password is not None, parts.port  # a port may be no number
    except ValueError:
        is_address = has_password = False
    if has_password:
        raise ProfileError("A base URL must not hold a password: use a key in the environment.")
    if not is_address:
        raise ProfileError(
            f"{redact_keys(url)!r} is no base URL. It should look like http://localhost:8000/v1."
        )
    address, _, query = url.partition("#")[0].partition("?")
    address = address.rstrip("/").removesuffix("/chat/completions").rstrip("/")
    return f"{address}{'?' * bool(query)}{query}"


def _unknown(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name.lower(), names(), n=1)
    if ":" in name or "." in name:
        near = [f"http://{name}/v1"]
    hint = f" Did you mean {near[0]}?" if near else ""
    known = ", ".join(names())
    return f"There is no profile {redact_keys(name)!r}.{hint} Known are {known}, and any base URL."
