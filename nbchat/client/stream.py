"""One request and its answer as it comes."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self

import msgspec

from nbchat.api.response import Chunk, Completion
from nbchat.client import http_answers, retry
from nbchat.client.connections import HttpAnswer
from nbchat.client.fold import Fold
from nbchat.client.http_answers import FAILED
from nbchat.client.incoming import Patience
from nbchat.client.reader import Reader
from nbchat.client.waiting import Pending
from nbchat.errors import (
    ApiError,
    BadRequestError,
    BetweenBytesTimeout,
    CheckError,
    ConnectError,
    FirstByteTimeout,
    NbchatError,
    StreamCutError,
    StreamError,
    TransportError,
)

if TYPE_CHECKING:
    from nbchat.client.client import Client

#: 23 days: what systems count in milliseconds overflows a little later
_FOR_EVER_S = 2_000_000.0
#: seconds that a server has, after ``[DONE]``, to end its answer so that the connection is kept
_AFTER_DONE_S = 0.1
#: seconds for usage, or ``[DONE]``, once every choice has its finish reason or an error has come
_AFTER_FINISH_S = 0.5


class Timeouts(msgspec.Struct, frozen=True):
    """How long a server may be silent, in seconds: to connect, to begin, and between bytes."""

    connect_s: float = 10.0
    first_byte_s: float = 600.0
    between_bytes_s: float = 120.0

    @classmethod
    def of(cls, timeout: float | Timeouts | None) -> Timeouts:
        """Read a number as the longest silence of any kind, None as the defaults.

        Infinity waits for as long as it takes. Raise CheckError for what is no number above 0.
        """
        if timeout is None:
            return cls()
        if isinstance(timeout, Timeouts):
            return timeout
        try:
            seconds = float(timeout)
        except (TypeError, ValueError):
            seconds = 0.0
        if not seconds > 0:
            rule = "must be a number of seconds above 0"
            raise CheckError(
                f"timeout is {timeout!r}, but it {rule}.", field="timeout", value=timeout, rule=rule
            )
        seconds = min(seconds, _FOR_EVER_S)
        return cls(min(seconds, 10.0), seconds, seconds)


class Stream:
    """One request and its answer as it comes: iterate for the `Chunk`s.

    - `completion`: what has come so far, whole once the loop has ended
    - `ttft_s`, `elapsed_s`: seconds from sending to the first content, and to the last byte
    - `tries`: requests sent; `request_id`: the server's name for the last one
    - `limit_headers`: what the last answer's headers say of limits, by their names
    - `was_cancelled`: whether `cancel()` ended it
    """

    def __init__(
        self,
        client: Client,
        body: dict[str, Any],
        *,
        url: str | None = None,
        timeouts: Timeouts,
        max_retries: int,
        on_wait: Callable[[retry.Wait], None] | None,
        adds_usage: bool,
    ):
        self.body = body
        self.tries = 0
        self.request_id: str | None = None
        self.limit_headers: dict[str, str] = {}
        self.ttft_s: float | None = None
        self.elapsed_s: float | None = None
        self._client = client
        self._url = url
        self._timeouts = timeouts
        self._max_retries = max_retries
        self._on_wait = on_wait
        self._adds_usage = adds_usage
        self._fold = Fold()
        self._ends_in_s: float | None = None
        self._response: HttpAnswer | None = None
        self.was_cancelled = False
        self._pause: threading.Event | None = None
        self._pending = Pending()
        self._chunks = self._run()

    @property
    def completion(self) -> Completion:
        """What has come so far."""
        return self._fold.completion()

    def __iter__(self) -> Iterator[Chunk]:
        return self._chunks

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection at once, so that the server stops working."""
        self._chunks.close()
        self._close_response()

    def cancel(self) -> None:
        """End the stream from another thread: the loop over it ends at once, with no error."""
        self.was_cancelled = True
        self._pending.cut()
        if self._pause is not None:
            self._pause.set()
        response = self._response
        if response is not None:
            # it may end by itself in this very moment
            with contextlib.suppress(ValueError, OSError):
                http_answers.incoming_of(response).shut()

    def _run(self) -> Generator[Chunk]:
        retries = 0
        while not self.was_cancelled:
            try:
                yield from self._attempt()
            except (ApiError, TransportError) as error:
                if self.was_cancelled:
                    return
                if self._drops_stream_options(error):
                    continue
                pause = self._pause_before_retry(error, retries)
                if pause is None:
                    error.completion = self.completion
                    http_answers.redact(error, self._client.profile)
                    raise
                retries += 1
                if self._on_wait is not None:
                    self._on_wait(pause)
                self._wait(pause.seconds)
            else:
                return

    def _wait(self, seconds: float) -> None:
        """Wait before a retry, no longer than until `cancel()` is called."""
        self._pause = threading.Event()
        if not self.was_cancelled:  # else it may have been called before there was a pause to end
            self._pause.wait(seconds)

    def _attempt(self) -> Iterator[Chunk]:
        self._fold = fold = Fold()
        reader = Reader(most_bytes(self.body, self._client.max_message_bytes))
        self.ttft_s = self.elapsed_s = self._ends_in_s = None
        self.tries += 1
        started = time.perf_counter()
        try:
            with self._pending:
                self._response = self._client.send(
                    self.body, self._timeouts, streams="stream" in self.body, url=self._url
                )
            if self.was_cancelled:  # between the answer's head and its body
                return
            self.request_id = http_answers.request_id(self._response)
            self.limit_headers = http_answers.limit_headers(self._response)
            incoming = http_answers.incoming_of(self._response)
            for piece in self._pieces(self._response):
                arrival_s = time.perf_counter() - started
                for chunk in reader.feed(piece):
                    fold.add(chunk, arrival_s)
                    if self.ttft_s is None and fold.has_content:
                        self.ttft_s = arrival_s
                    yield chunk
                if fold.has_finished or fold.error is not None or reader.is_done:
                    self._end_soon(incoming, reader)
            for chunk in reader.end():
                fold.add(chunk)
                yield chunk
        finally:
            self.elapsed_s = time.perf_counter() - started
            self._close_response()
        if not self.was_cancelled and (fault := reader.fault(fold)) is not None:
            raise fault

    def _end_soon(self, incoming: Patience, reader: Reader) -> None:
        """Wait no longer than a moment for an answer that has all that it can have."""
        if reader.is_done:
            seconds: float | None = _AFTER_DONE_S
        elif self._fold.error is not None or self._is_finished:
            seconds = _AFTER_FINISH_S
        else:
            seconds = None
        if seconds != self._ends_in_s:
            self._ends_in_s = seconds
            incoming.end_in(seconds)

    @property
    def _is_finished(self) -> bool:
        fold = self._fold
        wanted = self.body.get("n")
        has_all = fold.n_choices >= (wanted if isinstance(wanted, int) else 1)
        return has_all and not fold.unfinished

    def _pieces(self, response: HttpAnswer) -> Iterator[bytes]:
        waiting_since, allowed_s = time.perf_counter(), self._timeouts.first_byte_s
        try:
            for piece in http_answers.pieces(response, self._timeouts.between_bytes_s):
                yield piece
                waiting_since, allowed_s = time.perf_counter(), self._timeouts.between_bytes_s
        except FAILED as error:
            fold = self._fold
            if fold.error is None and (fold.is_empty or fold.unfinished):
                waited_s = time.perf_counter() - waiting_since
                broken = self._broken(error, http_answers.duration(waited_s, allowed_s))
            else:
                # every choice is finished: a server that then forgets to end, or ends rudely,
                # has answered all the same
                return
        else:
            return
        raise broken

    def _broken(self, error: Exception, after: str) -> TransportError:
        if http_answers.is_timeout(error):
            if self._fold.is_empty:
                return FirstByteTimeout(f"The server sent nothing for {after}.")
            return BetweenBytesTimeout(f"The answer stood still for {after} and was given up.")
        return StreamCutError("The connection was lost before the answer was complete.")

    def _close_response(self) -> None:
        response, self._response = self._response, None
        if response is not None:
            response.close()

    def _drops_stream_options(self, error: NbchatError) -> bool:
        """Take back the option for usage, which nbchat added, where a server refuses it."""
        if not (self._adds_usage and "stream_options" in self.body):
            return False
        if not isinstance(error, BadRequestError):
            return False
        if "stream_options" not in f"{error.param} {error.message}":
            return False
        self._client.refuses_stream_options = True
        del self.body["stream_options"]
        return True

    def _pause_before_retry(self, error: NbchatError, retries: int) -> retry.Wait | None:
        if retries >= self._max_retries or self._fold.has_content:
            return None
        if isinstance(error, ApiError) and not isinstance(error, StreamError):
            headers = http_answers.headers_of(error)
            if not retry.is_retryable(error.status or 0, headers, error.code):
                return None
            reason = retry.reason_of(error.status or 0)
            delay_s = retry.delay_of_server_s(headers, time.time())
        elif isinstance(error, ConnectError):
            reason, delay_s = "no connection", None
        elif isinstance(error, StreamCutError):
            reason, delay_s = "connection lost", None
        elif isinstance(error, StreamError):
            status = error.status or retry.status_of(error.code, error.type)
            if status is None or not retry.is_retryable(status, {}, error.code):
                return None
            reason, delay_s = retry.reason_of(status), None
        else:
            return None
        if delay_s is not None and delay_s > self._client.max_wait_s:
            return None
        seconds = retry.backoff_s(retries) if delay_s is None else delay_s
        return retry.Wait(seconds, reason, retries + 2, self._max_retries + 1)


def most_bytes(body: Mapping[str, Any], usual: int) -> int:
    """Give how large one message of an answer may be, which grows with the alternatives asked for.

    `usual` is for the 20 of the reference; a whole vocabulary of them is megabytes for each token.
    """
    counts = [n for n in (body.get("top_logprobs"), body.get("logprobs")) if isinstance(n, int)]
    return usual * max(1, -(-max(counts) // 20)) if counts else usual
