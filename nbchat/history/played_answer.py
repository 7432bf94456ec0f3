"""A recorded answer that comes again as chunks, through the fold that every answer passes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from math import isfinite, nan
from typing import Any, Self

import msgspec

from nbchat.api.logprobs import TokenLogprob, TokenTable, WireAlternative, WireToken
from nbchat.api.response import (
    Choice,
    Chunk,
    ChunkChoice,
    ChunkLogprobs,
    Completion,
    Delta,
    ResponseMessage,
    Usage,
)
from nbchat.client.fold import Fold

#: characters of a piece of text that has no tokens to be cut at
_PIECE = 24


class PlayedAnswer:
    """The answer of a record: iterate for its chunks, as with `nbchat.client.Stream`.

    `speed` is how fast it comes: 1.0 as fast as it came, None at once. Nothing is sent:
    `tries` is 0, and `ttft_s` and `elapsed_s` are those of the record.
    """

    def __init__(
        self,
        completion: Completion,
        *,
        ttft_s: float | None = None,
        elapsed_s: float | None = None,
        request_id: str | None = None,
        speed: float | None = None,
    ):
        self.tries = 0
        self.ttft_s = ttft_s
        self.elapsed_s = elapsed_s
        self.request_id = request_id
        self._recorded = completion
        self._speed = speed
        self._fold = Fold()
        self._cancelled = threading.Event()

    @property
    def completion(self) -> Completion:
        """What has come so far."""
        return self._fold.completion()

    @property
    def was_cancelled(self) -> bool:
        """Whether `cancel()` was called."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """End it from another thread: the loop over it ends at once."""
        self._cancelled.set()

    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def __iter__(self) -> Iterator[Chunk]:
        began = time.perf_counter()
        for at_s, arrival_s, chunk in self._timed():
            if self._speed:
                left_s = began + at_s / self._speed - time.perf_counter()
                if left_s > 0:
                    self._cancelled.wait(left_s)
            if self._cancelled.is_set():
                return
            self._fold.add(chunk, arrival_s)
            yield chunk

    def _timed(self) -> Iterator[tuple[float, float, Chunk]]:
        """Give the chunks with the seconds after which each comes, and came: NaN if unknown."""
        yield 0.0, nan, self._head()
        timed = [entry for choice in self._recorded.choices for entry in self._of_choice(choice)]
        timed.sort(key=lambda entry: entry[0])  # choices come side by side
        yield from timed
        yield (timed[-1][0] if timed else 0.0), nan, self._tail()

    def _of_choice(self, choice: Choice) -> Iterator[tuple[float, float, Chunk]]:
        at_s = first_s = self.ttft_s or 0.0
        all_s = max((self.elapsed_s or first_s) - first_s, 0.0)
        pieces = list(_pieces(choice))
        has_times = any(isfinite(arrival_s) for arrival_s, _ in pieces)
        for place, (arrival_s, part) in enumerate(pieces):
            if isfinite(arrival_s):
                at_s = max(at_s, arrival_s)
            elif not has_times:
                at_s = first_s + all_s * place / max(len(pieces) - 1, 1)
            yield at_s, arrival_s, Chunk(choices=[part])

    def _head(self) -> Chunk:
        recorded = self._recorded
        return Chunk(
            id=recorded.id,
            created=recorded.created,
            model=recorded.model,
            service_tier=recorded.service_tier,
            system_fingerprint=recorded.system_fingerprint,
        )

    def _tail(self) -> Chunk:
        recorded = self._recorded
        return Chunk(
            usage=None if recorded.usage is None else _wire_usage(recorded.usage),
            metadata=recorded.metadata,
            moderation=recorded.moderation,
            extra=recorded.extra or None,
        )


#: when it came, NaN where that is not known, and what
_Piece = tuple[float, ChunkChoice]


def _reasoning(message: ResponseMessage) -> dict[str, Any]:
    """Give what was thought, under the names that it came under."""
    if not message.reasoning_names:
        return {"reasoning": message.reasoning, "is_in_parts": True}
    return dict.fromkeys(message.reasoning_names, message.reasoning)


def _pieces(choice: Choice) -> Iterator[_Piece]:
    """Cut a choice into chunks: its tokens where there are any, else its text."""
    message, index, logprobs = choice.message, choice.index, choice.logprobs
    yield nan, ChunkChoice(index, delta=Delta(role=message.role, **_reasoning(message)))
    if logprobs is not None:  # lists that are there and empty stay so
        empty = ChunkLogprobs(
            None if logprobs.content is None else [], None if logprobs.refusal is None else []
        )
        yield nan, ChunkChoice(index, logprobs=empty)
    for text, rows in _told(message.content, logprobs.content if logprobs else None):
        told = ChunkChoice(index, delta=Delta(content=text))
        if rows is not None:
            told.logprobs = ChunkLogprobs(content=[rows[1]])
        yield (nan if rows is None else rows[0]), told
    for text, rows in _told(message.refusal, logprobs.refusal if logprobs else None):
        told = ChunkChoice(index, delta=Delta(refusal=text))
        if rows is not None:
            told.logprobs = ChunkLogprobs(refusal=[rows[1]])
        yield (nan if rows is None else rows[0]), told
    rest = Delta(
        tool_calls=[{"index": i, **call} for i, call in enumerate(message.tool_calls)] or None,
        function_call=message.function_call,
        annotations=message.annotations or None,
        audio=message.audio,
        extra=message.extra or None,
    )
    yield (
        nan,
        ChunkChoice(
            index, delta=rest, finish_reason=choice.finish_reason, extra=choice.extra or None
        ),
    )


def _told(
    text: str | None, table: TokenTable | None
) -> Iterator[tuple[str | None, tuple[float, WireToken] | None]]:
    """Give a text piece by piece, each with its row and when it came; then what has no rows."""
    whole = text or ""
    start = 0
    for place, stop in enumerate(_cuts(whole, table) if table is not None else ()):
        assert table is not None  # noqa: S101 - it was cut by it
        yield (
            None if text is None else whole[start:stop],
            (table.arrivals[place], _wire(table[place])),
        )
        start = stop
    for at in range(start, len(whole), _PIECE):
        yield whole[at : at + _PIECE], None
    if text == "":
        yield "", None


def _cuts(text: str, table: TokenTable) -> list[int]:
    """Give where the text ends after each token, as far as tokens and text agree."""
    cuts, at = [], 0
    for entry in table:
        if text.startswith(entry.token, at):
            at += len(entry.token)
        cuts.append(at)
    return cuts


def _wire(entry: TokenLogprob) -> WireToken:
    return WireToken(
        entry.token,
        entry.logprob,
        _raw(entry.bytes),
        entry.id,
        [WireAlternative(o.token, o.logprob, _raw(o.bytes), o.id) for o in entry.top_logprobs],
    )


def _raw(data: tuple[int, ...] | None) -> msgspec.Raw:
    return msgspec.Raw(b"null" if data is None else msgspec.json.encode(data))


def _wire_usage(usage: Usage) -> dict[str, Any]:
    fields = {name: getattr(usage, name) for name in usage.__struct_fields__ if name != "extra"}
    return {**usage.extra, **fields}
