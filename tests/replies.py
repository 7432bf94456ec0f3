"""What a scripted server can be told to do, and what it remembers of each request."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.parse import urlsplit

from tests.wire import (
    MODEL,
    chunk,
    completion,
    error_body,
    event,
    made_up_logprobs,
    split_tokens,
    usage_of,
)

if TYPE_CHECKING:
    import http.client


class Gate:
    """Holds a reply back until the test calls `open()`; a client that leaves meanwhile is seen."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        self._lock = threading.Lock()

    def open(self) -> None:
        with self._lock:
            if self._write >= 0:
                os.close(self._write)
                self._write = -1

    @property
    def is_open(self) -> bool:
        return self._write < 0

    def fileno(self) -> int:
        return self._read

    def close(self) -> None:
        self.open()
        if self._read >= 0:
            os.close(self._read)
            self._read = -1

    def __del__(self) -> None:
        self.close()


@dataclass(frozen=True)
class Pause:
    seconds: float


@dataclass(frozen=True)
class Until:
    """Wait until so many seconds after the reply's headers; unlike pauses, errors do not add up."""

    seconds: float


class Ending(Enum):
    CUT = "reset the connection (RST)"
    CLOSE = "close the connection (FIN), whatever the framing promised"
    HANG = "send nothing more until the client leaves or the server is closed"


CUT, CLOSE, HANG = Ending.CUT, Ending.CLOSE, Ending.HANG

Step = bytes | Pause | Until | Gate | Ending
Framing = Literal["chunked", "close", "length", "raw"]


@dataclass(frozen=True)
class Reply:
    """What is sent for one request.

    body: bytes, or steps; each piece of bytes is one write, and one chunk where it is chunked.
    framing: "chunked", "close" (no length, the connection ends the body), "length", or "raw" (the
    body holds everything, the status line included).
    before: steps that are taken before the status line.
    """

    body: bytes | Iterable[Step] = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    framing: Framing = "chunked"
    content_type: str | None = "text/event-stream; charset=utf-8"
    gzip: bool = False
    before: Iterable[Step] = ()

    @classmethod
    def json(cls, body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Self:
        text = json.dumps(body, ensure_ascii=False).encode()
        return cls(text, status, headers or {}, "length", "application/json")

    def steps(self) -> Iterable[Step]:
        return [self.body] if isinstance(self.body, bytes) else self.body


@dataclass(eq=False)
class Request:
    """One request as it came, and how its reply went."""

    method: str
    target: str  # as on the request line: an absolute URL where the server was used as a proxy
    headers: http.client.HTTPMessage
    raw_body: bytes
    connection: int  # counts the TCP connections of the server, from 0
    received_at: float
    sent_at: list[float] = field(default_factory=list)  # of each piece of the body
    finished_at: float | None = None  # the whole reply was handed to the socket
    disconnected_at: float | None = None  # the client went away before that
    _over: threading.Event = field(default_factory=threading.Event)

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> str:
        return urlsplit(self.target).query

    @property
    def body(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.raw_body)
        return parsed

    def wait_over(self, timeout: float = 5) -> Self:
        """Wait until the reply is sent or the client has gone."""
        if not self._over.wait(timeout):
            raise TimeoutError(f"the reply to {self.target} still goes on after {timeout} s")
        return self


Answer = Reply | Mapping[str, Any] | bytes
Script = Answer | Callable[[Request], Answer]


def error(status: int, message: str = "", **facts: Any) -> Reply:
    """An error reply; `headers` among the facts are headers, the rest goes to `error_body`."""
    headers = facts.pop("headers", None)
    return Reply.json(error_body(message or HTTPStatus(status).phrase, **facts), status, headers)


def speaking(
    text: str = "Hello from the scripted server.",
    *,
    tokens_per_s: float | None = None,
    logprobs: bool | None = None,
    top: int | None = None,
    finish_reason: str = "stop",
    framing: Framing = "chunked",
) -> Callable[[Request], Reply]:
    """A good server: streams the text token by token, or sends it whole if no stream was asked for.

    `n`, `logprobs`, `top_logprobs` and `stream_options.include_usage` are honoured; `logprobs` and
    `top` given here overrule the request.
    """
    tokens = split_tokens(text)

    def answer(request: Request) -> Reply:
        asked = request.body
        choices = range(asked.get("n") or 1)
        model = asked.get("model") or MODEL
        wanted = bool(asked.get("logprobs")) if logprobs is None else logprobs
        count = (asked.get("top_logprobs") or 0) if top is None else top
        entries = made_up_logprobs(tokens, count) if wanted else None
        usage = usage_of(completion_tokens=len(tokens) * len(choices))
        if not asked.get("stream"):
            texts = [text] * len(choices)
            return Reply.json(
                completion(
                    *texts, logprobs=entries, usage=usage, finish_reason=finish_reason, model=model
                )
            )
        with_usage = bool((asked.get("stream_options") or {}).get("include_usage"))
        common: dict[str, Any] = {"model": model} | ({"usage": None} if with_usage else {})

        def steps() -> Iterator[Step]:
            for index in choices:
                first = {"content": "", "refusal": None}
                yield event(chunk(role="assistant", delta=first, index=index) | common)
            for position, token in enumerate(tokens):
                if tokens_per_s:
                    yield Until(position / tokens_per_s)
                entry = [entries[position]] if entries else None
                for index in choices:
                    yield event(chunk(token, logprobs=entry, index=index) | common)
            for index in choices:
                yield event(chunk(finish_reason=finish_reason, index=index) | common)
            if with_usage:
                yield event(chunk(usage=usage, model=model))
            yield event("[DONE]")

        return Reply(steps(), framing=framing)

    return answer
