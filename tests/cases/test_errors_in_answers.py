"""The reason of a failure is shown, wherever and however a server says it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nbchat.api.error_objects import error_in, read_error
from nbchat.client import Client, read_stream
from nbchat.errors import ApiError, StreamCutError, StreamError
from tests.scripted import Reply, ScriptedServer, chunk, speaking, sse

GEMINI = [{"error": {"code": 400, "message": "API key not valid", "status": "INVALID_ARGUMENT"}}]
CHOICE_ERROR = {"code": 502, "message": "Upstream gave up"}


def failing(
    message: str | None = "", *, finish: str | None = "error", **more: Any
) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": message}}
    return {"id": "x", "model": "m", "choices": [{**choice, "finish_reason": finish, **more}]}


BODIES = [
    pytest.param(GEMINI, "API key not valid", id="a list of one error object (gemini-cli#4701)"),
    pytest.param(
        {"code": "InvalidApiKey", "message": "Invalid API-key provided."},
        "Invalid API-key provided",
        id="code and message without an error object (DashScope)",
    ),
    pytest.param(
        {"choices": None, "base_resp": {"status_code": 2049, "status_msg": "invalid api key"}},
        "invalid api key",
        id="base_resp, and choices null (MiniMax-M2.5#18)",
    ),
    pytest.param(
        {"error_code": 17, "error_msg": "daily limit reached"},
        "daily limit reached",
        id="error_code and error_msg (Baidu)",
    ),
    pytest.param({"detail": "Model not found: abc"}, "Model not found: abc", id="detail (FastAPI)"),
    pytest.param(
        {"detail": [{"loc": ["body", "n"], "msg": "too many"}]},
        "too many",
        id="detail as a list (FastAPI)",
    ),
    pytest.param(
        {"success": False, "errors": [{"code": 5007, "message": "No such model abc"}]},
        "No such model abc",
        id="errors in a list (Cloudflare)",
    ),
    pytest.param(
        {"object": "error", "message": "older vLLM", "type": "BadRequest", "code": 400},
        "older vLLM",
        id="the error object bare (vLLM)",
    ),
    pytest.param({"error": "flat words"}, "flat words", id="error as a text"),
    pytest.param(
        {"error": {"error": {"message": "wrapped twice"}}}, "wrapped twice", id="wrapped twice"
    ),
    pytest.param(
        {"type": "error", "message": "no capacity"}, "no capacity", id="a type that says error"
    ),
]


@pytest.mark.parametrize(("body", "words"), BODIES)
@pytest.mark.parametrize("status", [200, 400])
def test_a_body_of_any_shape_says_its_reason(
    server: ScriptedServer, body: Any, words: str, status: int
) -> None:
    server.default = Reply.json(body, status)
    with Client(server.url, max_retries=0) as client, pytest.raises(ApiError) as caught:
        client.complete("Hi")
    assert words in str(caught.value)
    assert "not JSON" not in str(caught.value)
    assert len(server.requests) == 1


@pytest.mark.parametrize(("body", "words"), BODIES)
def test_an_event_of_any_shape_says_its_reason_and_keeps_the_text(body: Any, words: str) -> None:
    with pytest.raises(StreamError) as caught:
        read_stream(
            [sse(chunk("par"), done=False) + b"data: " + json.dumps(body).encode() + b"\n\n"]
        )
    assert words in str(caught.value)
    assert caught.value.completion is not None
    assert caught.value.completion.choices[0].message.content == "par"


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        pytest.param(
            Reply(b'data: {"error":{"message":"context too long","code":"ctx"}}\n\n', 400),
            "context too long",
            id="an event in the place of the object (inspect_ai#3687)",
        ),
        pytest.param(
            Reply(b"model is loading, retry later", content_type="text/plain"),
            "model is loading",
            id="a 200 with plain text",
        ),
        pytest.param(
            Reply(b"upstream connect error\nreset before headers\n", content_type="text/html"),
            "upstream connect error",
            id="a 200 with several lines of text",
        ),
        pytest.param(
            Reply([b"mod", b"el is", b" loading\n"]), "model is loading", id="text in pieces"
        ),
        pytest.param(
            Reply(b"event: error\ndata: out of memory\n\n"),
            "out of memory",
            id="a text as an error",
        ),
    ],
)
@pytest.mark.parametrize("streams", [True, False])
def test_words_in_the_place_of_an_answer_are_shown(
    server: ScriptedServer, reply: Reply, words: str, streams: bool
) -> None:
    server.default = reply
    with Client(server.url, max_retries=0) as client, pytest.raises(ApiError) as caught:
        list(client.stream("Hi")) if streams else client.complete("Hi")
    assert words in str(caught.value)
    assert "data:" not in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        failing(error=CHOICE_ERROR),
        failing("half of it", error=CHOICE_ERROR),
        failing(finish="stop", error=CHOICE_ERROR),
    ],
)
def test_an_error_in_a_choice_is_an_error(body: dict[str, Any]) -> None:  # genkit#6259
    with pytest.raises(StreamError, match="Upstream gave up") as caught:
        read_stream([json.dumps(body).encode()])
    assert caught.value.status == 502


def test_an_error_in_a_choice_of_a_stream_keeps_the_text() -> None:
    last = chunk("", finish_reason="error")
    last["choices"][0]["error"] = CHOICE_ERROR
    with pytest.raises(StreamError, match="Upstream gave up") as caught:
        read_stream([sse(chunk("par"), last)])
    assert caught.value.completion is not None
    assert caught.value.completion.choices[0].message.content == "par"


def test_a_finish_reason_of_error_is_no_success() -> None:  # inspect_ai#1536
    with pytest.raises(StreamError, match="no reason given") as caught:
        read_stream([sse(chunk("par"), chunk(finish_reason="error"))])
    assert caught.value.completion is not None
    assert caught.value.completion.choices[0].message.content == "par"


@pytest.mark.parametrize(
    "body",
    [
        {"code": 0, "message": "success"},
        {"code": "200", "msg": "ok"},
        {"base_resp": {"status_code": 0, "status_msg": "success"}},
        {"type": "ping"},
        {"type": "keepalive", "message": "processing"},
        {"detail": None},
        {"error": None},
        {"id": "x", "object": "chat.completion.chunk"},
    ],
)
def test_what_says_that_all_is_well_is_no_error(body: dict[str, Any]) -> None:
    assert error_in(body) is None
    answer = read_stream([sse(chunk("a"), body, chunk(finish_reason="stop"))])
    assert answer.choices[0].message.content == "a"


@pytest.mark.parametrize(
    ("event", "tries"),
    [
        pytest.param({"message": "m", "code": "503"}, 2, id="a text (CLIProxyAPI#2712)"),
        pytest.param({"message": "m", "code": 429}, 2, id="guard: a number"),
        pytest.param({"message": "m", "code": "rate_limit_exceeded"}, 2, id="a named code"),
        pytest.param({"message": "m", "type": "overloaded_error"}, 2, id="a named type"),
        pytest.param({"message": "m", "status": "RESOURCE_EXHAUSTED", "code": 429}, 2, id="google"),
        pytest.param({"message": "m", "code": "ServiceUnavailable"}, 2, id="camel case"),
        pytest.param({"message": "m", "code": "400"}, 1, id="guard: not worth it"),
        pytest.param({"message": "m", "code": 5007}, 1, id="guard: a number that is no status"),
        pytest.param({"message": "m", "code": "insufficient_quota"}, 1, id="guard: no credit"),
        pytest.param({"message": "m"}, 1, id="guard: unknown"),
    ],
)
def test_a_passing_failure_inside_of_a_200_is_tried_again(
    server: ScriptedServer, event: dict[str, Any], tries: int
) -> None:  # opencode#20384
    server.reply(Reply(sse({"error": event}, done=False)), speaking("Hi"))
    with Client(server.url, max_retries=1) as client:
        stream = client.stream("Hi")
        if tries == 2:
            assert "".join(piece.text for piece in stream) == "Hi"
        else:
            with pytest.raises(StreamError):
                list(stream)
    assert len(server.requests) == tries


@pytest.mark.parametrize("status", [500, 502, 503, 504, 413, 429])
def test_a_page_of_a_proxy_is_the_servers_fault_and_not_the_base_urls(
    server: ScriptedServer, status: int
) -> None:
    page = b"<!doctype html><html><head><title>Bad\n Gateway</title></head></html>"
    server.default = Reply(page, status, framing="length", content_type="text/html")
    with Client(server.url, max_retries=0) as client, pytest.raises(ApiError) as caught:
        client.complete("Hi")
    assert "base URL" not in str(caught.value)
    assert "Bad Gateway" in str(caught.value)
    assert ("too large" in str(caught.value)) == (status == 413)


@pytest.mark.parametrize("status", [403, 404, 405])
def test_a_page_of_a_website_still_asks_for_the_base_url(
    server: ScriptedServer, status: int
) -> None:
    server.default = Reply(b"<html>hello</html>", status, framing="length")
    with Client(server.url, max_retries=0) as client:
        with pytest.raises(ApiError, match="is the base URL right"):
            client.complete("Hi")


def test_an_error_is_read_whatever_it_is() -> None:
    loop: list[Any] = []
    loop.append(loop)
    for odd in (None, 5, True, [], {}, [[]], "", loop, {"error": loop}, {"message": loop}):
        assert read_error(odd).message is None or isinstance(read_error(odd).message, str)


def test_words_before_an_event_are_not_its_reason() -> None:
    data = b"hello\ndata: {}\n\n"
    for pieces in ([data], [data[at : at + 1] for at in range(len(data))]):
        with pytest.raises(StreamCutError, match="before anything"):
            read_stream(pieces)
