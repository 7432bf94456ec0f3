"""Bytes of an answer to chunks and a completion, with no I/O."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator

from nbchat.api.deviations import decode_chunk, decode_chunks, decode_json
from nbchat.api.error_objects import read_error
from nbchat.api.response import Chunk, Completion
from nbchat.client.fold import Fold
from nbchat.client.sse import MOST_BYTES, Decoder, Event
from nbchat.errors import (
    AnswerTooLongError,
    NbchatError,
    StreamCutError,
    StreamError,
    TransportError,
)

_BOM = b"\xef\xbb\xbf"
_MOST_WORDS = 2_000
_EVENT_LINE = re.compile(r"(data|event|id|retry)?:|(data|event|id|retry)$")


class Reader:
    """Turn the bytes of an answer, cut anywhere, into chunks.

    A server that answers a stream request with one JSON object instead of events is
    understood: the whole object becomes one chunk. `most_bytes` is the most that one event, or
    such an object, may have; what has more raises `AnswerTooLongError`.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._events = Decoder(most_bytes)
        self._plain: bytearray | None = None
        self._head = b""
        self._words = b""
        self._is_done = False
        self._is_known = False
        #: whether an event has come, and no [DONE]
        self._is_running = False

    @property
    def is_done(self) -> bool:
        """Whether ``[DONE]`` has come, after which nothing counts."""
        return self._is_done

    @property
    def is_plain(self) -> bool:
        """Whether it is one JSON object, and not a stream of events."""
        return self._plain is not None

    @property
    def words(self) -> str:
        """What a text in the place of an answer begins with; empty where it is an answer."""
        lines = self._words.decode("utf-8", "replace").splitlines()
        return "\n".join(line for line in lines if not _EVENT_LINE.match(line)).strip()

    def feed(self, piece: bytes) -> Iterable[Chunk]:
        """Give the chunks that this piece completes. Raise StreamError where it is no JSON."""
        if not self._is_known or self._plain is not None:
            return self._begin(piece)
        events = self._events.feed(piece)
        # mostly one piece is one chunk
        if self._is_running and len(events) == 1 and events[0].type == "message":
            data = events[0].data
            if data.startswith(b"{"):
                return (_decoded(data),)
        return self._chunks(events, piece)

    def _begin(self, piece: bytes) -> Iterator[Chunk]:
        if not self._is_known:
            # blank lines before the first event mean nothing, however they are cut
            head = (self._head + piece).lstrip()
            start = head.removeprefix(_BOM).lstrip()
            if not start or (len(head) < len(_BOM) and _BOM.startswith(head)):
                self._head = head if _BOM.startswith(head) else b""
                return
            self._is_known = True
            self._plain = bytearray() if start[:1] in (b"{", b"<", b"[") else None
            piece = start if self._plain is not None else head
        if self._plain is None:
            yield from self._chunks(self._events.feed(piece), piece)
            return
        self._plain += piece
        if len(self._plain) > self._most_bytes:
            self._plain.clear()
            raise AnswerTooLongError(self._most_bytes)

    def end(self) -> Iterator[Chunk]:
        """Give what stood unfinished when the bytes ended."""
        if self._plain is not None:
            yield from _all_decoded(bytes(self._plain))
        elif self._is_known:
            # half an event: the stream was cut, which the missing finish reason shows
            with contextlib.suppress(StreamError):
                yield from self._chunks(self._events.end())

    def fault(self, fold: Fold) -> NbchatError | None:
        """Tell what is wrong with an answer that has ended; None where it is a success.

        A success has no error, and every choice has its finish reason; one JSON object is whole
        without any. ``[DONE]`` proves nothing: servers send it after errors, and others leave it
        out.
        """
        if fold.error is not None:
            return stream_error(fold.error)
        if fold.is_empty:
            return self._nothing_came()
        if fold.failed:
            return stream_error(None)
        if self.is_plain:
            return None
        unfinished = fold.unfinished
        if not unfinished:
            return None
        which = "the reply" if unfinished == [0] else f"choices {', '.join(map(str, unfinished))}"
        return StreamCutError(f"The stream ended before {which} was finished (no finish_reason).")

    def _nothing_came(self) -> StreamError | StreamCutError:
        if words := self.words:
            return _no_answer(words)
        if self.is_plain:
            return StreamError("The server sent an object without choices, and without an error.")
        return StreamCutError("The answer ended before anything of it had come.")

    def _chunks(self, events: list[Event], piece: bytes = b"") -> Iterator[Chunk]:
        if events and not self._is_done:
            self._is_running, self._words = True, b""
        elif not self._is_running and len(self._words) < _MOST_WORDS:
            self._words += piece[:_MOST_WORDS]
        for event in events:
            if self._is_done:
                return
            yield from self._of_event(event)

    def _of_event(self, event: Event) -> Iterator[Chunk]:
        data = event.data
        while data.startswith(b"data:"):  # some gateways write the field's name twice
            data = data[5:].lstrip()
        if data[:1] == b"{":
            chunk = _decoded(data)
            if event.type == "error" and not chunk.error:
                chunk.error = decode_json(data)
            yield chunk
        elif data.strip() == b"[DONE]":
            self._is_done, self._is_running = True, False
        elif event.type == "error":
            yield Chunk(error=data.decode("utf-8", "replace"))
        elif data.strip() and event.type == "message":
            yield from _all_decoded(data)
        # an event of another type that is no object is the server's own: a ping


def _decoded(data: bytes) -> Chunk:
    try:
        return decode_chunk(data)
    except ValueError:
        error = _no_answer(data.decode("utf-8", "replace").strip())
    raise error


def _all_decoded(data: bytes) -> list[Chunk]:
    try:
        return decode_chunks(data)
    except ValueError:
        error = _no_answer(data.decode("utf-8", "replace").strip())
    raise error


def _no_answer(text: str) -> StreamError:
    kind = "an HTML page" if text.startswith("<") else "something that is not JSON"
    shown = text if len(text) <= 200 else text[:199] + "…"
    return StreamError(
        f"The server sent {kind} where a chat completion was expected: {shown}", body=text
    )


def stream_error(error: object) -> StreamError:
    """Make the exception for the error of an event or a whole answer, whatever its shape."""
    fields = read_error(error)
    return StreamError(
        f"The server broke off the stream: {fields.message or 'no reason given'}",
        status=fields.status,
        code=fields.code,
        param=fields.param,
        type=fields.type,
        body=error,
    )


def read_stream(pieces: Iterable[bytes]) -> Completion:
    """Read the bytes of an answer to a completion, without a network.

    `pieces` may be cut anywhere, and may hold a stream of events or one JSON object. Raise
    `StreamError` for an error event or bytes that are no answer, `StreamCutError` where a
    choice has no finish reason; both carry what had come as `.completion`.
    """
    fold, reader = Fold(), Reader()
    try:
        for piece in pieces:
            for chunk in reader.feed(piece):
                fold.add(chunk)
            if reader.is_done:
                break
        for chunk in reader.end():
            fold.add(chunk)
        error = reader.fault(fold)
        if error is not None:
            raise error
    except (StreamError, TransportError) as error:
        error.completion = fold.completion()
        raise
    return fold.completion()
