"""The requests of a sweep as batches take them: files of JSON lines, within their limits."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import msgspec

from nbchat.api.check import is_credential
from nbchat.api.encoded import plain_text
from nbchat.api.json_values import is_whole_number, shown
from nbchat.client.profiles import Profile
from nbchat.errors import CheckError
from nbchat.history.redaction import known_secrets
from nbchat.request.prepare import streams
from nbchat.request.token_counter import token_counter
from nbchat.sweep.design import Cell, Row
from nbchat.sweep.request_size import prompt_size

if TYPE_CHECKING:
    from nbchat.request.prepare import Prepared

#: what a file of OpenAI's may hold at most
MOST_REQUESTS, MOST_BYTES = 50_000, 200_000_000
#: where each request of a batch goes, and what the batch is created for
ENDPOINT = "/v1/chat/completions"
_BUFFER = 1 << 20


class Limits(msgspec.Struct, frozen=True):
    """How large a file may be. `queue_tokens`: tokens of prompts that may wait at the server."""

    requests: int = MOST_REQUESTS
    bytes: int = MOST_BYTES
    queue_tokens: int | None = None

    def __post_init__(self) -> None:
        value = self.queue_tokens
        if value is not None and (not is_whole_number(value) or value < 1):
            rule = "must be a whole number of tokens, 1 or more, or None for no limit"
            raise CheckError(
                f"queue_tokens is {shown(value)}, but it {rule}.",
                field="queue_tokens",
                value=value,
                rule=rule,
            )


class RequestFile(msgspec.Struct, kw_only=True):
    """A file of requests to one model of one server.

    `prompt_tokens` are counted or estimated; `most_usd` is what all cost at most, None where a
    price is not known.
    """

    path: Path
    profile: Profile
    model: str
    requests: int = 0
    bytes: int = 0
    prompt_tokens: int = 0
    most_usd: float | None = 0.0


class _Line(msgspec.Struct):
    """What a request of a batch is: the order of the fields is that of OpenAI's examples."""

    custom_id: str
    method: str
    url: str
    body: msgspec.Raw


class _Id(msgspec.Struct):
    custom_id: str


class _Open(msgspec.Struct):
    file: RequestFile
    handle: Any


class _Encoded(msgspec.Struct):
    body: bytes
    size: int
    most_usd: float | None


_encode = msgspec.json.Encoder(enc_hook=plain_text).encode


def write_requests(
    cells: Iterable[Cell],
    is_wanted: Callable[[Row], bool],
    *,
    limits: Limits,
    new_path: Callable[[int, str], Path],
    most_usd: Callable[[Prepared], float | None] = lambda _: None,
) -> list[RequestFile]:
    """Write the rows that are wanted, split at the limits, and give the files.

    `new_path` gives the place of a file by its number, from 1, and its model; `most_usd` what
    a request may cost. The files have
    their names once all of them are whole, and not before. Raise CheckError for a row that no
    batch can answer; then none is there.
    """
    whole: list[RequestFile] = []
    going: dict[Any, _Open] = {}
    secrets = {secret.encode() for secret in known_secrets()}
    try:
        for row, prepared, encoded in _encoded(cells, is_wanted, secrets, most_usd):
            body, size = encoded.body, encoded.size
            line = _encode(_Line(row.id, "POST", ENDPOINT, msgspec.Raw(body))) + b"\n"
            model = str(prepared.body["model"])
            _refuse_too_large(row, line, size, limits)
            server = (prepared.profile.identity, model)
            part = going.get(server)
            if part is not None and not _has_room(part.file, line, size, limits):
                _finish(part)
                part = None
            if part is None:
                path = new_path(len(whole) + 1, model)
                file = RequestFile(path=path, profile=prepared.profile, model=model)
                whole.append(file)
                part = going[server] = _Open(file, _unfinished(path).open("wb", _BUFFER))
            part.handle.write(line)
            part.file.requests += 1
            part.file.bytes += len(line)
            part.file.prompt_tokens += size
            before, more = part.file.most_usd, encoded.most_usd
            part.file.most_usd = None if before is None or more is None else before + more
        for part in going.values():
            _finish(part)
        for file in whole:
            _unfinished(file.path).replace(file.path)
    except BaseException:
        for part in going.values():
            part.handle.close()
        for file in whole:
            _unfinished(file.path).unlink(missing_ok=True)
        raise
    return whole


def row_ids_of(path: Path) -> Iterator[str]:
    """Give the ids of the rows that a file of requests asks. Raise CheckError for another file."""
    with path.open("rb") as lines:
        for line in lines:
            try:
                yield msgspec.json.decode(line, type=_Id).custom_id
            except msgspec.DecodeError:
                raise CheckError(f"{path.name} is no file of a batch's requests.") from None


def name_of_model(model: str) -> str:
    """Give a model's name as a part of a file's name."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", model).strip("-.")[:60] or "model"


def _encoded(
    cells: Iterable[Cell],
    is_wanted: Callable[[Row], bool],
    secrets: set[bytes],
    most_usd: Callable[[Prepared], float | None],
) -> Iterator[tuple[Row, Prepared, _Encoded]]:
    """Give the rows that are wanted with their bodies; equal ones are looked at once."""
    counters: dict[str, Any] = {}
    last: Prepared | None = None
    encoded = _Encoded(b"", 0, None)
    for cell in cells:
        for row, prepared in zip(cell.rows, cell.prepared, strict=True):
            if not is_wanted(row):
                continue
            if last is not prepared:
                body = _checked_body(row, prepared, secrets)
                model = str(prepared.body["model"])
                if model not in counters:
                    counters[model] = token_counter(model)
                size = prompt_size(prepared, counters[model])
                last, encoded = prepared, _Encoded(body, size, most_usd(prepared))
            yield row, prepared, encoded


def _checked_body(row: Row, prepared: Prepared, secrets: set[bytes]) -> bytes:
    where = f"Row {row.item} of the data, point {row.point} of the grid"
    if prepared.toolbox is not None:
        raise CheckError(
            f"{where}: functions that run need a request for each round, and a batch answers "
            "once. Give tools as schemas, or ask with run().",
            field="tools",
        )
    if streams(prepared.params):
        raise CheckError(
            f"{where}: nothing streams in a batch. Leave stream out, or ask with run().",
            field="stream",
        )
    if not prepared.body.get("model"):
        raise CheckError(
            f"{where}: each request of a batch names its model: name one with model=….",
            field="model",
        )
    body = _encode(prepared.body)
    key = {prepared.profile.key.reveal().encode()} if prepared.profile.key is not None else set()
    if any(is_credential(name) for name in prepared.body) or any(s in body for s in secrets | key):
        raise CheckError(
            f"{where}: the request holds a key, and is not written to a file. Take the key out, "
            "or ask with run().",
        )
    return body


def _refuse_too_large(row: Row, line: bytes, size: int, limits: Limits) -> None:
    where = f"Row {row.item} of the data, point {row.point} of the grid"
    if len(line) > limits.bytes:
        raise CheckError(
            f"{where}: its request has {len(line):,} bytes, and a file of a batch has at most "
            f"{limits.bytes:,}. Ask it with run()."
        )
    if limits.queue_tokens is not None and size > limits.queue_tokens:
        raise CheckError(
            f"{where}: its prompt has about {size:,} tokens, and the queue takes "
            f"{limits.queue_tokens:,} (queue_tokens). Ask it with run().",
            field="queue_tokens",
        )


def _has_room(file: RequestFile, line: bytes, size: int, limits: Limits) -> bool:
    is_in_queue = limits.queue_tokens is None or file.prompt_tokens + size <= limits.queue_tokens
    is_in_file = file.bytes + len(line) <= limits.bytes
    return file.requests < limits.requests and is_in_file and is_in_queue


def _unfinished(path: Path) -> Path:
    return path.with_name(f".{path.name}.unfinished")


def _finish(part: _Open) -> None:
    handle: IO[bytes] = part.handle
    if not handle.closed:
        handle.flush()
        os.fsync(handle.fileno())
        handle.close()
