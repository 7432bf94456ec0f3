"""Whatever holds answers, to runs: dicts, lines of JSON, batches, streams, objects of openai."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from nbchat.api.deviations import decode_json, read_chunk
from nbchat.api.encoded import plain_text
from nbchat.api.params import ChatParams
from nbchat.api.response import Completion
from nbchat.client.fold import Fold
from nbchat.client.reader import read_stream, stream_error
from nbchat.client.stored_answer import as_mapping, is_answer, read_answer
from nbchat.errors import ApiError, TransportError, UnreadableRunError, api_error_class
from nbchat.history.step_answer import OBJECT as STEP
from nbchat.run import Run
from nbchat.stored_run import OBJECT

_CHUNK = "chat.completion.chunk"
_WANTED = (
    "a run of nbchat.save, a Chat Completions answer, a line of a batch's output, or a chunk of "
    "a stream"
)


def runs_of_text(data: bytes, place: str) -> list[Run]:
    """Read JSON, lines of JSON or an event stream. `place` names the data in errors."""
    start = data.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start[:1] not in (b"{", b"["):
        if start.startswith((b"data:", b"event:", b"id:", b"retry:", b":")):
            return [run_of_stream(start)]
        raise UnreadableRunError(f"{place} holds no JSON and no event stream; expected {_WANTED}.")
    try:
        return runs_of_value(decode_json(start), place)
    except UnreadableRunError:
        raise
    except ValueError as error:
        if b"\n" not in start.strip():
            raise UnreadableRunError(f"{place} is no JSON: {error}.") from None
    return list(runs_of_lines(start.split(b"\n"), place))


def runs_of_lines(lines: Iterable[bytes], place: str) -> Iterator[Run]:
    """Read lines of JSON, one after the other. Chunks of one stream become one run."""
    chunks: list[Mapping[str, Any]] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{place}, line {number}"
        try:
            value = decode_json(line)
        except ValueError as error:
            raise UnreadableRunError(f"{where} is no JSON: {error}.") from None
        is_chunk = isinstance(value, Mapping) and value.get("object") == _CHUNK
        if chunks and not (is_chunk and value.get("id") == chunks[0].get("id")):
            yield run_of_chunks(chunks)
            chunks = []
        if is_chunk:
            chunks.append(value)
        else:
            yield from runs_of_value(value, where)
    if chunks:
        yield run_of_chunks(chunks)


def runs_of_value(value: Any, place: str) -> list[Run]:
    """Read one decoded value, which may hold several. Raise `UnreadableRunError` for no answer."""
    if isinstance(value, Run):
        return [value]
    if isinstance(value, Completion):
        return [run_of_answer(value)]
    answer = as_mapping(value)
    if isinstance(answer, (list, tuple)):
        if answer and all(isinstance(e, Mapping) and e.get("object") == _CHUNK for e in answer):
            return [run_of_chunks(answer)]
        parts = enumerate(answer)
        return [run for i, entry in parts for run in runs_of_value(entry, f"{place}, entry {i}")]
    if not isinstance(answer, Mapping):
        raise UnreadableRunError(f"{place} is {_shown(value)}; expected {_WANTED}.")
    try:
        return _runs_of_mapping(answer, place)
    except UnreadableRunError as error:
        if str(error).startswith(place):
            raise
        raise UnreadableRunError(f"{place}: {error}") from None


def _runs_of_mapping(answer: Mapping[str, Any], place: str) -> list[Run]:
    if answer.get("object") == OBJECT:
        return [Run.from_dict(answer)]
    if answer.get("object") == STEP:
        return []  # a cassette holds what its runs were asked with, too
    if answer.get("object") == _CHUNK:
        return [run_of_chunks([answer])]
    if is_answer(answer):
        return [run_of_answer(answer)]
    if isinstance(answer.get("data"), list):
        return runs_of_value(answer["data"], f"{place}, data")
    response = as_mapping(answer.get("response"))
    if isinstance(response, Mapping):
        return [_run_of_pair(answer, response)]
    if answer.get("custom_id") is not None and isinstance(answer.get("error"), Mapping):
        return [_failed(answer["error"], None, answer)]
    raise UnreadableRunError(f"{place} is {_shown(answer)}; expected {_WANTED}.")


def run_of_answer(answer: Any, request: Mapping[str, Any] | None = None) -> Run:
    """Make a run of an answer, and of the request's body where it is known.

    Its id and time come from the answer, so that read twice it is the same run.
    """
    completion = read_answer(answer)
    messages, params = _of_body(request or {})
    run = Run.from_completion(completion, messages=messages, params=params)
    _name_by_content(run, completion.to_dict(), completion.created)
    return run


def run_of_stream(data: bytes) -> Run:
    """Make a run of the bytes of a stream that was kept; of one that was cut off, what there is."""
    error: ApiError | TransportError | None = None
    try:
        completion = read_stream([data])
    except (ApiError, TransportError) as broken:
        if broken.completion is None or not broken.completion.choices:
            raise UnreadableRunError(f"This stream holds no answer: {broken}") from None
        error, completion = broken, broken.completion
    run = Run.from_completion(completion)
    if error is not None:
        run.status, run.error = "error", error
    _name_by_content(run, data.decode("utf-8", "replace"), completion.created)
    return run


def run_of_chunks(chunks: Iterable[Mapping[str, Any]]) -> Run:
    """Make a run of the decoded chunks of one stream."""
    kept = list(chunks)
    fold = Fold()
    for chunk in kept:
        fold.add(read_chunk(chunk))
    completion = fold.completion()
    run = Run.from_completion(completion)
    _name_by_content(run, kept, completion.created)
    return run


def _run_of_pair(pair: Mapping[str, Any], response: Mapping[str, Any]) -> Run:
    """Make a run of a line of a batch's output, or of a request kept beside its answer."""
    body = as_mapping(response.get("body", response))
    line = pair.get("request") or pair.get("body") or {}
    request = line.get("body", line) if isinstance(line, Mapping) else {}
    status = response.get("status_code")
    if not is_answer(body):
        error = body.get("error", body) if isinstance(body, Mapping) else body
        run = _failed(pair.get("error") or error, status, pair)
        run.messages, run.params = _of_body(request)
    else:
        run = run_of_answer(body, request)
    run.request_id = response.get("request_id") or run.request_id
    if pair.get("custom_id") is not None:
        run.notes.append(f"custom_id {pair['custom_id']}")
    return run


def _failed(error: Any, status: Any, line: Mapping[str, Any]) -> Run:
    run = Run(messages=[], params=ChatParams())
    read = stream_error(error)
    kind = api_error_class(status) if isinstance(status, int) else ApiError
    fields = error if isinstance(error, Mapping) else {"message": error}
    run.status = "error"
    run.error = kind(
        str(fields.get("message") or "no reason given"),
        status=status if isinstance(status, int) else None,
        code=read.code,
        param=read.param,
        type=read.type,
        body=error,
    )
    _name_by_content(run, line, None)
    return run


def _of_body(request: Mapping[str, Any]) -> tuple[list[dict[str, Any]], ChatParams]:
    """Read a request's body: its messages, and its other fields unchecked, as they were sent."""
    sent = request.get("messages")
    messages = [dict(m) for m in sent if isinstance(m, Mapping)] if isinstance(sent, list) else []
    params: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for name, value in request.items():
        if name == "messages":
            continue
        try:
            msgspec.convert({name: value}, ChatParams, strict=True)
        except msgspec.ValidationError:
            extra[name] = value
        else:
            known = name in ChatParams.__struct_fields__ and name != "extra"
            (params if known else extra)[name] = value
    return messages, msgspec.convert({**params, "extra": extra}, ChatParams)


def _name_by_content(run: Run, content: Any, created: int | None) -> None:
    text = msgspec.json.encode(content, enc_hook=_any_text, order="deterministic")
    seconds = created if created is not None and 0 <= created < 2**33 else 0
    run.id = f"{seconds * 1000:012x}0000{hashlib.sha256(text).hexdigest()[:8]}"
    if seconds:
        run.created_at = datetime.fromtimestamp(seconds, UTC)


def _any_text(value: Any) -> str:
    return plain_text(value) if isinstance(value, str) else repr(value)


def _shown(value: Any) -> str:
    if not isinstance(value, Mapping):
        return f"of type {type(value).__name__}"
    keys = ", ".join(map(str, list(value)[:8]))
    return f"an object with the keys {keys}" if keys else "an empty object"
