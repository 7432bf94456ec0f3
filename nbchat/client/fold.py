"""Chunks to a completion, with constant work for each chunk and no I/O.

A whole answer is folded as one chunk, so that a stream and a whole answer cannot differ.
The rules for what servers leave out or repeat are the "tolerant reader" of the reference.
"""

from __future__ import annotations

from math import nan
from typing import Any

from nbchat.api.deviations import created_s, merged_usage, read_usage
from nbchat.api.logprobs import ChoiceLogprobs, TokenTable
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
from nbchat.client.audio_deltas import FoldedSound

#: n is 128 at most; an index far beyond is no index
MOST_CHOICES = 1024


class Fold:
    """Accumulate chunks. `completion()` gives what has come so far, at any time.

    `error` holds the error object of an error event, None while there was none.
    """

    def __init__(self) -> None:
        self.error: Any = None
        self.has_content = False
        self._choices: dict[int, _FoldedChoice] = {}
        self._usage: dict[str, Any] | None = None
        self._id: str | None = None
        self._created: int | None = None
        self._model: str | None = None
        self._service_tier: str | None = None
        self._fingerprint: str | None = None
        self._metadata: dict[str, Any] | None = None
        self._moderation: dict[str, Any] | None = None
        self._extra: dict[str, Any] = {}

    def add(self, chunk: Chunk, arrival_s: float = nan) -> None:
        """Fold one chunk that came `arrival_s` seconds after the request was sent."""
        if chunk.choices:
            for position, part in enumerate(chunk.choices):
                index = part.index
                if index is None or not 0 <= index < MOST_CHOICES:
                    index = position
                choice = self._choices.get(index)
                if choice is None:
                    choice = self._choices[index] = _FoldedChoice(index)
                if choice.add(part, arrival_s):
                    self.has_content = True
        if self._id is None and chunk.id:
            self._id = chunk.id
        if self._model is None and chunk.model:
            self._model = chunk.model
        if self._created is None and chunk.created:
            self._created = created_s(chunk.created)
        if chunk.system_fingerprint is not None:
            self._fingerprint = chunk.system_fingerprint
        if chunk.usage is not None:
            self._usage = merged_usage(self._usage, chunk)
        if chunk.service_tier is not None:
            self._service_tier = chunk.service_tier
        if chunk.metadata is not None:
            self._metadata = chunk.metadata
        if chunk.moderation is not None:
            self._moderation = chunk.moderation
        if chunk.extra is not None:
            self._extra.update(chunk.extra)
        if chunk.error and self.error is None:
            self.error = chunk.error

    def completion(self) -> Completion:
        """Give the completion so far. The tables of logprobs in it go on growing."""
        return Completion(
            id=self._id,
            created=self._created,
            model=self._model,
            choices=[self._choices[index].choice() for index in sorted(self._choices)],
            usage=self._folded_usage(),
            service_tier=self._service_tier,
            system_fingerprint=self._fingerprint,
            metadata=self._metadata,
            moderation=self._moderation,
            extra=dict(self._extra),
        )

    def _folded_usage(self) -> Usage | None:
        return None if self._usage is None else read_usage(self._usage)

    @property
    def unfinished(self) -> list[int]:
        """The choices that have no finish reason."""
        return [index for index, c in sorted(self._choices.items()) if not c.finish_reason]

    @property
    def is_empty(self) -> bool:
        """True while no choice was seen."""
        return not self._choices


class _FoldedChoice:
    __slots__ = (
        "_annotations",
        "_audio",
        "_calls",
        "_content",
        "_content_table",
        "_extra",
        "_function_call",
        "_message_extra",
        "_reasoning",
        "_refusal",
        "_refusal_table",
        "_role",
        "finish_reason",
        "index",
    )

    def __init__(self, index: int):
        self.index = index
        self.finish_reason: str | None = None
        self._role: str | None = None
        self._content: list[str] = []
        self._refusal: list[str] = []
        self._reasoning: list[str] = []
        self._calls: _FoldedCalls | None = None
        self._function_call: dict[str, Any] | None = None
        self._annotations: list[Any] = []
        self._audio: FoldedSound | None = None
        self._content_table: TokenTable | None = None
        self._refusal_table: TokenTable | None = None
        self._message_extra: dict[str, Any] = {}
        self._extra: dict[str, Any] = {}

    def add(self, part: ChunkChoice, arrival_s: float) -> bool:
        """Fold one chunk's part. Tell whether it brought content of any kind."""
        delta = part.delta or part.message
        brought = self._add_delta(delta) if delta is not None else False
        if part.text is not None and delta is None:
            self._content.append(part.text)
            brought = bool(part.text)
        if part.logprobs is not None:
            self._add_logprobs(part.logprobs, arrival_s)
        if part.finish_reason:
            self.finish_reason = part.finish_reason
        if part.extra is not None:
            self._extra.update(part.extra)
        return brought

    def _add_delta(self, delta: Delta) -> bool:
        content = delta.content
        if content is not None:
            self._content.append(content)
        if self._role is None:
            self._role = delta.role or None
        if delta.refusal is not None:
            self._refusal.append(delta.refusal)
        # two names for the same thing; a server that sends both sends it twice
        reasoning = delta.reasoning or delta.reasoning_content
        if reasoning:
            self._reasoning.append(reasoning)
        if delta.tool_calls:
            if self._calls is None:
                self._calls = _FoldedCalls()
            self._calls.add(delta.tool_calls)
        if delta.function_call:
            self._function_call = _joined(self._function_call or {}, delta.function_call)
        if delta.annotations:
            self._annotations += delta.annotations
        if delta.audio:
            self._audio = self._audio or FoldedSound()
            self._audio.add(delta.audio)
        if delta.extra is not None:
            self._message_extra.update(delta.extra)
        return bool(
            content
            or delta.refusal
            or reasoning
            or delta.tool_calls
            or delta.function_call
            or delta.audio
        )

    def _add_logprobs(self, logprobs: ChunkLogprobs, arrival_s: float) -> None:
        if logprobs.content is not None:
            if self._content_table is None:
                self._content_table = TokenTable()
            self._content_table.extend(logprobs.content, arrival_s)
        if logprobs.refusal is not None:
            if self._refusal_table is None:
                self._refusal_table = TokenTable()
            self._refusal_table.extend(logprobs.refusal, arrival_s)

    def choice(self) -> Choice:
        calls = self._calls.calls() if self._calls is not None else []
        refusal = "".join(self._refusal) or None
        content = "".join(self._content) if self._content else None
        if content == "" and (calls or refusal or self._function_call):
            content = None  # some servers open every message with an empty text
        has_tables = self._content_table is not None or self._refusal_table is not None
        return Choice(
            index=self.index,
            message=ResponseMessage(
                role=self._role or "assistant",
                content=content,
                refusal=refusal,
                reasoning="".join(self._reasoning) or None,
                tool_calls=calls,
                function_call=_whole_body(self._function_call) if self._function_call else None,
                annotations=list(self._annotations),
                audio=self._audio.whole() if self._audio is not None else None,
                extra=dict(self._message_extra),
            ),
            finish_reason=self.finish_reason,
            logprobs=ChoiceLogprobs(self._content_table, self._refusal_table)
            if has_tables
            else None,
            extra=dict(self._extra),
        )


class _FoldedCalls:
    """Tool calls from their pieces: by index, else by id, else by where a name begins a new one."""

    def __init__(self) -> None:
        self._calls: dict[int, dict[str, Any]] = {}
        self._by_id: dict[str, int] = {}
        self._next = 0
        self._last: int | None = None

    def add(self, pieces: list[dict[str, Any]]) -> None:
        for position, piece in enumerate(pieces):
            self._add(piece, position if len(pieces) > 1 else self._last)

    def _add(self, piece: dict[str, Any], otherwise: int | None) -> None:
        key = self._key(piece, otherwise)
        call = self._calls.setdefault(key, {})
        self._last = key
        for name, value in piece.items():
            if name in ("function", "custom"):
                # Snowflake sends an empty `custom` beside `function`
                if value and isinstance(value, dict):
                    call[name] = _joined(call.get(name, {}), value)
            elif name != "index" and not call.get(name):
                call[name] = value

    def _key(self, piece: dict[str, Any], otherwise: int | None) -> int:
        index = piece.get("index")
        if isinstance(index, int):
            self._next = max(self._next, index + 1)
            return index
        call_id = piece.get("id")
        if call_id and isinstance(call_id, str):
            key = self._by_id.get(call_id)
            if key is None:
                key = self._by_id[call_id] = self._new_key()
            return key
        body = piece.get("function") or piece.get("custom")
        if otherwise is None or (isinstance(body, dict) and body.get("name")):
            return self._new_key()
        return otherwise

    def _new_key(self) -> int:
        self._next = max(self._next, len(self._calls)) + 1
        return self._next - 1

    def calls(self) -> list[dict[str, Any]]:
        return [_whole_call(self._calls[key]) for key in sorted(self._calls)]


def _whole_call(call: dict[str, Any]) -> dict[str, Any]:
    kind = "custom" if "custom" in call and "function" not in call else "function"
    whole = {"id": call.get("id") or "", "type": call.get("type") or kind}
    rest = {name: value for name, value in call.items() if name not in ("id", "type", kind)}
    body = _whole_body(call.get(kind, {}))
    if kind == "function":
        body.setdefault("arguments", "")
    return {**whole, kind: body, **{n: v for n, v in rest.items() if v not in (None, {})}}


_GROWING = ("arguments", "input")


def _whole_body(body: dict[str, Any]) -> dict[str, Any]:
    return {n: "".join(v) if isinstance(v, list) and n in _GROWING else v for n, v in body.items()}


def _joined(body: dict[str, Any], piece: dict[str, Any]) -> dict[str, Any]:
    """Add a piece of a call: `arguments` and `input` grow, the rest is taken once."""
    for name, value in piece.items():
        if name in _GROWING:
            if value is None:
                continue
            text = value if isinstance(value, str) else _as_json(value)
            body.setdefault(name, []).append(text)
        elif not body.get(name):
            body[name] = value
    return body


def _as_json(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)
