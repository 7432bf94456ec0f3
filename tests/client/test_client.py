from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from nbchat.client import Client, Profile, Secret, Timeouts
from nbchat.client.retry import Wait
from nbchat.errors import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    BetweenBytesTimeout,
    CheckError,
    ConnectError,
    ConnectTimeout,
    FirstByteTimeout,
    NotFoundError,
    RateLimitError,
    ServerError,
    StreamCutError,
    StreamError,
)
from tests.scripted import (
    CLOSE,
    CUT,
    HANG,
    Pause,
    Reply,
    ScriptedServer,
    chunk,
    completion,
    deaf_url,
    error,
    refusing_url,
    speaking,
    sse,
)

KEY = "sk-proj-0123456789abcdefghij"


def client_of(server: ScriptedServer, **settings: Any) -> Client:
    profile = Profile(name="scripted", base_url=server.url, key=Secret(KEY), model="m-1")
    return Client(profile, **settings)


def test_complete_and_stream_give_the_same_answer(server: ScriptedServer) -> None:
    server.default = speaking("Good day.")
    with client_of(server) as client:
        whole = client.complete("Hello", logprobs=True, top_logprobs=2)
        with client.stream("Hello", logprobs=True, top_logprobs=2) as stream:
            text = "".join(piece.text for piece in stream)
        assert text == "Good day."
        assert stream.completion.choices == whole.choices
        assert stream.completion.usage == whole.usage
        assert stream.ttft_s is not None
        assert stream.elapsed_s is not None
        assert 0 < stream.ttft_s <= stream.elapsed_s


def test_only_what_was_asked_is_sent(server: ScriptedServer) -> None:
    with client_of(server) as client:
        client.complete([{"role": "user", "content": "Hi"}], temperature=0, stop=None)
        for _ in client.stream("Hi", extra={"min_p": 0.1}):
            pass
    whole, streamed = (request.body for request in server.requests)
    assert whole == {
        "model": "m-1",
        "messages": [{"role": "user", "content": "Hi"}],
        "temperature": 0,
        "stop": None,
    }
    assert streamed == {
        "model": "m-1",
        "messages": [{"role": "user", "content": "Hi"}],
        "min_p": 0.1,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_a_wrong_field_sends_nothing(server: ScriptedServer) -> None:
    with client_of(server) as client, pytest.raises(CheckError, match="temperature"):
        client.complete("Hi", temprature=1)
    assert server.requests == []


def test_the_key_is_sent_and_a_netrc_never_replaces_it(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with client_of(server) as client:
        client.complete("Hi")
    assert server.requests[0].headers["Authorization"] == f"Bearer {KEY}"


def test_azure_takes_its_key_in_its_own_header(server: ScriptedServer) -> None:
    profile = Profile(
        name="azure",
        base_url=server.url,
        key=Secret(KEY),
        key_header="api-key",
        api_version="2024-10-21",
    )
    with Client(profile) as client:
        client.complete("Hi")
    request = server.requests[0]
    assert request.headers["api-key"] == KEY
    assert request.headers["Authorization"] is None
    assert request.query == "api-version=2024-10-21"


def test_a_proxy_of_the_environment_is_used(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url.removesuffix("/v1"))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with Client(Profile(name="x", base_url="http://far.example/v1")) as client:
        monkeypatch.delenv("http_proxy")  # it was read once
        client.complete("Hi")
    assert server.requests[0].target == "http://far.example/v1/chat/completions"


def test_connections_are_kept(server: ScriptedServer) -> None:
    with client_of(server) as client:
        for _ in range(3):
            client.complete("Hi")
            for _ in client.stream("Hi"):
                pass
    assert server.connections == 1


def test_a_stale_connection_is_replaced_without_a_word(server: ScriptedServer) -> None:
    waits: list[Wait] = []
    with client_of(server, on_wait=waits.append, max_retries=0) as client:
        client.complete("Hi")
        server.reply(Reply(framing="raw", body=[CUT]))
        assert client.complete("Hi").choices
    assert waits == []
    assert len(server.requests) == 3


def test_a_new_connection_that_is_cut_is_not_taken_for_a_stale_one(
    server: ScriptedServer,
) -> None:
    whole = json.dumps(completion("a")).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(whole)
    with client_of(server, max_retries=0) as client:
        client.complete("Hi")
        # the server says nothing of it and closes: the next request gets a connection of its own
        server.reply(Reply(framing="raw", body=[head + whole]), Reply(framing="raw", body=[CUT]))
        client.complete("Hi")
        with pytest.raises(ConnectError):
            client.complete("Hi")
    assert len(server.requests) == 3


def test_a_request_that_was_worked_on_is_not_sent_twice_without_a_word(
    server: ScriptedServer,
) -> None:
    with client_of(server, max_retries=0) as client:
        client.complete("Hi")
        server.reply(Reply(framing="raw", body=[Pause(0.5), CUT]))
        with pytest.raises(ConnectError):
            client.complete("Hi")
    assert len(server.requests) == 2


@pytest.mark.parametrize("framing", ["chunked", "close"])
def test_the_first_chunk_comes_before_the_second_is_sent(
    server: ScriptedServer, framing: Any
) -> None:
    from tests.scripted import Gate

    gate = Gate()
    body = [sse(chunk("a"), done=False), gate, sse(chunk("b", finish_reason="stop"))]
    server.reply(Reply(body, framing=framing))
    with client_of(server) as client:
        texts = []
        for piece in client.stream("Hi"):
            texts.append(piece.text)
            gate.open()  # the server waits for this: a client that reads ahead hangs here
    assert texts == ["a", "b"]


def test_gzip_is_read(server: ScriptedServer) -> None:
    server.reply(Reply(sse(chunk("ä"), chunk(finish_reason="stop")), gzip=True))
    with client_of(server) as client:
        assert "".join(piece.text for piece in client.stream("Hi")) == "ä"


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503])
@pytest.mark.usefixtures("short_pauses")
def test_a_retryable_error_is_tried_again_and_says_so(server: ScriptedServer, status: int) -> None:
    waits: list[Wait] = []
    server.reply(error(status, headers={"retry-after-ms": "1"}), error(status), speaking("Hi"))
    with client_of(server, on_wait=waits.append) as client:
        stream = client.stream("Hi")
        assert "".join(piece.text for piece in stream) == "Hi"
    assert stream.tries == 3
    assert [w.attempt for w in waits] == [2, 3]
    assert {w.attempts for w in waits} == {5}
    assert waits[0].seconds == 0.001


def test_retries_are_bounded(server: ScriptedServer) -> None:
    server.default = error(503, headers={"retry-after-ms": "1"})
    with client_of(server, max_retries=2) as client, pytest.raises(ServerError):
        client.complete("Hi")
    assert len(server.requests) == 3


def test_no_retries_means_none(server: ScriptedServer) -> None:
    server.default = error(503)
    with client_of(server, max_retries=0) as client, pytest.raises(ServerError):
        client.complete("Hi")
    assert len(server.requests) == 1


def test_a_delay_beyond_reason_is_not_waited_for(server: ScriptedServer) -> None:
    server.default = error(429, headers={"retry-after": "86400"})
    with client_of(server) as client, pytest.raises(RateLimitError):
        client.complete("Hi")
    assert len(server.requests) == 1


def test_no_credit_is_not_retried(server: ScriptedServer) -> None:
    server.default = error(429, "You exceeded your quota", code="insufficient_quota")
    with client_of(server) as client, pytest.raises(RateLimitError) as caught:
        client.complete("Hi")
    assert caught.value.code == "insufficient_quota"
    assert len(server.requests) == 1


@pytest.mark.parametrize("body", [[CUT], [sse(chunk(role="assistant"), done=False), CLOSE]])
def test_a_connection_lost_before_any_content_is_tried_again(
    server: ScriptedServer, body: list[Any]
) -> None:
    waits: list[Wait] = []
    server.reply(Reply(body), speaking("Hi"))
    with client_of(server, on_wait=waits.append) as client:
        assert "".join(piece.text for piece in client.stream("Hi")) == "Hi"
    assert len(waits) == 1


@pytest.mark.parametrize("ending", [CUT, CLOSE])
def test_nothing_is_tried_again_once_content_has_come(server: ScriptedServer, ending: Any) -> None:
    server.reply(Reply([sse(chunk("so far"), done=False), ending]))
    with client_of(server) as client, pytest.raises(StreamCutError) as caught:
        for _ in client.stream("Hi"):
            pass
    assert len(server.requests) == 1
    assert caught.value.completion is not None
    assert caught.value.completion.choices[0].message.content == "so far"


def test_an_error_event_is_tried_again_only_before_content(server: ScriptedServer) -> None:
    failed = b'data: {"error": {"message": "overloaded", "code": 503}}\n\n'
    server.reply(Reply(failed), Reply(sse(chunk("a"), done=False) + failed))
    with client_of(server) as client, pytest.raises(StreamError, match="overloaded") as caught:
        for _ in client.stream("Hi"):
            pass
    assert len(server.requests) == 2
    assert caught.value.status == 503


def test_a_server_that_refuses_the_usage_option_is_asked_without_it(
    server: ScriptedServer,
) -> None:
    server.reply(error(400, "Unknown parameter", param="stream_options"))
    with client_of(server) as client:
        for _ in range(2):
            for _ in client.stream("Hi"):
                pass
    assert ["stream_options" in request.body for request in server.requests] == [True, False, False]


def test_a_usage_option_of_the_users_own_is_not_taken_back(server: ScriptedServer) -> None:
    server.default = error(400, "Unknown parameter", param="stream_options")
    with client_of(server) as client, pytest.raises(BadRequestError):
        for _ in client.stream("Hi", stream_options={"include_usage": True}):
            pass
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadRequestError),
        (401, AuthenticationError),
        (404, NotFoundError),
        (418, ApiError),
        (422, BadRequestError),
    ],
)
def test_errors_carry_what_the_server_said(
    server: ScriptedServer, status: int, kind: type[ApiError]
) -> None:
    server.default = error(
        status, "It will not do.", code="no", param="n", headers={"x-request-id": "req_7"}
    )
    with client_of(server) as client, pytest.raises(kind) as caught:
        client.complete("Hi")
    found = caught.value
    assert (found.status, found.code, found.param) == (status, "no", "n")
    assert found.request_id == "req_7"
    assert "It will not do." in str(found)


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (Reply(b"<html>oops</html>", 502, framing="length", content_type="text/html"), "HTML"),
        (Reply(b"busy", 500, framing="length", content_type="text/plain"), "busy"),
        (Reply(b"", 500, framing="length"), "no reason"),
        (Reply.json({"message": "Unauthorized", "request_id": "1"}, 401), "Unauthorized"),
        (Reply.json({"detail": [{"loc": ["body", "n"], "msg": "bad"}]}, 422), "bad"),
        (Reply.json({"error": "flat words"}, 400), "flat words"),
        (Reply.json({"object": "error", "message": "older vLLM", "code": 400}, 400), "older vLLM"),
        (Reply(b"", 307, {"location": "http://elsewhere/v1"}, framing="length"), "redirects"),
    ],
)
def test_error_bodies_of_any_shape_are_read(
    server: ScriptedServer, reply: Reply, sentence: str
) -> None:
    server.default = reply
    with client_of(server, max_retries=0) as client, pytest.raises(ApiError, match=sentence):
        client.complete("Hi")


def test_an_infinite_timeout_waits_for_as_long_as_it_takes(server: ScriptedServer) -> None:
    for timeout in (float("inf"), 1e20):
        with client_of(server, timeout=timeout) as client:
            assert client.complete("Hi").choices


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), "soon", []])
def test_a_timeout_that_is_no_number_above_0_is_refused(timeout: Any) -> None:
    with pytest.raises(CheckError, match=r"timeout is .* a number of seconds above 0") as caught:
        Timeouts.of(timeout)
    assert caught.value.field == "timeout"


def test_a_prompt_that_is_too_long_gets_a_hint_after_the_servers_sentence(
    server: ScriptedServer,
) -> None:
    body = {"message": "it is too long", "type": "exceed_context_size_error"}
    server.default = Reply.json({"error": body}, 400)
    with (
        client_of(server) as client,
        pytest.raises(ApiError, match=r"it is too long\. A new conversation is shorter"),
    ):
        client.complete("Hi")


def test_the_sentence_of_a_server_ends_before_ours_begins(server: ScriptedServer) -> None:
    server.default = error(401, "bad key")
    with (
        Client(server.url) as client,
        pytest.raises(AuthenticationError, match=r"key\. No key was"),
    ):
        client.complete("Hi")


def test_a_key_that_a_server_repeats_is_taken_out(server: ScriptedServer) -> None:
    server.default = error(401, f"Incorrect API key provided: {KEY}.")
    with client_of(server) as client, pytest.raises(AuthenticationError) as caught:
        client.complete("Hi")
    found = caught.value
    assert not any(KEY in repr(fact) for fact in (str(found), found.body, found.args, vars(found)))


def test_no_server_and_no_host_are_told_apart() -> None:
    with (
        Client(refusing_url(), max_retries=0) as client,
        pytest.raises(ConnectError, match="refused"),
    ):
        client.complete("Hi")
    timeouts = Timeouts(connect_s=0.2)
    with deaf_url() as url, Client(url, timeout=timeouts, max_retries=0) as client:
        with pytest.raises(ConnectTimeout, match=r"0\.2 s"):
            client.complete("Hi")


@pytest.mark.parametrize("body", [{"before": [HANG]}, {"body": [HANG]}])
def test_silence_before_the_first_byte_is_named(
    server: ScriptedServer, body: dict[str, Any]
) -> None:
    server.default = Reply(**body)
    with client_of(server, timeout=Timeouts(first_byte_s=0.2)) as client:
        with pytest.raises(FirstByteTimeout, match=r"0\.2 s"):
            for _ in client.stream("Hi"):
                pass
    assert len(server.requests) == 1


@pytest.mark.parametrize("framing", ["chunked", "close"])
def test_silence_between_bytes_is_named_and_keeps_the_text(
    server: ScriptedServer, framing: Any
) -> None:
    server.default = Reply([sse(chunk("so far"), done=False), HANG], framing=framing)
    with client_of(server, timeout=Timeouts(between_bytes_s=0.2)) as client:
        with pytest.raises(BetweenBytesTimeout, match=r"0\.2 s") as caught:
            for _ in client.stream("Hi"):
                pass
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.completion is not None
    assert caught.value.completion.choices[0].message.content == "so far"


def test_leaving_the_loop_closes_the_connection(server: ScriptedServer) -> None:
    server.default = Reply([sse(chunk("a"), done=False), HANG])
    with client_of(server) as client, client.stream("Hi") as stream:
        next(iter(stream))
    assert server.requests[0].wait_over().disconnected_at is not None


def test_cancel_from_another_thread_ends_the_loop_without_an_error(
    server: ScriptedServer,
) -> None:
    server.default = Reply([sse(chunk("a"), done=False), HANG])
    with client_of(server) as client, client.stream("Hi") as stream:
        for _ in stream:
            threading.Thread(target=stream.cancel).start()
        assert stream.was_cancelled
    assert stream.completion.choices[0].message.content == "a"
    assert server.requests[0].wait_over().disconnected_at is not None


def test_cancel_closes_the_connection_before_the_answer_has_begun(server: ScriptedServer) -> None:
    server.reply(Reply(before=[HANG]))
    with client_of(server) as client:
        stream = client.stream("Hi")
        reader = threading.Thread(target=list, args=(stream,))
        reader.start()
        (request,) = server.wait_for_requests()
        cancelled_at = time.perf_counter()
        stream.cancel()
        reader.join(2)
        assert not reader.is_alive()
        request.wait_over()
    assert request.disconnected_at is not None
    assert request.disconnected_at - cancelled_at < 0.2
    assert len(server.requests) == 1  # what was given up is not sent again
    assert stream.completion.choices == []


def test_cancel_ends_a_wait_for_a_retry(server: ScriptedServer) -> None:
    server.default = error(503, headers={"retry-after": "300"})
    with client_of(server) as client:
        stream = client.stream("Hi")
        stream._on_wait = lambda _: stream.cancel()
        assert list(stream) == []


@pytest.mark.parametrize("where", ["stream", "wait", "headers"])
def test_an_interrupt_ends_it_at_once(server: ScriptedServer, where: str) -> None:
    server.default = {
        "stream": Reply([sse(chunk("a"), done=False), HANG]),
        "wait": error(503, headers={"retry-after": "300"}),
        "headers": Reply(before=[HANG]),
    }[where]

    def interrupt() -> None:
        server.wait_for_requests(1)
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with client_of(server) as client, pytest.raises(KeyboardInterrupt):
        with client.stream("Hi") as stream:
            for _ in stream:
                pass
    if where != "wait":
        assert server.requests[0].wait_over().disconnected_at is not None


def test_many_threads_share_a_client(server: ScriptedServer) -> None:
    server.default = lambda request: completion(request.body["messages"][0]["content"])
    answers: dict[str, str | None] = {}
    with client_of(server) as client:

        def ask(text: str) -> None:
            answers[text] = client.complete(text).choices[0].message.content

        threads = [threading.Thread(target=ask, args=(f"q{i}",)) for i in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == {f"q{i}": f"q{i}" for i in range(16)}


def test_models_are_listed(server: ScriptedServer) -> None:
    server.models = ["a", "b"]
    with client_of(server) as client:
        assert client.models() == ["a", "b"]


def test_a_slow_stream_is_not_cut_by_the_timeout_between_bytes(server: ScriptedServer) -> None:
    body = [*(step for t in "abc" for step in (sse(chunk(t), done=False), Pause(0.15)))]
    server.default = Reply([*body, sse(chunk(finish_reason="stop"))])
    with client_of(server, timeout=Timeouts(between_bytes_s=0.4)) as client:
        assert "".join(piece.text for piece in client.stream("Hi")) == "abc"


@pytest.mark.parametrize("ending", [CUT, CLOSE, HANG])
def test_an_answer_that_is_whole_counts_however_it_ends(
    server: ScriptedServer, ending: Any
) -> None:
    whole = sse(chunk("a"), chunk(finish_reason="stop"))
    server.default = Reply([whole, ending])
    with client_of(server, timeout=Timeouts(between_bytes_s=60)) as client:
        assert "".join(piece.text for piece in client.stream("Hi")) == "a"
    assert len(server.requests) == 1


def test_a_legacy_function_call_is_content_and_not_retried(server: ScriptedServer) -> None:
    call = chunk(delta={"function_call": {"name": "f", "arguments": "{}"}})
    server.default = Reply([sse(call, done=False), CLOSE])
    with client_of(server) as client, pytest.raises(StreamCutError):
        list(client.stream("Hi"))
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "reply",
    [
        error(400, f"bad {KEY}", code=KEY, param=KEY, headers={"x-request-id": KEY}),
        Reply(f'data: {{"error": {{"message": "{KEY}", "{KEY}": "{KEY}"}}}}\n\n'.encode()),
        Reply(f"<html>{KEY}</html>".encode()),
    ],
)
def test_no_error_repeats_a_key(server: ScriptedServer, reply: Reply) -> None:
    import pickle

    server.default = reply
    with client_of(server) as client, pytest.raises(ApiError) as caught:
        list(client.stream("Hi"))
    assert KEY not in str(caught.value) + repr(vars(caught.value))
    assert KEY.encode() not in pickle.dumps(caught.value)


def test_a_servers_words_are_cut_and_cannot_steer_a_terminal(server: ScriptedServer) -> None:
    server.default = error(400, "\x1b]52;c;x\x07 " + "long " * 10_000)
    with client_of(server) as client, pytest.raises(BadRequestError) as caught:
        client.complete("Hi")
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 2_100


@pytest.mark.parametrize(
    "url", ["http://localhost:abc/v1", "http://[::1/v1", "http://127.0.0.1:99999/v1", "http://*/v1"]
)
def test_a_mistyped_address_is_one_sentence(url: str) -> None:
    from nbchat.errors import NbchatError

    with pytest.raises(NbchatError) as caught, Client(url, max_retries=0) as client:
        client.complete("Hi")
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    "proxy", ["http://user:PW@host:abc", "user:PW@127.0.0.1:1", "socks5://user:PW@127.0.0.1:1"]
)
def test_a_proxys_password_shows_in_no_error(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    from nbchat.errors import NbchatError

    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(NbchatError) as caught:
        with Client(Profile(name="x", base_url="http://far.example/v1"), max_retries=0) as client:
            client.complete("Hi")
    assert "PW" not in str(caught.value)


def test_a_list_of_models_that_is_none_is_empty(server: ScriptedServer) -> None:
    for body in ({"data": None}, {"data": [{"id": 7}, {}, 5]}, [1]):
        server.models_reply = Reply.json(body)
        with client_of(server) as client:
            assert client.models() in ([], ["7"])
    server.models_reply = Reply(b"<html>", framing="length")
    with client_of(server) as client:
        assert client.models() == []


def test_a_forked_process_opens_connections_of_its_own(server: ScriptedServer) -> None:
    import nbchat

    server.default = lambda request: completion(request.body["messages"][0]["content"])
    nbchat.chat("warm", profile=server.url)
    before = server.connections
    child = os.fork()
    if child == 0:
        is_right = nbchat.chat("child", profile=server.url).text == "child"
        os._exit(0 if is_right else 1)
    assert nbchat.chat("parent", profile=server.url).text == "parent"
    assert os.waitpid(child, 0)[1] == 0
    assert server.connections == before + 1
