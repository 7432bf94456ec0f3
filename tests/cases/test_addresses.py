"""Addresses as people copy them: with a query, with a path too many, behind a proxy."""

from __future__ import annotations

import pytest

from nbchat.client import Client, Profile, resolve
from nbchat.errors import ConnectError
from tests.scripted import ScriptedServer

AZURE = "https://x.openai.azure.com"
KEY = {"AZURE_OPENAI_API_KEY": "k" * 32}
VERSION = {"OPENAI_API_VERSION": "2024-10-21", "AZURE_OPENAI_DEPLOYMENT": "gpt"}
DATED = f"{AZURE}/openai/deployments/gpt/chat/completions?api-version=2024-10-21"


@pytest.mark.parametrize(
    ("base", "target"),
    [
        ("/v1?api-version=1", "/v1/chat/completions?api-version=1"),  # huggingface_hub#3200
        ("/v1/?a=1&b=2", "/v1/chat/completions?a=1&b=2"),  # chatgpt-md#173
        ("/v1/chat/completions?a=1", "/v1/chat/completions?a=1"),  # litellm#8572
        ("/v1#there", "/v1/chat/completions"),
        # guards
        ("/v1/", "/v1/chat/completions"),
        ("/v1//", "/v1/chat/completions"),
        ("/v1/chat/completions", "/v1/chat/completions"),
        ("/v1/chat/completions/", "/v1/chat/completions"),
    ],
)
def test_a_query_stays_behind_the_path(server: ScriptedServer, base: str, target: str) -> None:
    with Client(server.url.removesuffix("/v1") + base) as client:
        client.complete("Hi")
        client.models()
    assert server.requests[0].target == target
    assert server.model_requests[0].target == target.replace("chat/completions", "models")


def test_every_address_of_a_profile_keeps_the_query_and_has_one_version() -> None:
    profile = Profile(name="x", base_url="http://h/v1?a=1", api_version="2")
    assert profile.url == "http://h/v1/chat/completions?a=1&api-version=2"
    assert profile.completions_url == "http://h/v1/completions?a=1&api-version=2"
    assert profile.root_url == "http://h"
    twice = Profile(name="x", base_url="http://h/v1?api-version=1", api_version="2")
    assert twice.url == "http://h/v1/chat/completions?api-version=1"


@pytest.mark.parametrize(
    ("endpoint", "more", "url"),
    [
        pytest.param(
            f"{AZURE}/openai/deployments/gpt/chat/completions?api-version=2025-01-01-preview",
            {},
            f"{AZURE}/openai/deployments/gpt/chat/completions?api-version=2025-01-01-preview",
            id="the target URI of the portal",
        ),
        pytest.param(f"{AZURE}/openai/", VERSION, DATED, id="/openai/, dated"),
        pytest.param(AZURE, VERSION, DATED, id="guard: the host alone, dated"),
        pytest.param(f"{AZURE}/openai", {}, f"{AZURE}/openai/v1/chat/completions", id="/openai"),
        pytest.param(AZURE, {}, f"{AZURE}/openai/v1/chat/completions", id="guard: the host alone"),
        pytest.param(
            f"{AZURE}/openai/v1/",
            {},
            f"{AZURE}/openai/v1/chat/completions",
            id="guard: /openai/v1/",
        ),
    ],
)
def test_azures_endpoint_may_be_what_the_portal_shows(
    endpoint: str, more: dict[str, str], url: str
) -> None:
    assert resolve("azure", {"AZURE_OPENAI_ENDPOINT": endpoint, **KEY, **more}).url == url


def test_the_deployment_of_a_target_uri_is_the_model() -> None:
    uri = f"{AZURE}/openai/deployments/gpt/chat/completions?api-version=1"
    assert resolve("azure", {"AZURE_OPENAI_ENDPOINT": uri, **KEY}).model == "gpt"


@pytest.mark.parametrize(
    ("base_url", "is_sent"),
    [
        (None, True),
        ("https://eu.api.openai.com/v1", True),
        ("https://api.openai.com.evil.example/v1", False),
        ("https://notopenai.com/v1", False),
        ("http://localhost:8000/v1", False),
    ],
)
def test_the_account_is_named_to_openai_alone(base_url: str | None, is_sent: bool) -> None:
    variables = {
        "OPENAI_API_KEY": "k" * 32,
        "OPENAI_ORG_ID": "org-1",
        "OPENAI_PROJECT_ID": "proj_1",
    }
    if base_url:
        variables["OPENAI_BASE_URL"] = base_url
    wanted = {"OpenAI-Organization": "org-1", "OpenAI-Project": "proj_1"} if is_sent else {}
    assert resolve("openai", variables).headers == wanted
    assert resolve("groq", {**variables, "GROQ_API_KEY": "k" * 32}).headers == {}


def test_a_socks_proxy_without_its_package_is_named_as_the_cause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # open-webui#15683
    import requests.adapters

    def lacks_socks(*_: object, **__: object) -> None:
        raise requests.exceptions.InvalidSchema("Missing dependencies for SOCKS support.")

    monkeypatch.setattr(requests.adapters, "SOCKSProxyManager", lacks_socks)
    monkeypatch.setenv("http_proxy", "socks5h://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.delenv("NO_PROXY", raising=False)
    with Client("http://far.example/v1", max_retries=0, timeout=3) as client:
        with pytest.raises(ConnectError, match=r"requests\[socks\]"):
            client.complete("Hi")
