"""The addresses of files and batches, as OpenAI has them and others copied them.

Source: the reference of the endpoints Files and Batch. What is only read is asked again where a
server fails for a while; what makes something is sent once.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import msgspec

from nbchat.client import http_answers, retry
from nbchat.client.http_answers import FAILED
from nbchat.errors import ApiError, TransportError

if TYPE_CHECKING:
    from nbchat.client.client import Client

T = TypeVar("T")

#: states after which nothing changes any more
ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_QUESTION_S, _FILE_S = 60.0, 600.0
_PIECE = 1 << 20
_PAGE = 100


class RequestCounts(msgspec.Struct):
    total: int = 0
    completed: int = 0
    failed: int = 0


class Batch(msgspec.Struct):
    """A batch as its server tells of it; times are seconds since 1970.

    `status`: "validating", "in_progress", "finalizing", "cancelling", one of `ENDED`, or another
    word of a server's own.
    """

    id: str
    status: str = ""
    input_file_id: str | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    created_at: float | None = None
    expires_at: float | None = None
    request_counts: RequestCounts | None = None
    errors: Any = None
    metadata: Any = None

    @property
    def error(self) -> str | None:
        """The first reasons why it was not taken, None where there is none."""
        listed = self.errors.get("data") if isinstance(self.errors, Mapping) else self.errors
        words = [_words_of(entry) for entry in listed[:3]] if isinstance(listed, list) else []
        return "; ".join(filter(None, words)) or None


class StoredFile(msgspec.Struct):
    """A file that a server keeps. `bytes` is its size."""

    id: str
    filename: str | None = None
    bytes: int | None = None


class _Page(msgspec.Struct):
    data: list[msgspec.Raw]
    has_more: bool = False


def upload(client: Client, path: Path, name: str) -> StoredFile:
    """Upload a file of requests under this name. Raises what `Client.open` raises."""
    form = _Form(path, name)
    with client.open(
        "POST",
        client.profile.files_url,
        timeout_s=_FILE_S,
        body=form,
        size=form.size,
        content_type=form.content_type,
    ) as response:
        return _read(_body(client, response), StoredFile, "a file")


def uploaded(client: Client, name: str, size: int) -> StoredFile | None:
    """Give a file that was uploaded under a name, None where there is none."""
    for raw in _listed(client, client.profile.files_url, {"purpose": "batch"}):
        file = _read(raw, StoredFile, "a file")
        if file.filename == name and file.bytes in (None, size):
            return file
    return None


def create(client: Client, file_id: str, endpoint: str, metadata: Mapping[str, str]) -> Batch:
    """Create a batch, once: asked twice, there are two."""
    body = {
        "input_file_id": file_id,
        "endpoint": endpoint,
        "completion_window": "24h",
        "metadata": dict(metadata),
    }
    answer = client.ask(client.profile.batches_url, body, timeout_s=_QUESTION_S)
    return _read(answer, Batch, "a batch")


def batches(client: Client) -> Iterator[Batch]:
    """Give all batches of the account, as a rule the newest first."""
    for raw in _listed(client, client.profile.batches_url, {}):
        yield _read(raw, Batch, "a batch")


def retrieve(client: Client, batch_id: str) -> Batch:
    """Ask how far a batch is."""
    url = _below(client.profile.batches_url, batch_id)
    answer = _patiently(client, lambda: client.ask(url, timeout_s=_QUESTION_S))
    return _read(answer, Batch, "a batch")


def cancel(client: Client, batch_id: str) -> Batch:
    """Ask that a batch be ended; what it has answered stays."""
    url = _below(client.profile.batches_url, batch_id, "cancel")
    return _read(client.ask(url, {}, timeout_s=_QUESTION_S), Batch, "a batch")


def download(client: Client, file_id: str, target: Path) -> None:
    """Write what a file holds to `target`, which is whole or not there."""
    url = _below(client.profile.files_url, file_id, "content")
    part = target.with_name(f".{target.name}.unfinished")

    def fetch() -> None:
        with client.open("GET", url, timeout_s=_FILE_S) as response, part.open("wb") as file:
            started = time.perf_counter()
            try:
                for piece in http_answers.pieces(response, _QUESTION_S):
                    file.write(piece)
            except FAILED as error:
                waited_s = time.perf_counter() - started
                failure = http_answers.transport_error(
                    error, client.profile, waited_s, (_FILE_S, _FILE_S)
                )
            else:
                file.flush()
                os.fsync(file.fileno())
                return
        raise failure

    try:
        _patiently(client, fetch)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _words_of(entry: Any) -> str:
    reason = entry.get("message") or entry.get("code") if isinstance(entry, Mapping) else entry
    return "" if reason is None else str(reason)


class _Form:
    """A file as a form with parts (multipart/form-data), read as it is sent."""

    def __init__(self, path: Path, name: str):
        border = f"nbchat-{os.urandom(16).hex()}"
        self.content_type = f"multipart/form-data; boundary={border}"
        self._path = path
        self._head = (
            f'--{border}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
            f'--{border}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
            "Content-Type: application/jsonl\r\n\r\n"
        ).encode()
        self._tail = f"\r\n--{border}--\r\n".encode()
        self.size = len(self._head) + path.stat().st_size + len(self._tail)

    def __iter__(self) -> Iterator[bytes]:
        yield self._head
        with self._path.open("rb") as file:
            while piece := file.read(_PIECE):
                yield piece
        yield self._tail


def _listed(client: Client, url: str, query: Mapping[str, str]) -> Iterator[bytes]:
    """Give the entries of a list, page by page."""
    after: str | None = None
    seen: set[str] = set()
    while True:
        fields = {**query, "limit": str(_PAGE), **({"after": after} if after else {})}
        words = "&".join(f"{name}={quote(value, safe='')}" for name, value in fields.items())
        page_url = f"{url}{'&' if '?' in url else '?'}{words}"
        answer = _patiently(client, lambda at=page_url: client.ask(at, timeout_s=_QUESTION_S))  # type: ignore[misc]
        page = _read(answer, _Page, "a list")
        yield from (bytes(raw) for raw in page.data)
        after = _read(bytes(page.data[-1]), StoredFile, "a list").id if page.data else None
        if not page.has_more or after is None or after in seen:
            return
        seen.add(after)


def _patiently(client: Client, ask: Callable[[], T]) -> T:
    """Ask what makes nothing again where the server, or the way to it, fails for a while."""
    for retries in range(client.max_retries):
        try:
            return ask()
        except TransportError:
            pause_s = retry.backoff_s(retries)
        except ApiError as error:
            headers = http_answers.headers_of(error)
            if error.status is None or not retry.is_retryable(error.status, headers, error.code):
                raise
            delay_s = retry.delay_of_server_s(headers, time.time())
            pause_s = retry.backoff_s(retries) if delay_s is None else min(delay_s, _QUESTION_S)
        time.sleep(pause_s)
    return ask()


def _below(url: str, *parts: str) -> str:
    """Give an address below another one, whose query stays behind it."""
    base, mark, query = url.partition("?")
    return "/".join([base, *(quote(part, safe="") for part in parts)]) + mark + query


def _body(client: Client, response: Any) -> bytes:
    started = time.perf_counter()
    try:
        return http_answers.whole_body(response, _FILE_S, client.max_message_bytes)
    except FAILED as error:
        waited_s = time.perf_counter() - started
        failure = http_answers.transport_error(error, client.profile, waited_s, (_FILE_S, _FILE_S))
    raise failure


def _read(data: bytes, kind: type[T], name: str) -> T:
    try:
        return msgspec.json.decode(data, type=kind, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass  # its error may hold what the server sent
    raise ApiError(f"The server did not answer with {name}.")
