import http.client
import json
import socket
import threading
import time
import zlib
from typing import Any, Self

import pytest
import requests

from tests.scripted import (
    CLOSE,
    CUT,
    HANG,
    Gate,
    Pause,
    Reply,
    ScriptedServer,
    Until,
    chunk,
    completion,
    deaf_url,
    error,
    logprob_entry,
    refusing_url,
    speaking,
    split_tokens,
    sse,
    usage_of,
)


def ask(server: ScriptedServer, **body: Any) -> requests.Response:
    body = {"model": "m", "messages": []} | body
    with requests.Session() as session:
        session.trust_env = False
        return session.post(f"{server.url}/chat/completions", json=body, timeout=5)


class Caller:
    """A client of raw bytes, so that a test sees the framing itself."""

    def __init__(self, server: ScriptedServer) -> None:
        self.sock = socket.create_connection(("127.0.0.1", server.port), timeout=5)
        body = b'{"stream": true}'
        head = f"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: {len(body)}\r\n\r\n"
        self.sock.sendall(head.encode() + body)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def read_until(self, mark: bytes) -> bytes:
        got = b""
        while mark not in got:
            piece = self.sock.recv(65536)
            if not piece:
                raise EOFError(got)
            got += piece
        return got

    def read_all(self) -> bytes:
        got = b""
        while piece := self.sock.recv(65536):
            got += piece
        return got


def events(text: str) -> list[dict[str, Any]]:
    data = [line.removeprefix("data: ") for line in text.split("\n\n") if line]
    assert data.pop() == "[DONE]"
    return [json.loads(item) for item in data]


def test_a_request_is_recorded_with_path_headers_body_and_time(server: ScriptedServer) -> None:
    before = time.perf_counter()
    requests.post(
        f"{server.url}/chat/completions?api-version=1",
        json={"model": "m"},
        headers={"Authorization": "Bearer k"},
        timeout=5,
    ).close()
    (request,) = server.requests
    assert (request.method, request.path, request.query) == (
        "POST",
        "/v1/chat/completions",
        "api-version=1",
    )
    assert request.headers["authorization"] == "Bearer k"
    assert request.body == {"model": "m"}
    assert before < request.received_at < time.perf_counter()


def test_replies_come_in_order_and_the_default_for_ever_after(server: ScriptedServer) -> None:
    server.reply(completion("one"), lambda request: completion(request.body["model"]))
    texts = [ask(server).json()["choices"][0]["message"]["content"] for _ in range(4)]
    assert texts == ["one", "m"] + ["Hello from the scripted server."] * 2


def test_an_error_has_status_headers_and_the_error_object(server: ScriptedServer) -> None:
    server.reply(error(429, "slow down", code="rate_limit_exceeded", headers={"Retry-After": "3"}))
    response = ask(server)
    assert (response.status_code, response.headers["retry-after"]) == (429, "3")
    assert response.json()["error"] == {
        "message": "slow down",
        "type": "invalid_request_error",
        "param": None,
        "code": "rate_limit_exceeded",
    }


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
def test_each_framing_carries_the_same_body(server: ScriptedServer, framing: Any) -> None:
    server.reply(Reply([b"ab", b"cd"], framing=framing))
    response = ask(server)
    assert response.content == b"abcd"
    assert ("transfer-encoding" in response.headers) == (framing == "chunked")
    assert ("content-length" in response.headers) == (framing == "length")


def test_each_piece_is_one_chunk(server: ScriptedServer) -> None:
    server.reply(Reply([b"ab", b"cde"]))
    with Caller(server) as caller:
        assert caller.read_until(b"0\r\n\r\n").endswith(b"2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n")


def test_a_raw_reply_is_sent_as_it_stands(server: ScriptedServer) -> None:
    server.reply(Reply(b"HTTP/1.0 200 OK\n\nhello", framing="raw"))
    with Caller(server) as caller:
        assert caller.read_all() == b"HTTP/1.0 200 OK\n\nhello"


def test_gzip_pieces_can_be_read_as_they_come(server: ScriptedServer) -> None:
    gate = Gate()
    server.reply(Reply([b"first", gate, b"second"], gzip=True, framing="close"))
    unzip = zlib.decompressobj(wbits=31)
    with Caller(server) as caller:
        head, _, body = caller.read_until(b"\r\n\r\n").partition(b"\r\n\r\n")
        assert b"content-encoding: gzip" in head
        text = unzip.decompress(body)
        while text != b"first":
            text += unzip.decompress(caller.sock.recv(65536))
        gate.open()
        assert unzip.decompress(caller.read_all()) == b"second"


def test_a_gate_holds_the_rest_back_until_it_is_opened(server: ScriptedServer) -> None:
    gate = Gate()
    server.reply(Reply([b"first", gate, b"second"]))
    with Caller(server) as caller:
        caller.read_until(b"first")
        caller.sock.settimeout(0.05)
        with pytest.raises(TimeoutError):
            caller.sock.recv(1)
        caller.sock.settimeout(5)
        gate.open()
        caller.read_until(b"second")


def test_pauses_and_untils_let_time_pass_before_the_next_piece(server: ScriptedServer) -> None:
    server.reply(Reply([b"a", Pause(0.03), b"b", Until(0.06), b"c"], before=[Pause(0.02)]))
    ask(server)
    request = server.requests[0]
    a, b, c = request.sent_at
    assert a - request.received_at >= 0.02
    assert b - a >= 0.03
    assert c - request.received_at >= 0.08
    assert request.finished_at is not None


def test_a_cut_is_a_reset_in_mid_body(server: ScriptedServer) -> None:
    server.reply(Reply([b"some", Pause(0.05), CUT, b"never"]))
    with Caller(server) as caller:
        caller.read_until(b"some")
        with pytest.raises(ConnectionResetError):
            caller.read_all()
    assert server.requests[0].wait_over().finished_at is None
    assert server.requests[0].disconnected_at is None


def test_a_close_ends_a_promised_body_early(server: ScriptedServer) -> None:
    server.reply(Reply([b"some", CLOSE, b"never"], framing="length"))
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match=r"4 bytes read, 5 more"):
        ask(server)


@pytest.mark.parametrize("step", [HANG, Pause(60), Gate()])
def test_a_client_that_leaves_is_noticed_at_once(server: ScriptedServer, step: Any) -> None:
    server.reply(Reply([b"some", step]))
    with Caller(server) as caller:
        caller.read_until(b"some")
        assert server.requests[0].disconnected_at is None
    assert server.requests[0].wait_over().disconnected_at is not None


def test_a_client_that_leaves_while_pieces_flow_is_noticed(server: ScriptedServer) -> None:
    server.reply(speaking("word " * 50_000))
    with Caller(server) as caller:
        caller.read_until(b"word")
    request = server.requests[0].wait_over()
    assert request.disconnected_at is not None
    assert len(request.sent_at) < 50_000


def test_a_client_that_stays_to_the_end_did_not_leave(server: ScriptedServer) -> None:
    ask(server)
    assert server.requests[0].wait_over().disconnected_at is None


def test_closing_the_server_frees_clients_that_hang() -> None:
    with ScriptedServer(Reply([b"some", HANG])) as server, Caller(server) as caller:
        caller.read_until(b"some")
        server.close()
        assert caller.read_all() == b""
        assert server.requests[0].disconnected_at is None


def test_one_connection_serves_several_requests(server: ScriptedServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    for _ in range(3):
        connection.request("POST", "/v1/chat/completions", b"{}")
        connection.getresponse().read()
    connection.close()
    assert [request.connection for request in server.requests] == [0, 0, 0]
    assert server.connections == 1


def test_many_connections_stream_at_once(server: ScriptedServer) -> None:
    gate = Gate()
    server.default = Reply([b"a", gate, b"b"], framing="close")
    bodies: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: bodies.append(ask(server).content)) for _ in range(32)
    ]
    for thread in threads:
        thread.start()
    server.wait_for_requests(32)
    assert bodies == []
    gate.open()
    for thread in threads:
        thread.join()
    assert bodies == [b"ab"] * 32


def test_a_chunked_request_body_is_read(server: ScriptedServer) -> None:
    pieces = iter([b'{"model"', b': "m"}'])
    requests.post(f"{server.url}/chat/completions", data=pieces, timeout=5).close()
    assert server.requests[0].body == {"model": "m"}


def test_models_are_listed_and_kept_apart_from_the_chat_requests(server: ScriptedServer) -> None:
    server.models = ["a", "b"]
    listed = requests.get(f"{server.url}/models", timeout=5).json()
    assert [model["id"] for model in listed["data"]] == ["a", "b"]
    assert (len(server.requests), len(server.model_requests)) == (0, 1)


def test_used_as_a_proxy_the_server_sees_the_whole_address(server: ScriptedServer) -> None:
    proxies = {"http": f"http://127.0.0.1:{server.port}"}
    requests.post("http://elsewhere.test/v1/x", json={}, proxies=proxies, timeout=5).close()
    assert server.requests[0].target == "http://elsewhere.test/v1/x"
    assert server.requests[0].path == "/v1/x"


def test_speaking_streams_the_text_token_by_token(server: ScriptedServer) -> None:
    text = "Grüße, “world”!\n\n```python\nprint('a  b')\n```\n"
    server.reply(speaking(text))
    response = ask(server, stream=True)
    response.encoding = "utf-8"
    chunks = events(response.text)
    assert len(chunks) == len(split_tokens(text)) + 2
    assert "".join(c["choices"][0]["delta"].get("content", "") for c in chunks) == text
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert all("usage" not in c for c in chunks)


def test_speaking_gives_usage_choices_and_alternatives_as_asked(server: ScriptedServer) -> None:
    server.reply(speaking("a b c"))
    options = {"stream": True, "stream_options": {"include_usage": True}, "n": 2}
    chunks = events(ask(server, **options, logprobs=True, top_logprobs=2).text)
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] == 6
    assert {c["choices"][0]["index"] for c in chunks[:-1]} == {0, 1}
    entries = [
        e for c in chunks[:-1] for e in (c["choices"][0]["logprobs"] or {"content": []})["content"]
    ]
    assert [entry["token"] for entry in entries] == ["a", "a", " b", " b", " c", " c"]
    assert all(len(entry["top_logprobs"]) == 2 for entry in entries)


def test_speaking_without_a_stream_sends_the_whole_completion(server: ScriptedServer) -> None:
    server.reply(speaking("a b", finish_reason="length"))
    whole = ask(server, n=2, logprobs=True).json()
    assert [choice["message"]["content"] for choice in whole["choices"]] == ["a b", "a b"]
    assert whole["choices"][0]["finish_reason"] == "length"
    assert len(whole["choices"][0]["logprobs"]["content"]) == 2


def test_speaking_keeps_its_pace(server: ScriptedServer) -> None:
    server.reply(speaking("a b c d e f", tokens_per_s=100))
    ask(server, stream=True)
    request = server.requests[0].wait_over()
    assert request.finished_at is not None
    assert request.finished_at - request.received_at >= 0.05


def test_a_chunk_with_only_usage_has_no_choices() -> None:
    assert chunk(usage=usage_of())["choices"] == []
    assert chunk("a", usage=usage_of())["choices"][0]["delta"] == {"content": "a"}


def test_a_logprob_entry_has_the_bytes_of_its_token() -> None:
    entry = logprob_entry("é", -0.1, [("é", -0.1), ("e", -3.0)], id=7)
    assert entry["bytes"] == [0xC3, 0xA9]
    assert entry["id"] == 7
    assert [top["token"] for top in entry["top_logprobs"]] == ["é", "e"]
    assert logprob_entry("a", -9999.0, bytes=None)["bytes"] is None


def test_sse_ends_with_done_unless_told_otherwise() -> None:
    assert sse({"a": 1}) == b'data: {"a": 1}\n\ndata: [DONE]\n\n'
    assert sse({"a": 1}, done=False) == b'data: {"a": 1}\n\n'


def test_connecting_to_a_refusing_url_fails_at_once() -> None:
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.post(refusing_url(), timeout=5)


def test_connecting_to_a_deaf_url_times_out() -> None:
    with deaf_url() as url, pytest.raises(requests.exceptions.ConnectTimeout):
        requests.post(url, timeout=0.1)
