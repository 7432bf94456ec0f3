"""Chunks to a completion, with constant work for each chunk and no I/O.

A whole answer is folded as one chunk, so that a stream and a whole answer cannot differ.
The rules for what servers leave out or repeat are the "tolerant reader" of the reference.
"""

from __future__ import annotations

from math import nan
from typing import Any

from nbchat.api.deviations import (
    created_s,
    cut_off,
    joined_details,
    merged_usage,
    read_usage,
    shallow,
    tidy_body,
)
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
from nbchat.client.call_deltas import FoldedCalls, joined, whole_body
from nbchat.errors import StreamError

#: n is 128 at most; an index far beyond is no index
MOST_CHOICES = 1024


class Fold:
    """Accumulate chunks. `completion()` gives what has come so far, at any time.

    `error` holds the error object of an error event, None while there was none. A part that is
    nested beyond reason raises `StreamError`.
    """

    def __init__(self) -> None:
        self.error: Any = None
        self.has_content = False
        #: whether a choice has had a finish reason
        self.has_finished = False
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
                    if index >= MOST_CHOICES:
                        break
                choice = self._choices.get(index)
                if choice is None:
                    choice = self._choices[index] = _FoldedChoice(index)
                if choice.add(part, arrival_s):
                    self.has_content = True
                if part.finish_reason:
                    self.has_finished = True
        if self._id is None and chunk.id:
            self._id = chunk.id
        if self._model is None and chunk.model:
            self._model = chunk.model
        if self._created is None and chunk.created:
            self._created = created_s(chunk.created)
        if chunk.system_fingerprint is not None:
            self._fingerprint = chunk.system_fingerprint
        if chunk.usage is not None:
            self._usage = _kept(merged_usage(self._usage, chunk))
        if chunk.service_tier is not None:
            self._service_tier = chunk.service_tier
        if chunk.metadata is not None:
            self._metadata = _kept(chunk.metadata)
        if chunk.moderation is not None:
            self._moderation = _kept(chunk.moderation)
        if chunk.extra is not None:
            self._extra.update(_kept(chunk.extra))
        if chunk.error and self.error is None:
            self.error = cut_off(chunk.error)

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
    def n_choices(self) -> int:
        """How many choices were seen."""
        return len(self._choices)

    @property
    def unfinished(self) -> list[int]:
        """The choices that have no finish reason."""
        return [index for index, c in sorted(self._choices.items()) if not c.finish_reason]

    @property
    def failed(self) -> list[int]:
        """The choices that the server calls failed, by a finish reason that the API has not."""
        return [index for index, c in sorted(self._choices.items()) if c.finish_reason == "error"]

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
        "_reasoning_names",
        "_refusal",
        "_refusal_table",
        "_repeats",
        "_role",
        "finish_reason",
        "index",
    )

    def __init__(self, index: int):
        self.index = index
        self.finish_reason: str | None = None
        self._role: str | None = None
        #: whether a message repeats what came as deltas; None while there was no message
        self._repeats: bool | None = None
        self._content: list[str] = []
        self._refusal: list[str] = []
        self._reasoning: list[str] = []
        self._reasoning_names: list[str] = []
        self._calls: FoldedCalls | None = None
        self._function_call: dict[str, Any] | None = None
        self._annotations: list[Any] = []
        self._audio: FoldedSound | None = None
        self._content_table: TokenTable | None = None
        self._refusal_table: TokenTable | None = None
        self._message_extra: dict[str, Any] = {}
        self._extra: dict[str, Any] = {}

    def add(self, part: ChunkChoice, arrival_s: float) -> bool:
        """Fold one chunk's part. Tell whether it brought content of any kind."""
        delta = part.delta
        if delta is None and part.message is not None:
            return self._add_message(part, part.message, arrival_s)
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

    def _add_message(self, part: ChunkChoice, message: Delta, arrival_s: float) -> bool:
        """Fold a message: of a whole answer, whole again after its deltas, or a delta by name."""
        if self._repeats is None:
            self._repeats = bool(self._content or self._reasoning or self._refusal or self._calls)
        if self._repeats:
            self._forget(message)
        brought = self._add_delta(message)
        has_table = self._content_table is not None or self._refusal_table is not None
        if part.logprobs is not None and not (self._repeats and has_table):
            self._add_logprobs(part.logprobs, arrival_s)
        self.finish_reason = part.finish_reason or self.finish_reason
        self._extra.update(part.extra or {})
        return brought

    def _forget(self, message: Delta) -> None:
        """Leave out what came in pieces of that which a message has whole."""
        if message.content:
            self._content = []
        if message.refusal:
            self._refusal = []
        if message.reasoning or message.reasoning_content:
            self._reasoning = []
        if message.tool_calls:
            self._calls = None
        self._function_call = None if message.function_call else self._function_call
        self._annotations = [] if message.annotations else self._annotations
        self._audio = None if message.audio else self._audio
        for name in message.extra or ():
            self._message_extra.pop(name, None)

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
            if not self._reasoning_names:
                self._reasoning_names = _names_of_reasoning(delta)
        if delta.tool_calls:
            if self._calls is None:
                self._calls = FoldedCalls()
            self._calls.add(_kept(delta.tool_calls))
        if delta.function_call:
            self._function_call = joined(
                self._function_call or {}, tidy_body(_kept(delta.function_call))
            )
        if delta.annotations:
            self._annotations += _kept(delta.annotations)
        if delta.audio:
            self._audio = self._audio or FoldedSound()
            self._audio.add(_kept(delta.audio))
        if delta.extra is not None:
            _unite(self._message_extra, delta.extra)
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
                function_call=whole_body(self._function_call) if self._function_call else None,
                annotations=list(self._annotations),
                audio=self._audio.whole() if self._audio is not None else None,
                extra=joined_details(self._message_extra),
                reasoning_names=list(self._reasoning_names),
            ),
            finish_reason=self.finish_reason,
            logprobs=ChoiceLogprobs(self._content_table, self._refusal_table)
            if has_tables
            else None,
            extra=dict(self._extra),
        )


def _names_of_reasoning(delta: Delta) -> list[str]:
    if delta.is_in_parts:
        return []
    return [name for name in ("reasoning", "reasoning_content") if getattr(delta, name)]


def _kept(value: Any) -> Any:
    """Give a part of an answer that is plain JSON, which Python must be able to walk."""
    try:
        return shallow(value)
    except ValueError as error:
        sentence = f"The server sent {error}."
    raise StreamError(sentence)


def _unite(known: dict[str, Any], more: dict[str, Any]) -> None:
    """Add what a delta brings beside the API: lists grow, of the rest the last counts."""
    for name, value in more.items():
        if not isinstance(value, list):
            known[name] = value
        elif isinstance(known.get(name), list):
            known[name] += value
        else:
            known[name] = list(value)
