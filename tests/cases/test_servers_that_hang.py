"""Servers that never end: left at once where all is there, else in the time that was allowed.

None of these servers ends by itself, so that a client that waits for it fails by the test's own
time-out, and none of the silences allowed here ends before that.
"""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from nbchat.client import Client, Timeouts, http_answers
from nbchat.errors import (
    ApiError,
    BetweenBytesTimeout,
    ConnectTimeout,
    FirstByteTimeout,
    ServerError,
    StreamError,
    TransportError,
)
from tests.scripted import (
    CLOSE,
    HANG,
    Pause,
    Reply,
    ScriptedServer,
    chunk,
    completion,
    sse,
    usage_of,
)

pytestmark = [pytest.mark.timeout(30), pytest.mark.long]
PATIENT = Timeouts(connect_s=600, first_byte_s=600, between_bytes_s=600)
WHOLE = [chunk("a"), chunk(finish_reason="stop")]
USAGE = chunk(usage=usage_of())


def dripping(piece: bytes) -> Iterator[Any]:
    return itertools.chain.from_iterable(itertools.repeat((piece, Pause(0.02))))


ENDINGS = {
    "silence": lambda: [HANG],
    "pings": lambda: dripping(b": ping\n\n"),
    "named pings": lambda: dripping(b"event: ping\ndata: ping\n\n"),
    "empty chunks": lambda: dripping(sse({"id": "x", "choices": []}, done=False)),
    "half an event": lambda: dripping(b"data: {"),
}


def answer(server: ScriptedServer, *steps: Any, **fields: Any) -> Any:
    server.reply(Reply(itertools.chain(*([s] if isinstance(s, bytes) else s for s in steps))))
    with Client(server.url, timeout=PATIENT, max_retries=0) as client:
        with client.stream("Hi", **fields) as stream:
            for _ in stream:
                pass
        server.requests[-1].wait_over()
        assert client.complete("Hi").choices  # the next request works
    return stream.completion


@pytest.mark.long
@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("done", [True, False], ids=["[DONE]", "finish reason"])
def test_an_answer_that_is_whole_ends_though_the_server_does_not(
    server: ScriptedServer, ending: str, done: bool
) -> None:
    found = answer(server, sse(*WHOLE, USAGE, done=done), ENDINGS[ending]())
    assert found.choices[0].message.content == "a"
    assert found.usage is not None


def test_usage_that_comes_after_the_finish_reason_is_waited_for(server: ScriptedServer) -> None:
    late = [Pause(0.2), sse(USAGE, done=False), HANG]
    found = answer(server, sse(*WHOLE, done=False), late)
    assert found.usage is not None


@pytest.mark.long
def test_a_choice_that_begins_after_another_has_ended_is_waited_for(
    server: ScriptedServer,
) -> None:
    second = [chunk("b", index=1), chunk(finish_reason="stop", index=1)]
    late = [Pause(0.8), sse(second[0], done=False), Pause(0.8), sse(second[1], done=False), HANG]
    found = answer(server, sse(*WHOLE, done=False), late, n=2)
    assert [choice.message.content for choice in found.choices] == ["a", "b"]


def test_an_error_event_ends_the_answer_and_keeps_the_text(server: ScriptedServer) -> None:
    failed = {"error": {"message": "out of memory"}}
    with pytest.raises(StreamError, match="out of memory") as caught:
        answer(server, sse(chunk("par"), failed, done=False), [HANG])
    assert caught.value.completion is not None
    assert caught.value.completion.choices[0].message.content == "par"


@pytest.mark.parametrize("gzip", [False, True])
@pytest.mark.parametrize("framing", ["chunked", "close"])
def test_the_body_of_an_error_has_one_deadline_and_what_came_is_shown(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, framing: Any, gzip: bool
) -> None:
    monkeypatch.setattr(http_answers, "_ERROR_WITHIN_S", 0.4)
    body = itertools.chain([b"it broke "], dripping(b"."))
    server.default = Reply(body, 500, framing=framing, gzip=gzip)
    with Client(server.url, timeout=PATIENT, max_retries=0) as client:
        with pytest.raises(ServerError, match=r"it broke \.+"):
            client.complete("Hi")


def test_another_address_of_the_server_has_one_deadline(server: ScriptedServer) -> None:
    server.models_reply = Reply(dripping(b" "))
    with Client(server.url, timeout=PATIENT) as client:
        with pytest.raises(FirstByteTimeout, match=r"0\.4 s"):
            client.models(timeout_s=0.4)


def test_headers_that_drip_have_one_deadline(server: ScriptedServer) -> None:
    head = itertools.chain([b"HTTP/1.1 200 OK\r\nx-long: "], dripping(b"a"))
    server.default = Reply(head, framing="raw")
    timeouts = Timeouts(connect_s=600, first_byte_s=0.4, between_bytes_s=600)
    with Client(server.url, timeout=timeouts, max_retries=0) as client:
        with pytest.raises(FirstByteTimeout, match=r"headers were not whole after 0\.4 s"):
            client.complete("Hi")


def test_a_silent_handshake_says_so_and_how_long_it_was_waited_for() -> None:
    timeouts = Timeouts(connect_s=0.3, first_byte_s=600, between_bytes_s=600)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"https://127.0.0.1:{deaf.getsockname()[1]}/v1"
        with Client(url, timeout=timeouts, max_retries=0) as client:
            with pytest.raises(ConnectTimeout, match=r"TLS handshake .* 0\.3 s"):
                client.complete("Hi")


@pytest.mark.parametrize(
    ("reply", "timeouts", "kind"),
    [
        pytest.param(Reply(before=[HANG]), (600, 0.3, 600), FirstByteTimeout, id="no head"),
        pytest.param(Reply([HANG]), (600, 0.3, 600), FirstByteTimeout, id="head alone"),
        pytest.param(
            Reply([b": ping\n\n", HANG]), (600, 600, 0.3), FirstByteTimeout, id="a ping alone"
        ),
        pytest.param(
            Reply([sse(chunk("a"), done=False), HANG]), (600, 600, 0.3), BetweenBytesTimeout, id="a"
        ),
    ],
)
def test_the_time_that_was_waited_stands_in_the_sentence(
    server: ScriptedServer, reply: Reply, timeouts: tuple[float, ...], kind: type[TransportError]
) -> None:
    server.default = reply
    with Client(server.url, timeout=Timeouts(*timeouts), max_retries=0) as client:
        with pytest.raises(kind, match=r"0\.3 s"):
            list(client.stream("Hi"))


@pytest.mark.parametrize("ending", [HANG, CLOSE])
def test_half_a_call_after_a_lost_connection_leaves_a_completion_to_work_with(
    server: ScriptedServer, ending: Any
) -> None:
    import pickle

    call = {"index": 0, "id": 5, "type": "function", "function": {"name": "f", "arguments": '{"a'}}
    server.default = Reply([sse(chunk(delta={"tool_calls": [call]}), done=False), ending])
    timeouts = Timeouts(between_bytes_s=0.3)
    with Client(server.url, timeout=timeouts, max_retries=0) as client:
        with pytest.raises(TransportError) as caught:
            list(client.stream("Hi"))
    found = caught.value.completion
    assert found is not None
    assert found.choices[0].message.tool_calls == [
        {"id": "5", "type": "function", "function": {"name": "f", "arguments": '{"a'}}
    ]
    assert pickle.loads(pickle.dumps(found)).to_dict() == found.to_dict()


def test_nothing_hangs_on_an_error_that_was_raised(server: ScriptedServer) -> None:
    server.default = completion("a")
    closed = server.url
    server.close()
    with (
        Client(closed, max_retries=0) as client,
        pytest.raises((TransportError, ApiError)) as caught,
    ):
        client.complete("Hi")
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


@pytest.mark.parametrize(
    ("waited_s", "allowed_s", "said"),
    [(600.3, 600, "600 s"), (10.04, 600, "10 s"), (20.26, 10, "20.3 s"), (0.34, 0.3, "0.3 s")],
)
def test_what_was_waited_is_said_and_not_what_was_allowed(
    waited_s: float, allowed_s: float, said: str
) -> None:
    assert http_answers.duration(waited_s, allowed_s) == said
