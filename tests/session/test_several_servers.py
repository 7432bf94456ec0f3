"""Several servers as one profile."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import nbchat
from nbchat import magics
from nbchat.client.profiles import Profile
from nbchat.client.secret import Secret
from nbchat.code import as_call, as_curl, as_openai
from nbchat.errors import ApiError, BadRequestError, ConnectError, ProfileError, ServerError
from nbchat.local.process import Process
from nbchat.local.server import settings_for
from nbchat.request.arguments import draft_of_arguments
from nbchat.session.settings import client_of
from tests.scripted import (
    CUT,
    Gate,
    Reply,
    Request,
    ScriptedServer,
    chunk,
    completion,
    error,
    made_up_logprobs,
    refusing_url,
    speaking,
    sse,
)

ROOT = Path(__file__).parents[2]
KEY = "sk-several0123456789abcd"


@contextlib.contextmanager
def servers(n: int, **more: Any) -> Iterator[list[ScriptedServer]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(ScriptedServer(**more)) for _ in range(n)]


def profile_of(*listed: ScriptedServer | str, **more: Any) -> Profile:
    urls = [one if isinstance(one, str) else one.url for one in listed]
    return nbchat.Profile(**{"base_urls": urls, "model": "m", "key": KEY, **more})


# the list

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, "needs an address"),
    "empty": ({"base_urls": []}, "needs an address"),
    "a text": ({"base_urls": "http://a/v1"}, "must be a list"),
    "no texts": ({"base_urls": [1]}, "must be a list"),
    "no address": ({"base_urls": ["http://a/v1", "b"]}, "'b' is no base URL"),
    "twice": ({"base_urls": ["http://a/v1", "HTTP://A:80/v1/"]}, "twice"),
    "two schemes": ({"base_urls": ["http://a/v1", "https://a/v1"]}, "by http and by https"),
    "a password": ({"base_urls": ["http://a/v1", "http://u:pass@b/v1"]}, "a password or a key"),
    "a key": ({"base_urls": [f"http://a/v1?key={KEY}"]}, "must not hold a key"),
    "both": ({"base_url": "http://a/v1", "base_urls": ["http://b/v1"]}, "not both"),
}  # fmt: skip


@pytest.mark.parametrize(("fields", "sentence"), BAD.values(), ids=BAD)
def test_a_bad_list_is_refused_with_one_sentence(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ProfileError, match=sentence) as raised:
        nbchat.Profile(**fields)
    assert KEY not in str(raised.value)
    assert "pass" not in str(raised.value).replace("password", "")


def test_one_address_in_a_list_is_a_profile_with_one() -> None:
    profile = nbchat.Profile(base_urls=["http://a:1/v1/"])
    assert (profile.base_url, profile.base_urls, profile.name) == ("http://a:1/v1", (), "a:1")


def test_a_repr_names_all_and_no_key() -> None:
    profile = profile_of("http://a/v1", "http://b/v1", headers={"x-key": "a-secret-of-mine"})
    assert repr(profile) == "Profile('a', ['http://a/v1', 'http://b/v1'], model='m')"
    for text in (repr(profile), repr(profile.identity), repr(profile.__rich_repr__())):
        assert KEY not in text
        assert "a-secret-of-mine" not in text
    assert profile.identity != profile_of("http://a/v1", "http://c/v1").identity


def test_the_line_at_load_time_says_how_many_there_are() -> None:
    assert magics._where(profile_of("http://a/v1", "http://b/v1", key=None)) == "a and 1 more"
    told = magics._where(profile_of("http://localhost/v1", "http://b/v1"))
    assert told == "localhost and 1 more (the key goes there in clear, by http)"


def test_code_names_all_servers_and_no_key() -> None:
    profile = profile_of("http://a/v1", "http://b/v1")
    draft = draft_of_arguments("Hi", None, {"profile": profile}, by="chat")
    call = as_call(draft)
    assert KEY not in call
    names: dict[str, Any] = {"nbchat": nbchat}
    line = next(line.strip(" ,") for line in call.splitlines() if "profile=" in line)
    made = eval(line.removeprefix("profile="), names)
    assert (made.base_urls, made.model) == (profile.base_urls, "m")
    assert "curl -N http://a/v1/chat/completions" in as_curl(draft)
    assert "base_url='http://a/v1'" in as_openai(draft)


def test_the_key_goes_to_all_of_them_and_to_no_other() -> None:
    profile = profile_of("http://a/v1", "http://b/v1")
    assert profile.at("http://b/v1").key == Secret(KEY)
    assert profile.at("http://b/v1").base_urls == ()


# requests


def test_requests_go_round_and_the_run_says_who_answered() -> None:
    with servers(3) as three:
        profile = profile_of(*three)
        runs = [nbchat.chat("Hi", profile=profile) for _ in range(6)]
        assert [run.base_url for run in runs] == [server.url for server in three] * 2
        assert {run.profile for run in runs} == {profile.name}
        headers = [request.headers["authorization"] for s in three for request in s.requests]
        assert set(headers) == {f"Bearer {KEY}"}


@pytest.mark.parametrize("streams", [True, False])
def test_a_server_that_is_not_there_costs_no_answer(streams: bool) -> None:
    with servers(1) as (server,):
        server.default = speaking("Hello.") if streams else completion("Hello.")
        profile = profile_of(refusing_url(), server.url)
        runs = [nbchat.chat("Hi", profile=profile, stream=streams) for _ in range(4)]
        assert {(run.text, run.base_url) for run in runs} == {("Hello.", server.url)}
        assert [run.tries for run in runs] == [2, 1, 1, 1]  # the other one is left alone


def test_one_that_fails_is_left_alone_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("nbchat.client.balance.time.monotonic", lambda: now[0])
    monkeypatch.setattr(
        "nbchat.client.balance.Balance.__init__.__defaults__", (lambda: now[0],), raising=True
    )
    with servers(2) as (first, second):
        first.reply(error(503))
        profile = profile_of(first, second)
        assert [nbchat.chat("Hi", profile=profile).base_url for _ in range(3)] == [second.url] * 3
        assert len(first.requests) == 1
        now[0] = 1.5
        assert nbchat.chat("Hi", profile=profile).base_url == first.url


def test_where_all_fail_the_error_is_that_of_the_last() -> None:
    with servers(2, default=error(500)) as two:
        with pytest.raises(ServerError):
            nbchat.chat("Hi", profile=profile_of(*two), max_retries=0)
        assert [len(server.requests) for server in two] == [1, 1]
    with pytest.raises(ConnectError):
        nbchat.chat("Hi", profile=profile_of(refusing_url(), refusing_url()), max_retries=0)


def test_a_request_that_is_wrong_is_asked_of_one_alone() -> None:
    with servers(2, default=error(400, "no such thing")) as two:
        with pytest.raises(BadRequestError):
            nbchat.chat("Hi", profile=profile_of(*two))
        assert sum(len(server.requests) for server in two) == 1


def test_what_came_in_part_is_kept_and_not_asked_again() -> None:
    with servers(2) as (first, second):
        first.reply(Reply([sse(chunk("Hello"), done=False), CUT]))
        with pytest.raises((ApiError, nbchat.errors.TransportError)) as raised:
            nbchat.chat("Hi", profile=profile_of(first, second))
        assert raised.value.run is not None
        assert raised.value.run.base_url == first.url
        assert second.requests == []


def test_an_interrupt_reaches_the_server_that_answers() -> None:
    gate = Gate()
    with servers(2, default=lambda _: Reply([gate])) as two:
        run = nbchat.achat("Hi", profile=profile_of(*two))
        import asyncio

        async def cancelled() -> None:
            task = asyncio.ensure_future(run)
            while not two[0].requests:
                await asyncio.sleep(0.01)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

        asyncio.run(cancelled())
        two[0].requests[0]._over.wait(10)
        assert two[0].requests[0].disconnected_at is not None
        assert two[1].requests == []


def test_what_has_to_stay_on_one_server_stays_there() -> None:
    with servers(2) as (first, second):
        profile = profile_of(first, second)
        assert client_of(profile).profile.base_url == first.url
        nbchat.chat("Hi", profile=profile)
        assert {client_of(profile).profile.base_url for _ in range(3)} == {first.url}
        for server in (first, second):
            server.default = completion("yes", logprobs=made_up_logprobs(["yes", " no"], 2)[:1])
        nbchat.classify(["a", "b", "c"], ["yes", "no"], "first_token", profile=profile)
        assert [len(server.requests) for server in (first, second)] == [4, 0]


def test_a_replay_knows_a_request_whoever_of_them_answered(tmp_path: Path) -> None:
    with servers(2) as two:
        profile = profile_of(*two)
        nbchat.configure(cassette=tmp_path / "c.jsonl")
        nbchat.chat("one", profile=profile)
        second = nbchat.chat("two", profile=profile)
        assert second.base_url == two[1].url
        for number in (0, 1):
            two[number].requests.clear()
        again = nbchat.chat("two", profile=profile, replay="only")
        assert (again.text, again.base_url) == (second.text, two[1].url)
        assert [server.requests for server in two] == [[], []]


# sweeps


def echo(request: Request) -> Reply:
    return Reply.json(completion(request.body["messages"][-1]["content"]))


def sweep_over(profile: Profile, n: int, **more: Any) -> nbchat.sweep.Sweep:
    data = pd.DataFrame({"word": [f"word {number}" for number in range(n)]})
    return nbchat.sweep("{{ word }}", data=data, profile=profile, **more)


def test_a_sweep_asks_all_of_them_and_each_row_once(tmp_path: Path) -> None:
    with servers(3, default=echo) as three:
        sweep = sweep_over(profile_of(*three), 60, folder=tmp_path, at_once=6)
        frame = sweep.run().runs()
        assert frame["text"].tolist() == frame["word"].tolist()
        counts = [len(server.requests) for server in three]
        assert sum(counts) == 60
        assert min(counts) >= 10
        assert {run.base_url for run in sweep} == {server.url for server in three}
        assert sweep_over(profile_of(*three[:2]), 60, folder=tmp_path).plan.requests == 0


def test_a_sweep_is_stopped_where_none_of_them_answers() -> None:
    sweep = sweep_over(profile_of(refusing_url(), refusing_url()), 3, max_retries=0)
    with pytest.raises(nbchat.errors.SweepStoppedError):
        sweep.run()


@contextlib.contextmanager
def uvicorns(*delays_s: float) -> Iterator[list[tuple[str, subprocess.Popen[bytes]]]]:
    """Echoing servers by other hands, each in a process of its own."""
    started: list[tuple[str, subprocess.Popen[bytes]]] = []
    try:
        for delay_s in delays_s:
            with socket.create_server(("127.0.0.1", 0)) as sock:
                command = [sys.executable, "-m", "tests.session.echoing_server"]
                process = subprocess.Popen(
                    [*command, str(sock.fileno()), str(delay_s)], cwd=ROOT, pass_fds=[sock.fileno()]
                )
                started.append((f"http://127.0.0.1:{sock.getsockname()[1]}/v1", process))
        for url, _ in started:
            count_at(url)  # the kernel holds the connection until it listens
        yield started
    finally:
        for _, process in started:
            process.kill()
            process.wait()


def count_at(url: str) -> int:
    with urllib.request.urlopen(url.removesuffix("/v1") + "/count", timeout=60) as answer:
        return int(json.loads(answer.read()))


@pytest.mark.long
def test_a_server_that_is_killed_in_mid_sweep_loses_no_row(tmp_path: Path) -> None:
    with uvicorns(0.02, 0.02, 0.2) as three:
        urls = [url for url, _ in three]
        sweep = sweep_over(profile_of(*urls), 300, folder=tmp_path, at_once=9)
        sweep.start()
        deadline = time.monotonic() + 60
        while sweep.status.done < 60 and time.monotonic() < deadline:
            time.sleep(0.005)
        os.kill(three[0][1].pid, signal.SIGKILL)
        frame = sweep.wait().runs()
        assert frame["status"].tolist() == ["answered"] * 300
        assert frame["text"].tolist() == frame["word"].tolist()
        assert len(list(sweep)) == 300
        shares = Counter(run.base_url for run in sweep)
        assert set(shares) == set(urls)
        assert shares[urls[1]] > 2 * shares[urls[2]]  # it is ten times as quick
        # rows that were cut off may have been answered there: they are counted
        assert sweep.status.unknown <= 9


@pytest.mark.long
@pytest.mark.local
def test_two_embedded_servers_are_one_profile(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nbchat.local.process.secrets.token_urlsafe", lambda _: KEY)  # of both
    settings = settings_for(threads=1, at_once=2)
    with contextlib.ExitStack() as stack:
        two = [Process(settings) for _ in range(2)]
        for process in two:
            stack.callback(process.stop)
        profile = profile_of(*(f"{process.address}/v1" for process in two), model=None)
        sweep = sweep_over(
            profile, 12, folder=tmp_path, max_completion_tokens=4, temperature=0, at_once=4
        )
        assert sweep.run().status.truncated == 12  # after four tokens
        assert {run.base_url for run in sweep} == set(profile.base_urls)
        # the second of them answers, and is the one that goes on from its tokens, exactly
        nbchat.configure(profile=profile)
        fields: dict[str, Any] = {"temperature": 0, "max_completion_tokens": 6, "logprobs": True}
        runs = [nbchat.chat("Name a colour.", top_logprobs=2, **fields) for _ in range(2)]
        run = next(run for run in runs if run.base_url == profile.base_urls[1])
        branch = nbchat.branch(run, 2, 0, method="exact")
        assert branch.runs[0].text == run.text
        assert branch.runs[0].base_url == run.base_url
        two[1].stop()
        assert nbchat.chat("Go on.", **fields).base_url == profile.base_urls[0]
