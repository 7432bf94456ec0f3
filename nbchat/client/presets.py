"""The profiles that come with nbchat: providers and servers that are known by a name."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from nbchat.redact import redact_address


class Preset(msgspec.Struct, frozen=True):
    """What is known of a provider or server; the fields are those of `Profile`."""

    base_url: str
    key_variable: str | None = None
    model: str | None = None
    key_header: str = "Authorization"
    includes_usage: bool = True


PRESETS: Mapping[str, Preset] = {
    "openai": Preset("https://api.openai.com/v1", "OPENAI_API_KEY"),
    "azure": Preset("", "AZURE_OPENAI_API_KEY", key_header="api-key"),
    "openrouter": Preset("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    "groq": Preset("https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    # usage comes with the finish chunk there, and the option is refused
    "mistral": Preset("https://api.mistral.ai/v1", "MISTRAL_API_KEY", includes_usage=False),
    "deepseek": Preset("https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
    "vllm": Preset("http://localhost:8000/v1", "VLLM_API_KEY"),
    "llamacpp": Preset("http://localhost:8080/v1", "LLAMA_API_KEY"),
    "ollama": Preset("http://localhost:11434/v1"),
}

LOCAL = "local"


def names() -> tuple[str, ...]:
    """Give the names of the profiles that come with nbchat."""
    return (LOCAL, *PRESETS)


def unknown_name(name: str) -> str:
    """Say that there is no such profile, and which is nearest."""
    import difflib

    near = difflib.get_close_matches(name.lower(), names(), n=1)
    if ":" in name or "." in name:
        near = [f"http://{name}/v1"]
    hint = f" Did you mean {near[0]}?" if near else ""
    known = ", ".join(names())
    return (
        f"There is no profile {redact_address(name)!r}.{hint} Known are {known}, and any base URL."
    )
