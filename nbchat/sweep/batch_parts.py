"""Parts of a sweep at their servers: each is a file there, and a batch that is made of it.

What is about to be made is noted first, since creating a batch twice is paying twice: one that may
have been created is looked up by its mark.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from nbchat.client import batch_endpoints
from nbchat.client.batch_endpoints import Batch
from nbchat.errors import (
    ApiError,
    NotAvailableError,
    NotFoundError,
    ProfileError,
    ServerError,
    TransportError,
)
from nbchat.session.settings import client_of
from nbchat.sweep.batch_requests import ENDPOINT
from nbchat.sweep.batch_state import GONE, UNKNOWN, WAITING, BatchState, Part

if TYPE_CHECKING:
    from nbchat.client.client import Client
    from nbchat.client.profiles import Profile
    from nbchat.sweep.batched import Batched

#: by what a batch of ours is found again among those of an account
MARK = "nbchat_part"
#: seconds after which a batch that was asked for is in the server's list, if it was created
_LISTED_AFTER_S = 10.0
_LOOK_EVERY_S = 1.0
_NO_SUCH_ADDRESS = (404, 405, 501)


class PartsThere:
    """Sends parts, asks how they are, and fetches what they answered; `state` is told of all."""

    def __init__(self, sweep: Batched, state: BatchState):
        self._sweep, self._state = sweep, state

    def send(self, part: Part) -> None:
        """Upload a part's file and create its batch, where that is not done."""
        state, client = self._state, self._client_of(part)
        name = f"nbchat-{part.id}.jsonl"
        if part.file_id is None:
            stored = None
            if part.is_uploading:
                stored = batch_endpoints.uploaded(client, name, part.bytes)
            else:
                part.is_uploading = True
                state.save(part)
            if stored is None:
                stored = batch_endpoints.upload(client, state.requests_of(part), name)
            part.file_id = stored.id
            state.save(part)
        part.sent_at, part.status = time.time(), UNKNOWN
        state.save(part)
        try:
            batch = batch_endpoints.create(client, part.file_id, ENDPOINT, {MARK: part.id})
        except (TransportError, ServerError):
            if not self._is_created(part, client):  # asked again it may become two
                raise
            return
        except ApiError as error:
            if error.status is None:  # an answer that cannot be read
                raise
            part.sent_at, part.status = None, WAITING
            state.save(part)
            raise
        self._learn(part, batch)

    def look_up(self, parts: Iterator[Part]) -> None:
        """Find out whether parts that may have been created are there."""
        for part in parts:
            self._is_created(part, self._client_of(part))

    def _is_created(self, part: Part, client: Client) -> bool:
        """Tell whether a batch was created of a part; where it was not, it waits again."""
        while True:
            now = time.time()
            for batch in batch_endpoints.batches(client):
                if _is_of(batch, part):
                    self._learn(part, batch)
                    return True
            if now - (part.sent_at or 0.0) >= _LISTED_AFTER_S:
                break
            time.sleep(_LOOK_EVERY_S)
        part.sent_at, part.status = None, WAITING
        self._state.save(part)
        return False

    def poll(self, part: Part) -> None:
        """Ask how far the batch of a part is."""
        client = self._client_of(part)
        if part.batch_id is None:
            self._is_created(part, client)
            return
        try:
            batch = batch_endpoints.retrieve(client, part.batch_id)
        except NotFoundError as error:
            part.status, part.error = GONE, str(error)
            self._state.save(part)
            return
        self._learn(part, batch)

    def cancel(self, part: Part) -> None:
        """Ask to end the batch of a part. One that has just ended stays as it is."""
        if part.batch_id is None:
            return
        try:
            batch = batch_endpoints.cancel(self._client_of(part), part.batch_id)
        except ApiError as error:
            if error.status not in (400, 404, 409):
                raise
            return  # it has just ended: poll tells how
        self._learn(part, batch)

    def downloaded(self, part: Part) -> list[Path]:
        """Give the files with what a part's batch answered, fetched where they are not here."""
        client = self._client_of(part)
        files = []
        for file_id, path in self._state.results_of(part).items():
            try:
                if not path.exists():
                    batch_endpoints.download(client, file_id, path)
                    self._state.keep(path)
                files.append(path)
            except NotFoundError as error:
                part.error = f"The file {file_id} is no longer at the server: {error}"
        return files

    def _learn(self, part: Part, batch: Batch) -> None:
        part.learn(batch)
        if part.error is not None:
            part.error = self._profile_of(part).redact(part.error)
        self._state.save(part)

    def _profile_of(self, part: Part) -> Profile:
        for profile in self._sweep.design.profiles():
            if profile.base_url == part.base_url:
                return profile
        raise ProfileError(
            f"Part {part.number} is a batch at {part.base_url}, which is no server of this sweep: "
            f"make the sweep with that profile ({part.profile})."
        )

    def _client_of(self, part: Part) -> Client:
        return _client_at(self._profile_of(part))


def _is_of(batch: Batch, part: Part) -> bool:
    """Tell whether a batch is that of a part: by its mark, or by its file, which has no other."""
    marks = batch.metadata if isinstance(batch.metadata, dict) else {}
    is_of_its_file = part.file_id is not None and batch.input_file_id == part.file_id
    return marks.get(MARK) == part.id or is_of_its_file


def _client_at(profile: Profile) -> Client:
    """Give the client of a server; of several, of the first: a batch is at one, and stays there."""
    return client_of(profile.at(profile.base_url) if profile.base_urls else profile)


def refuse_without_batches(profile: Profile) -> None:
    """Raise NotAvailableError where a server has no batches. Nothing is made there."""
    client = _client_at(profile)
    try:
        next(batch_endpoints.batches(client), None)
    except ApiError as error:
        if error.status not in _NO_SUCH_ADDRESS:
            raise
        message = (
            f"The server at {client.profile.base_url} has no batches (it answered {error.status}): "
            "run() asks it directly, and to_batch() writes files for servers that have."
        )
    else:
        return
    raise NotAvailableError(message)
