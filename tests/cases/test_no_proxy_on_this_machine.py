"""What goes from this machine to itself goes through no proxy: nothing encrypts it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import nbchat
from nbchat import Profile
from nbchat.client import Secret
from nbchat.client.client import Client
from nbchat.errors import NbchatError
from nbchat.session.state import STATE
from tests.cases.canary import CANARY
from tests.cases.logging_proxy import LoggingProxy
from tests.scripted import ScriptedServer

NAMES = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "https_proxy", "HTTPS_PROXY"]


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoggingProxy]:
    for name in [*NAMES, "no_proxy", "NO_PROXY"]:
        monkeypatch.delenv(name, raising=False)
    STATE.clients.clear()
    with LoggingProxy() as proxy:
        yield proxy
    STATE.clients.clear()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1"])
def test_the_proxy_of_the_environment_sees_nothing_of_it(
    proxy: LoggingProxy, monkeypatch: pytest.MonkeyPatch, name: str, host: str
) -> None:
    monkeypatch.setenv(name, proxy.url)
    with ScriptedServer() as server:
        url = server.url.replace("127.0.0.1", host)
        profile = Profile(name="x", base_url=url, key=Secret(CANARY))
        assert nbchat.chat("a prompt", profile=profile).status == "complete"
        with Client(profile) as client:
            assert client.models()
        assert len(server.requests) == 1
    assert (proxy.connections, proxy.seen) == (0, b"")


def test_a_profile_may_name_a_proxy(proxy: LoggingProxy) -> None:
    with ScriptedServer() as server:
        profile = Profile(
            name="x", base_url=server.url, key=Secret(CANARY), proxy=proxy.url, headers={"A": "b"}
        )
        nbchat.chat("a prompt", profile=profile)
    assert b"a prompt" in proxy.seen
    assert CANARY.encode() in proxy.seen


def test_to_other_machines_the_proxy_of_the_environment_is_used(
    proxy: LoggingProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", proxy.url)
    with Client("http://nbchat.invalid/v1", max_retries=0) as client:
        with pytest.raises(NbchatError):
            client.complete("a prompt")
    assert b"POST http://nbchat.invalid/v1/chat/completions" in proxy.seen
    monkeypatch.setenv("no_proxy", "nbchat.invalid")
    seen = proxy.seen
    with Client("http://nbchat.invalid/v1", max_retries=0) as client:
        with pytest.raises(NbchatError):
            client.complete("a prompt")
    assert proxy.seen == seen


def test_a_dotenv_file_names_no_proxy(
    proxy: LoggingProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text(f"http_proxy={proxy.url}\nall_proxy={proxy.url}\n")
    monkeypatch.chdir(tmp_path)
    with Client("http://nbchat.invalid/v1", max_retries=0) as client:
        with pytest.raises(NbchatError):
            client.complete("a prompt")
    assert proxy.connections == 0


@pytest.mark.local
def test_the_embedded_model_answers_behind_a_proxy_that_sees_nothing(
    proxy: LoggingProxy, weights: Path
) -> None:
    code = (
        "import nbchat\n"
        "run = nbchat.chat('a prompt', max_completion_tokens=3, logprobs=True)\n"
        "print(run.status)\n"
        "nbchat.score('a prompt', ['Yes'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={
            **{name: value for name, value in os.environ.items() if name.lower() != "no_proxy"},
            **dict.fromkeys(NAMES, proxy.url),
            "NBCHAT_PROFILE": "local",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines() == ["complete"], done.stderr
    assert (proxy.connections, proxy.seen) == (0, b"")
