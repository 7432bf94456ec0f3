"""A run as plain data, and back, with all that frames and views read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any, Literal, Protocol

import msgspec

from nbchat.api.encoded import Encoded, plain_text
from nbchat.api.logprobs import jsonable
from nbchat.api.params import ChatParams
from nbchat.api.response import Completion
from nbchat.cell_turn import CellTurn
from nbchat.errors import UnreadableRunError
from nbchat.stored_error import error_as_dict, error_of
from nbchat.structured.structure import Structure
from nbchat.tools.calls import Call, Round

#: what `object` says in the data of a run, as "chat.completion" does in an answer
OBJECT: Literal["nbchat.run"] = "nbchat.run"
Path = list[str | int]


class _Medium(msgspec.Struct, omit_defaults=True):
    """Where in the messages base64 stands, and what is known of it beside its text."""

    at: Path
    name: str = ""
    path: str | None = None
    variable: str | None = None
    mime: str = ""
    n_bytes: int | None = None


class _Structure(msgspec.Struct):
    wire: dict[str, Any]
    schema: dict[str, Any]
    wrapped: str | None
    strict: bool


class _Round(msgspec.Struct):
    message: dict[str, Any]
    calls: list[Call]
    completion: dict[str, Any]
    is_answered: bool
    elapsed_s: float | None


class _Stored(msgspec.Struct):
    """What is written of a run: one field for each of its attributes, and what those need."""

    id: str
    created_at: datetime
    object: Literal["nbchat.run"] = OBJECT
    profile: str = ""
    base_url: str = ""
    model_asked: str | None = None
    messages: list[dict[str, Any]] = []
    media: list[_Medium] = []
    params: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    status: Literal["running", "complete", "interrupted", "error"] = "complete"
    error: dict[str, Any] | None = None
    ttft_s: float | None = None
    elapsed_s: float | None = None
    thread: str | None = None
    turn: int | None = None
    cost_usd: float | None = None
    cost_source: str | None = None
    vocab_size: int | None = None
    logprob_basis: Literal["raw", "tempered", "unknown"] = "unknown"
    tries: int = 0
    request_id: str | None = None
    rounds: list[_Round] = []
    notes: list[str] = []
    n_begun: int = 0
    end_tokens: list[int] = []
    notebook: str | None = None
    cell: str | None = None
    cell_turn: CellTurn | None = None
    sweep: str | None = None
    request_sha256: str | None = None
    number_in_cell: int | None = None
    is_replayed: bool = False
    cost_before_usd: float | None = None
    options: dict[str, Any] = {}
    structure: _Structure | None = None
    completion: dict[str, Any] | None = None


_SPECIAL = {
    "object", "media", "messages", "params", "extra", "error", "rounds", "structure", "completion",
}  # fmt: skip
_PLAIN = [name for name in _Stored.__struct_fields__ if name not in _SPECIAL]
_plain_facts = attrgetter(*_PLAIN)


class StorableRun(Protocol):
    """What a run has that is written; the plain facts beside it have the names of `_Stored`."""

    @property
    def messages(self) -> list[dict[str, Any]]: ...
    @property
    def params(self) -> ChatParams: ...
    @property
    def error(self) -> BaseException | None: ...
    @property
    def rounds(self) -> list[Round]: ...
    @property
    def structure(self) -> Structure | None: ...
    @property
    def completion(self) -> Completion | None: ...


def as_dict(
    run: StorableRun, write: Callable[[Completion], Any] = Completion.to_dict
) -> dict[str, Any]:
    """Give a run as builtins that JSON takes. `facts_of` reads them back.

    `write` gives what stands for each completion, those of the rounds first: its data, or a
    completion without log probabilities.
    """
    built: dict[str, Any] = jsonable(msgspec.to_builtins(_stored(run, write), enc_hook=plain_text))
    return built


def as_json(run: StorableRun, write: Callable[[Completion], Any]) -> bytes:
    """Give the same as JSON, quicker; what that has no number for is null."""
    return msgspec.json.encode(_stored(run, write), enc_hook=plain_text)


def _stored(run: StorableRun, write: Callable[[Completion], Any]) -> _Stored:
    structure, completion = run.structure, run.completion
    return _Stored(
        **dict(zip(_PLAIN, _plain_facts(run), strict=True)),
        messages=run.messages,
        media=list(_media(run.messages, [])),
        params=run.params.given(),
        extra=run.params.extra,
        error=None if run.error is None else error_as_dict(run.error),
        rounds=[_stored_round(tool_round, write) for tool_round in run.rounds],
        structure=None if structure is None else _stored_structure(structure),
        completion=None if completion is None else write(completion),
    )


def facts_of(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Give the attributes of the run that `as_dict` wrote, each under its name.

    Fields that only a later nbchat knows are left out. Raise `UnreadableRunError` where the
    data is no run's.
    """
    try:
        read = msgspec.convert(stored, _Stored)
    except msgspec.ValidationError as error:
        raise UnreadableRunError(f"This is no stored run: {error}.") from None
    return {
        **dict(zip(_PLAIN, _plain_facts(read), strict=True)),
        "messages": _with_media(read.messages, read.media),
        "params": _params(read.params, read.extra),
        "error": None if read.error is None else error_of(read.error),
        "rounds": [_round(tool_round) for tool_round in read.rounds],
        "structure": None if read.structure is None else _structure(read.structure),
        "completion": None if read.completion is None else Completion.from_dict(read.completion),
    }


def media_in(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give as builtins where base64 stands in messages, and what it was made of."""
    built: list[dict[str, Any]] = msgspec.to_builtins(list(_media(messages, [])))
    return built


def with_media(messages: list[dict[str, Any]], media: Any) -> list[dict[str, Any]]:
    """Copy messages as builtins with their base64 as what `media_in` says of it."""
    return _with_media(messages, msgspec.convert(media, list[_Medium]))


def _media(value: Any, at: Path) -> Iterator[_Medium]:
    if isinstance(value, Encoded):
        yield _Medium(at, value.name, value.path, value.variable, value.mime, value.n_bytes)
    elif isinstance(value, dict):
        for key, entry in value.items():
            if type(entry) is not str:
                yield from _media(entry, [*at, key])
    elif isinstance(value, list):
        for place, entry in enumerate(value):
            if type(entry) is not str:
                yield from _media(entry, [*at, place])


def _with_media(messages: list[dict[str, Any]], media: list[_Medium]) -> list[dict[str, Any]]:
    messages = msgspec.to_builtins(messages)  # a copy: the data stays as it was
    for medium in media:
        *way, last = medium.at or [""]
        place: Any = messages
        try:
            for step in way:
                place = place[step]
            text = place[last]
        except (LookupError, TypeError):
            continue
        if isinstance(text, str):
            place[last] = Encoded(
                text,
                name=medium.name,
                path=medium.path,
                variable=medium.variable,
                mime=medium.mime,
                n_bytes=medium.n_bytes,
            )
    return messages


def _params(fields: dict[str, Any], extra: dict[str, Any]) -> ChatParams:
    try:
        return msgspec.convert({**fields, "extra": extra}, ChatParams)
    except msgspec.ValidationError:
        # they were never checked, or by other bounds than today's: what was sent was sent
        names = set(ChatParams.__struct_fields__)
        known = {name: value for name, value in fields.items() if name in names}
        return ChatParams(**known, extra=extra)


def _stored_structure(structure: Structure) -> _Structure:
    return _Structure(structure.wire, structure.schema, structure.wrapped, structure.strict)


def _structure(stored: _Structure) -> Structure:
    """Give what the reply was to be; its type is not kept, so it is read as builtins."""
    return Structure(
        wire=stored.wire,
        type=None,
        schema=stored.schema,
        wrapped=stored.wrapped,
        strict=stored.strict,
    )


def _stored_round(tool_round: Round, write: Callable[[Completion], Any]) -> _Round:
    return _Round(
        tool_round.message,
        tool_round.calls,
        write(tool_round.completion),
        tool_round.is_answered,
        tool_round.elapsed_s,
    )


def _round(stored: _Round) -> Round:
    completion = Completion.from_dict(stored.completion)
    return Round(stored.message, stored.calls, completion, stored.is_answered, stored.elapsed_s)
