"""What is known of the batches of a sweep, in its folder: a file for each part, whole or as it was.

Where that is at an object store, requests and answers are worked on in a folder of this process,
and put there as soon as they are whole.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
import uuid
import weakref
from collections.abc import Iterator
from pathlib import Path

import msgspec

from nbchat.client.batch_endpoints import ENDED, Batch
from nbchat.errors import HistoryError
from nbchat.sweep.batch_requests import RequestFile, row_ids_of
from nbchat.sweep.object_path import ObjectPath
from nbchat.sweep.place import Place

FOLDER = "batch"
#: not yet sent; sent, and nobody knows whether it is there; no longer there
WAITING, UNKNOWN, GONE = "waiting", "unknown", "gone"


class Part(msgspec.Struct, kw_only=True):
    """A file of requests that becomes a batch, and what became of it. No key is in it.

    - `id`: by what the server's batch is found again, in its metadata
    - `status`: "waiting" (not sent), "unknown" (it may have been created, and nobody knows),
      the server's own word, or "gone" (the server does not know it any more)
    - `requests`, `completed`, `failed`; `prompt_tokens`; `most_usd`: what it costs at most
    - `made_at`, `created_at`, `expires_at`: seconds since 1970
    - `is_collected`: what it answered is in the sweep; `foreign`: ids of rows that it answered and
      that were not in the plan then, which may be in it again
    """

    id: str
    number: int
    made_at: float
    profile: str
    base_url: str
    model: str
    requests: int
    bytes: int
    prompt_tokens: int
    queue_tokens: int | None = None
    most_usd: float | None = None
    status: str = WAITING
    is_uploading: bool = False
    file_id: str | None = None
    sent_at: float | None = None
    batch_id: str | None = None
    completed: int = 0
    failed: int = 0
    created_at: float | None = None
    expires_at: float | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    error: str | None = None
    is_collected: bool = False
    foreign: list[str] = []

    @property
    def is_sent(self) -> bool:
        """Whether it is, or may be, at the server."""
        return self.batch_id is not None or self.sent_at is not None

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status in ENDED or self.status == GONE

    @property
    def may_answer(self) -> bool:
        """Whether answers to its rows may be at the server that are not here."""
        return self.is_sent and not self.is_collected

    def learn(self, batch: Batch) -> None:
        """Note what the server tells of it."""
        self.batch_id, self.status = batch.id, batch.status
        self.sent_at = self.sent_at or time.time()
        self.output_file_id, self.error_file_id = batch.output_file_id, batch.error_file_id
        self.created_at, self.expires_at = batch.created_at, batch.expires_at
        if batch.request_counts is not None:
            self.completed = batch.request_counts.completed
            self.failed = batch.request_counts.failed
        self.error = batch.error


def set_aside_usd(sweep_folder: Place) -> float:
    """Give what those batches of a sweep cost at most that were not collected, in US dollars."""
    parts = BatchState(sweep_folder).parts()
    return sum(part.most_usd or 0.0 for part in parts if not part.is_collected)


class BatchState:
    """The parts of a sweep, in its folder. What is saved is on the disk, or at the store."""

    def __init__(self, sweep_folder: Place):
        self._place = sweep_folder / FOLDER
        self._made: Path | None = None

    @property
    def folder(self) -> Path:
        """Where files of this system are: the place itself, or a folder of this process."""
        if isinstance(self._place, Path):
            return self._place
        if self._made is None:
            made = tempfile.TemporaryDirectory(prefix="nbchat-batch-", ignore_cleanup_errors=True)
            weakref.finalize(self, made.cleanup)
            self._made = Path(made.name)
        return self._made

    def parts(self) -> list[Part]:
        """Give all parts, in the order in which they were made."""
        parts: list[Part] = []
        for path in self._place.glob("part-*.json"):
            with contextlib.suppress(FileNotFoundError):  # it was taken back meanwhile
                parts.append(_read(path))
        return sorted(parts, key=lambda part: part.number)

    def new_file(self) -> Path:
        """Give the place of the requests of a part that is still to be made."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / f"requests-{uuid.uuid4().hex}.jsonl"

    def add(self, file: RequestFile, queue_tokens: int | None) -> Part:
        """Make the part of a file that `new_file` named."""
        numbers = [part.number for part in self.parts()]
        part = Part(
            id=file.path.stem.removeprefix("requests-"),
            number=max(numbers, default=0) + 1,
            made_at=time.time(),
            profile=file.profile.name,
            base_url=file.profile.base_url,
            model=file.model,
            requests=file.requests,
            bytes=file.bytes,
            prompt_tokens=file.prompt_tokens,
            queue_tokens=queue_tokens,
            most_usd=file.most_usd,
        )
        self.keep(file.path)
        self.save(part)
        return part

    def save(self, part: Part) -> None:
        """Write what is known of a part, and wait until it is on the disk."""
        path, data = self._place / _name(part), msgspec.json.encode(part)
        if not isinstance(path, Path):
            path.write_bytes(data)
            return
        unfinished = path.with_name(f".{path.name}.unfinished")
        with unfinished.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        if os.name == "posix":  # the name, too
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def keep(self, path: Path) -> None:
        """Put a file that is whole where the sweep is."""
        there = self._place / path.name
        if isinstance(there, ObjectPath):
            there.put(str(path))

    def remove(self, part: Part) -> None:
        """Forget a part that was never sent, and its requests."""
        (self._place / _name(part)).unlink(missing_ok=True)
        self._forget(f"requests-{part.id}.jsonl")

    def tidy(self) -> None:
        """Take away requests that became no part: their process ended before."""
        known = {f"requests-{part.id}.jsonl" for part in self.parts()}
        there = [path.name for path in self._place.glob("requests-*.jsonl")]
        here = [path.name for path in self.folder.glob("requests-*.jsonl")]
        unfinished = [path.name for path in self.folder.glob(".*.unfinished")]
        names = {*there, *here, *unfinished}
        for name in names - known:
            self._forget(name)

    def requests_of(self, part: Part) -> Path:
        return self._here(f"requests-{part.id}.jsonl")

    def results_of(self, part: Part) -> dict[str, Path]:
        """Give the ids of the files that a batch has at its server, and their places here."""
        names = {part.output_file_id: "output", part.error_file_id: "errors"}
        return {
            file_id: self._here(f"{name}-{part.id}.jsonl")
            for file_id, name in names.items()
            if file_id
        }

    def row_ids(self, part: Part) -> Iterator[str]:
        """Give the ids of the rows that a part asks."""
        path = self.requests_of(part)
        try:
            yield from row_ids_of(path)
        except FileNotFoundError:
            raise HistoryError(
                f"{path} is gone, which has the rows of part {part.number} of the sweep's batches: "
                "bring it back."
            ) from None

    def _here(self, name: str) -> Path:
        """Give a file of this system, fetched where it is at a store alone."""
        path, there = self.folder / name, self._place / name
        if isinstance(there, ObjectPath) and not path.exists():
            with contextlib.suppress(FileNotFoundError):
                data = there.read_bytes()
                path.write_bytes(data)
        return path

    def _forget(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)
        (self._place / name).unlink(missing_ok=True)


def _name(part: Part) -> str:
    return f"part-{part.number:04d}-{part.id}.json"


def _read(path: Place) -> Part:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Part)
    except msgspec.DecodeError as error:
        raise HistoryError(f"{path} tells of a batch, and cannot be read: {error}.") from None
