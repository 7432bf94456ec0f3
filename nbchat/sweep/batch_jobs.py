"""The batches of a sweep at its provider: what is there, and what comes of it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbchat.client import batch_endpoints
from nbchat.client.batch_endpoints import Batch
from nbchat.client.presets import LOCAL
from nbchat.errors import (
    ApiError,
    CheckError,
    NotAvailableError,
    NotFoundError,
    ProfileError,
    ServerError,
    SweepStoppedError,
    TransportError,
)
from nbchat.session.budget import Budget
from nbchat.session.notebook import current_notebook
from nbchat.session.settings import client_of
from nbchat.session.state import STATE
from nbchat.session.watchers import PrintingWatcher
from nbchat.session.worst_case import worst_case
from nbchat.sweep.bar import Bar
from nbchat.sweep.batch_requests import ENDPOINT, Limits, RequestFile, write_requests
from nbchat.sweep.batch_results import Results, Taken
from nbchat.sweep.batch_state import GONE, UNKNOWN, WAITING, BatchState, Part
from nbchat.sweep.progress import Counts
from nbchat.sweep.request_size import order_of

if TYPE_CHECKING:
    import pandas as pd

    from nbchat.client.client import Client
    from nbchat.client.profiles import Profile
    from nbchat.request.prepare import Prepared
    from nbchat.sweep.batched import Batched

#: by what a batch of ours is found again among those of an account
MARK = "nbchat_part"
#: seconds after which a batch that was asked for is in the server's list, if it was created
_LISTED_AFTER_S = 10.0
_LOOK_EVERY_S = 1.0
#: column of the status -> what of a part it is, and its dtype
_COLUMNS: dict[str, tuple[str, Any]] = {
    "part": ("number", "Int64"),
    "profile": ("profile", "string"),
    "model": ("model", "string"),
    "status": ("status", "string"),
    "requests": ("requests", "Int64"),
    "completed": ("completed", "Int64"),
    "failed": ("failed", "Int64"),
    "is_collected": ("is_collected", "boolean"),
    "created_at": ("created_at", "float64"),
    "expires_at": ("expires_at", "float64"),
    "prompt_tokens": ("prompt_tokens", "Int64"),
    "batch_id": ("batch_id", "string"),
    "error": ("error", "string"),
}
_NO_SUCH_ADDRESS = (404, 405, 501)


class BatchJobs:
    """A sweep's batches at its provider (``sweep.batch``).

    What is known of them stands in the sweep's folder before anything is made at the server, so
    that the same call goes on after whatever ended it, and no part becomes two batches.

    - `submit()`: upload what is missing, and create batches of it
    - `poll()`: ask how far they are; with ``wait=True`` until they have ended
    - `collect()`: take what they answered into the sweep, also of those that expired
    - `cancel()`: end them; what they have answered can be collected
    - `status`: a frame with a row for each part
    """

    def __init__(self, sweep: Batched):
        self._sweep = sweep
        # one at an object store has none, as `submit` says
        self._state = BatchState(sweep.folder if isinstance(sweep.folder, Path) else None)

    def submit(self, *, queue_tokens: int | None = None) -> BatchJobs:
        """Make batches of the rows that have no answer and are in no batch.

        A part has at most 50,000 requests, 200 MB and `queue_tokens` tokens of prompts; what
        does not fit into the server's queue of so many tokens waits here, and is sent by `poll`
        with ``wait=True``, or by the next `submit`. Where an earlier call was cut off, what it
        created is looked up, and not created again.

        Raise CheckError for a row that no batch can answer, `NotAvailableError` where the
        server has no batches, `BudgetError`: then nothing was sent. What else the server
        answers is raised as it is; the same call goes on from there.
        """
        limits = Limits(queue_tokens=queue_tokens)
        sweep = self._sweep
        if not sweep.is_kept:
            raise CheckError(
                "A batch may take a day, and the rows of this sweep are forgotten with it: give "
                "nbchat.sweep(…, folder=…).",
                field="folder",
            )
        if not isinstance(sweep.folder, Path):
            raise CheckError(
                f"folder is {sweep.folder}, and what is known of batches has to be in a folder of "
                "this system: give one, or files with to_batch, which from_batch reads.",
                field="folder",
            )
        with self._writing():
            self._state.tidy()
            self._look_up(part for part in self._state.parts() if _is_unknown(part))
            new = self._new_files(limits)
            try:
                for profile in {file.profile.base_url: file.profile for file in new}.values():
                    _check_endpoints(_client_at(profile))
                reservation = self._reserve(new)
                for file in new:
                    self._state.add(file, queue_tokens)
            except BaseException:
                self._state.tidy()
                raise
            try:
                self._send_what_fits()
            finally:
                # what a batch costs is known when it is collected, perhaps in another process
                STATE.budget.settle(reservation, None if reservation.most_usd else 0.0)
        return self

    def poll(self, *, wait: bool = False, every_s: float = 30.0) -> pd.DataFrame:
        """Ask the server how far the batches are, and give `status`.

        With `wait` it is asked every `every_s` seconds until all have ended, with a line that
        says how far they are, and parts that wait for the queue are sent. An interrupt ends the
        waiting, and no batch.
        """
        if not every_s > 0:
            rule = "must be a number of seconds above 0"
            raise CheckError(f"every_s is {every_s!r}, but it {rule}.", field="every_s", rule=rule)
        self._poll()
        if wait and not self._is_over():
            with Bar(self._counts()) as bar:
                while not self._is_over():
                    time.sleep(every_s)
                    self._poll()
                    with self._writing():
                        self._send_what_fits()
                    bar.show(self._counts())
        return self.status

    def collect(self) -> Taken:
        """Take what batches that have ended answered into the sweep, and say what came.

        Of those that expired or were cancelled this is what they had answered by then. Rows
        without an answer are missing again: `run` asks them directly, `submit` in a batch.
        Batches that go on are left; a second call takes nothing twice.
        """
        self._poll()
        with self._writing():
            taken = Taken()
            for part in self._state.parts():
                if part.foreign or (part.may_answer and part.has_ended):
                    results = Results(self._downloaded(part))
                    taken += self._sweep.take_results(results)
                    part.is_collected, part.foreign = True, sorted(results.foreign)
                    self._state.save(part)
        return taken

    def cancel(self) -> pd.DataFrame:
        """End the batches that go on, and give `status`. What they have answered stays.

        Parts that were not sent are forgotten. A server takes a while to end a batch: `poll`
        until it is "cancelled", then `collect`.
        """
        with self._writing():
            parts = self._state.parts()
            self._look_up(part for part in parts if _is_unknown(part))
            for part in parts:
                if not part.is_sent:
                    self._state.remove(part)
                elif part.batch_id is not None and not part.has_ended:
                    client = self._client_of(part)
                    try:
                        batch = batch_endpoints.cancel(client, part.batch_id)
                    except ApiError as error:
                        if error.status not in (400, 404, 409):
                            raise
                        continue  # it has just ended: poll tells how
                    self._learn(part, batch)
        return self.status

    @property
    def status(self) -> pd.DataFrame:
        """A row for each part, as it was when the server was asked last.

        ``part``, ``profile``, ``model``, ``status`` ("waiting": not sent, "unknown": it may have
        been created, the server's own words, "gone"), ``requests``, ``completed``, ``failed``,
        ``is_collected``, ``created_at``, ``expires_at`` (UTC), ``prompt_tokens``, ``batch_id``,
        ``error``.
        """
        import pandas as pd

        parts = self._state.parts()
        columns: dict[str, Any] = {
            name: pd.Series([getattr(part, field) for part in parts], dtype=dtype)
            for name, (field, dtype) in _COLUMNS.items()
        }
        for name in ("created_at", "expires_at"):
            columns[name] = pd.to_datetime(columns[name], unit="s", utc=True)
        return pd.DataFrame(columns)

    def rows_at_servers(self) -> set[str]:
        """Give the ids of rows whose answers may be at a server, and are not here."""
        parts = self._state.parts()
        going = {key for part in parts if part.may_answer for key in self._state.row_ids(part)}
        return going.union(*(part.foreign for part in parts))

    def refuse_to_ask(self, rows: set[str]) -> None:
        """Raise SweepStoppedError where some of these rows are in a batch."""
        n = len(rows & self.rows_at_servers())
        if n:
            raise SweepStoppedError(
                f"{n:,} {'row is' if n == 1 else 'rows are'} in a batch, and would be paid for "
                "twice. sweep.batch.collect() takes what it has answered when it has ended, "
                "sweep.batch.cancel() ends it; run() then asks the rest."
            )

    def __repr__(self) -> str:
        parts = self._state.parts()
        if not parts:
            return f"<batches of {self._sweep.name}: none>"
        kinds: dict[str, int] = {}
        for part in parts:
            kinds[part.status] = kinds.get(part.status, 0) + 1
        words = [f"{count:,} {status}" for status, count in kinds.items()]
        n_open = sum(part.may_answer and part.has_ended for part in parts)
        words += [f"{n_open:,} to be collected"] if n_open else []
        requests, done = sum(p.requests for p in parts), sum(p.completed for p in parts)
        words.append(f"{done:,} of {requests:,} requests answered")
        return f"<batches of {self._sweep.name}: {' · '.join(words)}>"

    # what is missing

    def _new_files(self, limits: Limits) -> list[RequestFile]:
        """Write the requests of the rows that are in no part; parts that are stale are dropped."""
        standings = self._sweep.standings()
        for part in self._state.parts():
            if not part.is_sent and not self._is_missing(part, standings.keys()):
                self._state.remove(part)
        there = standings.keys() | self.rows_at_servers()
        for part in self._state.parts():
            if not part.is_collected:
                there.update(self._state.row_ids(part))
        has_limit = self._budgets_hold()
        return write_requests(
            self._sweep.design.cells(is_wanted=lambda key: key not in there),
            lambda row: row.id not in there,
            limits=limits,
            new_path=lambda _number, _model: self._state.new_file(),
            most_usd=_most_usd if has_limit else lambda _: 0.0,
        )

    def _is_missing(self, part: Part, ended: Any) -> bool:
        return not any(key in ended for key in self._state.row_ids(part))

    def _budgets_hold(self) -> bool:
        return self._sweep.limit_usd is not None or STATE.budget.limit_usd is not None

    def _reserve(self, files: list[RequestFile]) -> Any:
        """Set aside what these files cost at most. Raise BudgetError where it does not fit."""
        amounts = [file.most_usd for file in files]
        most = None if None in amounts else sum(filter(None, amounts))
        what = f"{sum(file.requests for file in files):,} requests in a batch"
        limit = self._sweep.limit_usd
        if limit is not None and files:
            budget = Budget(limit)
            budget.settle(budget.reserve(0.0), self._sweep.spent_usd())
            for part in self._state.parts():
                if not part.is_collected:
                    budget.settle(budget.reserve(0.0), part.most_usd)
            budget.reserve(most, what)
        return STATE.budget.reserve(most if files else 0.0, what)

    # at the server

    def _send_what_fits(self) -> None:
        """Send the parts that wait, as far as the server's queue has room for them."""
        parts = self._state.parts()
        ended = self._sweep.standings().keys() if any(not p.is_sent for p in parts) else set()
        for part in parts:
            if part.is_sent:
                continue
            if not self._is_missing(part, ended):
                self._state.remove(part)  # its rows were asked directly meanwhile
            elif _has_room(part, parts):
                self._send(part, self._client_of(part))

    def _send(self, part: Part, client: Client) -> None:
        state = self._state
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

    def _look_up(self, parts: Iterator[Part]) -> None:
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

    def _poll(self) -> None:
        with self._writing():
            for part in self._state.parts():
                if not part.may_answer or part.has_ended:
                    continue
                client = self._client_of(part)
                if part.batch_id is None:
                    self._is_created(part, client)
                    continue
                try:
                    batch = batch_endpoints.retrieve(client, part.batch_id)
                except NotFoundError as error:
                    part.status, part.error = GONE, str(error)
                    self._state.save(part)
                    continue
                self._learn(part, batch)

    def _downloaded(self, part: Part) -> list[Path]:
        """Give the files with what a part's batch answered, fetched where they are not here."""
        client = self._client_of(part)
        files = []
        for file_id, path in self._state.results_of(part).items():
            try:
                if not path.exists():
                    batch_endpoints.download(client, file_id, path)
                files.append(path)
            except NotFoundError as error:
                part.error = f"The file {file_id} is no longer at the server: {error}"
        return files

    def _learn(self, part: Part, batch: Batch) -> None:
        part.learn(batch)
        if part.error is not None:
            part.error = self._profile_of(part).redact(part.error)
        self._state.save(part)

    def _is_over(self) -> bool:
        return all(part.has_ended or part.is_collected for part in self._state.parts())

    def _counts(self) -> Counts:
        parts = [part for part in self._state.parts() if not part.is_collected]
        rows = sum(part.requests for part in parts)
        done, failed = sum(p.completed for p in parts), sum(p.failed for p in parts)
        return Counts(rows=rows, answered=done, error=failed, not_sent=rows - done - failed)

    # who is asked

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

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Be the one who writes the folder, keys at hand.

        Raise FolderInUseError where another one is, `NotAvailableError` for a server without
        batches.
        """
        design = self._sweep.design
        if any(profile.name == LOCAL for profile in design.profiles()):
            raise NotAvailableError(
                "The embedded model has no batches: run() asks it directly, and to_batch() writes "
                "files for servers that have."
            )
        design.make_ready(PrintingWatcher().status)
        if self._sweep.is_running:
            raise SweepStoppedError("The sweep runs: wait() for it, then go on with its batches.")
        with self._sweep.held(current_notebook()):
            yield


def _is_unknown(part: Part) -> bool:
    return part.is_sent and part.batch_id is None and not part.is_collected


def _is_of(batch: Batch, part: Part) -> bool:
    """Tell whether a batch is that of a part: by its mark, or by its file, which has no other."""
    marks = batch.metadata if isinstance(batch.metadata, dict) else {}
    is_of_its_file = part.file_id is not None and batch.input_file_id == part.file_id
    return marks.get(MARK) == part.id or is_of_its_file


def _has_room(part: Part, parts: list[Part]) -> bool:
    """Tell whether the queue of a part's model takes it, beside those that are in it."""
    going = sum(
        other.prompt_tokens
        for other in parts
        if (other.base_url, other.model) == (part.base_url, part.model)
        and other.is_sent
        and not other.has_ended
        and not other.is_collected
    )
    limit = part.queue_tokens
    return limit is None or not going or going + part.prompt_tokens <= limit


def _client_at(profile: Profile) -> Client:
    """Give the client of a server; of several, of the first: a batch is at one, and stays there."""
    return client_of(profile.at(profile.base_url) if profile.base_urls else profile)


def _check_endpoints(client: Client) -> None:
    """Raise NotAvailableError where a server has no batches. Nothing is made there."""
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


def _most_usd(prepared: Prepared) -> float | None:
    return worst_case(order_of(prepared)).usd
