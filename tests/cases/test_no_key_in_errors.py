"""Nothing that an error of ours reaches holds a key: no cause, no local, no document."""

from __future__ import annotations

import json
import signal
import socketserver
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import nbchat
from nbchat import Profile
from nbchat.client import Secret
from nbchat.client.client import Client
from nbchat.errors import NbchatError
from tests.cases.canary import CANARY, PART, leaks
from tests.magics.conftest import Shell
from tests.scripted import CUT, HANG, Reply, ScriptedServer, chunk, refusing_url, sse

pytestmark = [pytest.mark.usefixtures("short_pauses"), pytest.mark.long]

ECHO = f"the key was {CANARY}"
DOCUMENTS: list[Any] = [
    {"error": {"message": ECHO, "code": CANARY, "param": CANARY, "type": CANARY}},
    {"error": {"message": {CANARY: [CANARY]}}},
    {"error": {"message": "no", "request": {"headers": {"Authorization": f"Bearer {CANARY}"}}}},
    {"error": ECHO},
    {"detail": [{"loc": [CANARY], "msg": ECHO}]},
    {"message": ECHO},
    [ECHO, {CANARY: CANARY}],
    ECHO,
    None,
]
PROFILES = [
    {"key": Secret(CANARY)},
    {"key": Secret(CANARY), "key_header": "api-key"},
    {"headers": {"X-Secret": CANARY}},
    {"headers": {"Authorization": f"Bearer {CANARY}"}},
]


def profile(url: str, **facts: Any) -> Profile:
    return Profile(name="x", base_url=url, **{"key": Secret(CANARY), **facts})


def error_of(ask: Callable[[], object]) -> BaseException:
    with pytest.raises(NbchatError) as caught:
        ask()
    return caught.value


def all_ways(found: Profile) -> Iterator[Callable[[], object]]:
    """The ways that a request is sent: by the functions, streamed and whole, and by the client."""
    yield lambda: nbchat.chat("Hi", profile=found, max_retries=0, timeout=2)
    yield lambda: nbchat.chat("Hi", profile=found, max_retries=1, stream=False, timeout=2)
    yield lambda: list(nbchat.stream("Hi", profile=found, max_retries=0, timeout=2))
    client = Client(found, max_retries=0, timeout=2)
    yield lambda: client.complete("Hi")
    yield lambda: list(client.stream("Hi"))
    yield client.models
    yield lambda: client.tokenize("Hi")
    client.close()


@pytest.mark.parametrize("facts", PROFILES)
@pytest.mark.parametrize("status", [300, 302, 400, 401, 403, 404, 422, 429, 500, 502])
@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_a_server_repeats_of_the_key_is_taken_out(
    document: Any, status: int, facts: dict[str, Any]
) -> None:
    body = json.dumps(document)
    headers = {"location": f"http://h/?q={CANARY}", "x-request-id": CANARY, "retry-after": "0"}
    reply = Reply([body.encode()], status=status, headers=headers)
    with ScriptedServer(default=reply) as server:
        server.models_reply = reply
        for ask in all_ways(profile(server.url, **facts)):
            assert leaks(error_of(ask)) == []


@pytest.mark.parametrize("facts", PROFILES[:3])
@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"no json " + CANARY.encode(),
        b'{"choices": "' + CANARY.encode() + b'"',
        b'{"error": {"message": "' + CANARY.encode() + b'"}}',
        b"<html>" + CANARY.encode(),
        b"data: {" + CANARY.encode() + b"}\n\n",
        b'data: {"error": {"message": "Bearer ' + CANARY.encode() + b'", "code": 500}}\n\n',
        sse(chunk("Hel"), {"error": {"message": ECHO, "param": CANARY}}),
        sse(chunk("Hel"), done=False),
    ],
)
def test_an_answer_that_is_none_leaves_nothing(answer: bytes, facts: dict[str, Any]) -> None:
    reply = Reply([answer, CUT], framing="close")
    with ScriptedServer(default=reply) as server:
        found = profile(server.url, **facts)
        for ask in list(all_ways(found))[:5]:
            assert leaks(error_of(ask)) == []


@pytest.mark.long
@pytest.mark.parametrize("facts", PROFILES)
def test_no_connection_leaves_nothing(facts: dict[str, Any]) -> None:
    urls = [refusing_url(), "http://nbchat.invalid/v1", refusing_url().replace("http:", "https:")]
    for url in urls:
        for ask in all_ways(profile(url, **facts)):
            assert leaks(error_of(ask)) == []
    for ask in all_ways(profile(urls[0], **facts, proxy=f"http://me:{CANARY}@127.0.0.1:9")):
        assert leaks(error_of(ask)) == []
    for ask in all_ways(profile(urls[0], **facts, proxy=f"nothing://me:{CANARY}@127.0.0.1:9")):
        assert leaks(error_of(ask)) == []


@pytest.mark.parametrize("facts", PROFILES)
def test_plain_http_where_tls_was_meant_leaves_nothing(facts: dict[str, Any]) -> None:
    class Plain(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(10)
            self.request.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socketserver.TCPServer(("127.0.0.1", 0), Plain) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        for ask in all_ways(profile(f"https://127.0.0.1:{server.server_address[1]}/v1", **facts)):
            assert leaks(error_of(ask)) == []
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("facts", PROFILES)
@pytest.mark.parametrize("steps", [[HANG], [sse(chunk("Hel"), done=False), HANG]])
def test_waiting_in_vain_leaves_nothing(steps: list[Any], facts: dict[str, Any]) -> None:
    with ScriptedServer(default=Reply(steps)) as server:
        found = profile(server.url, **facts)
        asked = {"profile": found, "timeout": 0.05, "max_retries": 0}
        assert leaks(error_of(lambda: nbchat.chat("Hi", **asked))) == []


@pytest.mark.parametrize("header", ["bad\nname", "X-A"])
@pytest.mark.parametrize("value", [f"{CANARY}\r\nX-B: 1", f" {CANARY}", f"{CANARY}ü\u2028"])
def test_a_header_that_cannot_be_sent_leaves_nothing(header: str, value: str) -> None:
    found = Profile(name="x", base_url=refusing_url(), headers={header: value})
    assert leaks(error_of(lambda: nbchat.chat("Hi", profile=found, max_retries=0))) == []


@pytest.mark.parametrize("mode", ["Plain", "Context", "Verbose"])
@pytest.mark.parametrize("steps", [[HANG], [sse(chunk("Hel"), done=False), HANG], None])
def test_no_mode_of_ipython_shows_a_key(
    shell: Shell,
    server: ScriptedServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    mode: str,
    steps: list[Any] | None,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    shell.ask(f"%xmode {mode}")
    if steps is None:
        monkeypatch.setenv("OPENAI_BASE_URL", refusing_url())
    else:
        server.reply(Reply(steps))
        threading.Thread(target=_interrupt, args=(server,), daemon=True).start()
    shell.run("%%chat\nHi")
    shell.ip.showtraceback()
    shown = capsys.readouterr()
    assert PART not in shown.out + shown.err + str(shell.cell.outputs)


def _interrupt(server: ScriptedServer) -> None:
    (request,) = server.wait_for_requests(1)
    while not request._over.is_set():
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        request._over.wait(1)  # one that comes in a destructor is lost
