"""Bytes of an answer to chunks and a completion, with no I/O."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

from nbchat.api.deviations import decode_chunk, decode_json
from nbchat.api.response import Chunk, Completion
from nbchat.client.fold import Fold
from nbchat.client.sse import Decoder, Event
from nbchat.errors import NbchatError, StreamCutError, StreamError

_BOM = b"\xef\xbb\xbf"


class Reader:
    """Turn the bytes of an answer, cut anywhere, into chunks.

    A server that answers a stream request with one JSON object instead of events is
    understood: the whole object becomes one chunk.
    """

    def __init__(self) -> None:
        self._events = Decoder()
        self._plain: list[bytes] | None = None
        self._head = b""
        self._is_done = False
        self._is_known = False

    @property
    def is_done(self) -> bool:
        """Whether ``[DONE]`` has come, after which nothing counts."""
        return self._is_done

    def feed(self, piece: bytes) -> Iterable[Chunk]:
        """Give the chunks that this piece completes. Raise StreamError where it is no JSON."""
        if not self._is_known or self._plain is not None:
            return self._begin(piece)
        events = self._events.feed(piece)
        # mostly one piece is one chunk
        if len(events) == 1 and events[0].type == "message" and not self._is_done:
            data = events[0].data
            if data.startswith(b"{"):
                return (_decoded(data),)
        return self._chunks(events)

    def _begin(self, piece: bytes) -> Iterator[Chunk]:
        if not self._is_known:
            head = self._head + piece
            start = head.removeprefix(_BOM).lstrip()
            if not start or (len(head) < len(_BOM) and _BOM.startswith(head)):
                # blank lines before the first event mean nothing
                self._head = head if _BOM.startswith(head) else b""
                return
            self._is_known = True
            self._plain = [] if start[:1] in (b"{", b"<", b"[") else None
            piece = start if self._plain is not None else head
        if self._plain is not None:
            self._plain.append(piece)
        else:
            yield from self._chunks(self._events.feed(piece))

    def end(self) -> Iterator[Chunk]:
        """Give what stood unfinished when the bytes ended."""
        if self._plain is not None:
            yield _decoded(b"".join(self._plain))
        elif self._is_known:
            # half an event: the stream was cut, which the missing finish reason shows
            with contextlib.suppress(StreamError):
                yield from self._chunks(self._events.end())

    def _chunks(self, events: list[Event]) -> Iterator[Chunk]:
        for event in events:
            if self._is_done:
                return
            data = event.data
            if data[:1] == b"{":
                chunk = _decoded(data)
                if event.type == "error" and not chunk.error:
                    chunk.error = _error_object(data)
                yield chunk
            elif data.strip() == b"[DONE]":
                self._is_done = True
            elif data.strip():
                yield _decoded(data)


def _decoded(data: bytes) -> Chunk:
    try:
        return decode_chunk(data)
    except ValueError:
        text = data.decode("utf-8", "replace").strip()
        kind = "an HTML page" if text.startswith("<") else "something that is not JSON"
        shown = text if len(text) <= 200 else text[:199] + "…"
        raise StreamError(
            f"The server sent {kind} where a chat completion was expected: {shown}", body=text
        ) from None


def _error_object(data: bytes) -> Any:
    decoded = decode_json(data)
    return (decoded.get("error") if isinstance(decoded, dict) else None) or decoded


def error_of(fold: Fold) -> NbchatError | None:
    """Tell what is wrong with a stream that has ended; None where it is a success.

    A success has no error event, and every choice has its finish reason. ``[DONE]`` proves
    nothing: servers send it after errors, and others leave it out.
    """
    if fold.error is not None:
        return stream_error(fold.error)
    if fold.is_empty:
        return StreamCutError("The answer ended before anything of it had come.")
    if unfinished := fold.unfinished:
        which = "the reply" if unfinished == [0] else f"choices {', '.join(map(str, unfinished))}"
        return StreamCutError(f"The stream ended before {which} was finished (no finish_reason).")
    return None


def stream_error(error: Any) -> StreamError:
    """Make the exception for the error object of an event, whatever its shape."""
    fields = error if isinstance(error, dict) else {"message": str(error)}
    code = fields.get("code")
    status = fields.get("status_code", code if isinstance(code, int) else None)
    return StreamError(
        f"The server broke off the stream: {fields.get('message') or 'no reason given'}",
        status=status if isinstance(status, int) else None,
        code=str(code) if code is not None and code != status else None,
        param=_text_or_none(fields.get("param")),
        type=_text_or_none(fields.get("type")),
        body=error,
    )


def _text_or_none(value: Any) -> str | None:
    return None if value is None else str(value)


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
        error = error_of(fold)
        if error is not None:
            raise error
    except (StreamError, StreamCutError) as error:
        error.completion = fold.completion()
        raise
    return fold.completion()
