"""What comes back: the whole answer (`Completion`), and one event of a stream (`Chunk`).

The names are those of the API. Keys that a server adds are kept in `extra`.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from math import isnan
from typing import Any, Self

import msgspec

from nbchat.api.encoded import plain_text
from nbchat.api.logprobs import ChoiceLogprobs, TokenTable, WireToken, as_number, jsonable
from nbchat.errors import UnreadableRunError


class Usage(msgspec.Struct):
    """Token counts of one request; None where the server did not say.

    `completion_tokens` includes reasoning tokens and rejected prediction tokens.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: dict[str, Any] = {}
    completion_tokens_details: dict[str, Any] = {}
    extra: dict[str, Any] = {}

    @property
    def cached_tokens(self) -> int | None:
        """Prompt tokens that the server had in its cache."""
        return _count(self.prompt_tokens_details, "cached_tokens")

    @property
    def cache_write_tokens(self) -> int | None:
        """Prompt tokens that the server put into its cache, which some charge more for."""
        return _count(self.prompt_tokens_details, "cache_write_tokens")

    @property
    def reasoning_tokens(self) -> int | None:
        """Completion tokens that were spent on reasoning."""
        return _count(self.completion_tokens_details, "reasoning_tokens")

    @property
    def audio_tokens(self) -> int | None:
        """Audio tokens, of prompt and completion together."""
        return self._of_both("audio_tokens")

    @property
    def text_tokens(self) -> int | None:
        """Tokens of text, of prompt and completion together."""
        return self._of_both("text_tokens")

    @property
    def image_tokens(self) -> int | None:
        """Tokens of pictures, of prompt and completion together."""
        return self._of_both("image_tokens")

    @property
    def accepted_prediction_tokens(self) -> int | None:
        """Tokens of the prediction that appear in the completion."""
        return _count(self.completion_tokens_details, "accepted_prediction_tokens")

    @property
    def rejected_prediction_tokens(self) -> int | None:
        """Tokens of the prediction that do not, and are paid for all the same."""
        return _count(self.completion_tokens_details, "rejected_prediction_tokens")

    def _of_both(self, name: str) -> int | None:
        details = (self.prompt_tokens_details, self.completion_tokens_details)
        known = [count for each in details if (count := _count(each, name)) is not None]
        return sum(known) if known else None


def summed(usages: list[Usage]) -> Usage:
    """Give the counts of several requests together; a count that one lacks is unknown."""
    if len(usages) == 1:
        return usages[0]
    totals: dict[str, int | None] = {}
    for name in ("prompt_tokens", "completion_tokens", "total_tokens"):
        counts = [getattr(usage, name) for usage in usages]
        totals[name] = None if None in counts else sum(counts)
    return Usage(
        **totals,  # type: ignore[arg-type]
        prompt_tokens_details=_summed_details([u.prompt_tokens_details for u in usages]),
        completion_tokens_details=_summed_details([u.completion_tokens_details for u in usages]),
    )


def _summed_details(details: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        name: sum(each[name] for each in details)
        for name in details[0]
        if all(isinstance(each.get(name), int) for each in details)
    }


def _count(details: dict[str, Any], name: str) -> int | None:
    value = details.get(name)
    is_count = isinstance(value, int) and not isinstance(value, bool)
    return value if is_count else None


class ResponseMessage(msgspec.Struct):
    """The message of a choice. `reasoning` is what some servers call `reasoning_content`.

    `reasoning_names` are the keys that it came under, and goes back under with calls.
    """

    role: str = "assistant"
    content: str | None = None
    refusal: str | None = None
    reasoning: str | None = None
    tool_calls: list[dict[str, Any]] = []
    function_call: dict[str, Any] | None = None
    annotations: list[Any] = []
    audio: dict[str, Any] | None = None
    extra: dict[str, Any] = {}
    reasoning_names: list[str] = []

    @property
    def text(self) -> str | None:
        """What was said: the content or, where there is none, the transcript of the sound."""
        return self.content or transcript_of(self.audio) or self.content


def transcript_of(audio: dict[str, Any] | None) -> str | None:
    """Give the transcript of a message's or a chunk's audio; None where there is none."""
    transcript = audio.get("transcript") if audio else None
    return transcript if isinstance(transcript, str) and transcript else None


class Choice(msgspec.Struct):
    """One of the `n` answers. `finish_reason` is None where it is not finished."""

    index: int
    message: ResponseMessage
    finish_reason: str | None = None
    logprobs: ChoiceLogprobs | None = None
    extra: dict[str, Any] = {}


class Completion(msgspec.Struct):
    """The server's answer, whole, whether it was streamed or not.

    `created` is in seconds since 1970. Log probabilities are in nats, as sent.
    Source: the response object of the Chat Completions API.
    """

    id: str | None = None
    object: str = "chat.completion"
    created: int | None = None
    model: str | None = None
    choices: list[Choice] = []
    usage: Usage | None = None
    service_tier: str | None = None
    system_fingerprint: str | None = None
    metadata: dict[str, Any] | None = None
    moderation: dict[str, Any] | None = None
    extra: dict[str, Any] = {}

    def to_dict(self) -> dict[str, Any]:
        """Give plain builtins, with logprobs as lists in the shape of the API."""
        built: dict[str, Any] = msgspec.to_builtins(self, enc_hook=_plain)
        return built

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Give the completion that `to_dict` made this of; keys it never writes are left out.

        What a server sent is read by `nbchat.load` and `nbchat.client.read_stream`. Raise
        `UnreadableRunError` where a value is not what `to_dict` writes.
        """
        try:
            return msgspec.convert(fields, cls, dec_hook=_read)
        except (msgspec.ValidationError, ValueError) as error:
            raise UnreadableRunError(f"This is no completion of to_dict(): {error}") from None


def _plain(value: Any) -> Any:
    if isinstance(value, ChoiceLogprobs):
        tables = {"content": value.content, "refusal": value.refusal}
        entries = {name: None if t is None else t.builtins() for name, t in tables.items()}
        arrivals = {
            f"{name}_arrival_s": list(table.arrivals)
            for name, table in tables.items()
            if table is not None and not all(map(isnan, table.arrivals))
        }
        return jsonable({**entries, **arrivals})
    if isinstance(value, TokenTable):
        return jsonable(value.builtins())
    return plain_text(value)


def _read(wanted: type, value: Any) -> Any:
    if wanted is not ChoiceLogprobs or not isinstance(value, Mapping):
        raise ValueError(f"{type(value).__name__} where {wanted.__name__} was expected")
    tables = {name: _table(name, value) for name in ("content", "refusal")}
    return ChoiceLogprobs(**tables)


def _table(name: str, fields: Mapping[str, Any]) -> TokenTable | None:
    entries, arrivals = fields.get(name), fields.get(f"{name}_arrival_s")
    if entries is None:
        return None
    if not isinstance(entries, list) or not all(isinstance(e, Mapping) for e in entries):
        raise ValueError(f"the {name} of logprobs is no list of objects")
    table = TokenTable.build(entries)
    if isinstance(arrivals, list) and len(arrivals) == len(table):
        table.arrivals = array("d", map(as_number, arrivals))
    return table


class ChunkLogprobs(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The log probabilities that came with one chunk."""

    content: list[WireToken] | None = None
    refusal: list[WireToken] | None = None


# In the three structs below `extra` and `is_in_parts` are filled by nbchat.api.deviations, never
# by the wire: their names there, with the space, are ones that no server uses.


class Delta(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """What one chunk adds to a message (or, in a whole answer, the message)."""

    role: str | None = None
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    function_call: dict[str, Any] | None = None
    audio: dict[str, Any] | None = None
    annotations: list[Any] | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    #: whether the reasoning stood among the parts of the content, and so under no name of its own
    is_in_parts: bool = msgspec.field(default=False, name=" is_in_parts")
    extra: dict[str, Any] | None = msgspec.field(default=None, name=" extra")


class ChunkChoice(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """What one chunk adds to a choice. A whole answer has `message` in the place of `delta`.

    `text` is what the older API of text completions has in the place of both.
    """

    index: int | None = None
    text: str | None = None
    delta: Delta | None = None
    message: Delta | None = None
    finish_reason: str | None = None
    logprobs: ChunkLogprobs | None = None
    extra: dict[str, Any] | None = msgspec.field(default=None, name=" extra")


class Chunk(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One decoded event of a stream; a whole answer is one chunk, too."""

    id: str | None = None
    object: str | None = None
    created: int | None = None
    model: str | None = None
    choices: list[ChunkChoice] | None = None
    usage: dict[str, Any] | None = None
    service_tier: str | None = None
    system_fingerprint: str | None = None
    metadata: dict[str, Any] | None = None
    moderation: dict[str, Any] | None = None
    obfuscation: str | None = None
    error: Any = None
    #: llama.cpp's, in every whole answer; it stands in `extra`, too
    timings: dict[str, Any] | None = None
    extra: dict[str, Any] | None = msgspec.field(default=None, name=" extra")

    @property
    def text(self) -> str:
        """The text that this chunk adds to the first choice."""
        return "".join(
            choice.delta.content
            for choice in self.choices or ()
            if choice.delta and choice.delta.content and not choice.index
        )
