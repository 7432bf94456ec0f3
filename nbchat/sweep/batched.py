"""The part of a `Sweep` that goes through batches: files out, files in, and a provider's own."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from nbchat.errors import CheckError, SweepStoppedError, UnreadableRunError
from nbchat.history.redaction import Redaction, keep_out, known_secrets
from nbchat.session.notebook import current_notebook
from nbchat.sweep.batch_requests import (
    Limits,
    RequestFile,
    name_of_model,
    row_ids_of,
    write_requests,
)
from nbchat.sweep.batch_results import Results, Taken, files_of, is_better, run_of
from nbchat.sweep.batch_state import set_aside_usd
from nbchat.sweep.journal import Attempt, Journal
from nbchat.sweep.judging import spent_on_judges
from nbchat.sweep.object_path import ObjectPath
from nbchat.sweep.packing import Packing
from nbchat.sweep.records import Record, line_of
from nbchat.sweep.scored import Scored

if TYPE_CHECKING:
    import pandas as pd

    from nbchat.client.secret import Secret
    from nbchat.sweep.batch_jobs import BatchJobs
    from nbchat.sweep.executors import Going
    from nbchat.sweep.folder import Standing
    from nbchat.sweep.progress import Tally
    from nbchat.sweep.store_lock import StoreLock
    from nbchat.sweep.writer_lock import WriterLock

_NAMES = "requests-[0-9][0-9][0-9][0-9]-*.jsonl"


class Batched(Scored):
    """Rows as files that batches take, and the rows of files that batches gave."""

    folder: Path | ObjectPath
    name: str
    _lock: WriterLock | StoreLock
    _going: Going | None
    _tally: Tally | None
    _limit_usd: float | None
    is_kept: bool

    @property
    def is_running(self) -> bool:
        return self._going is not None and self._going.is_running

    @cached_property
    def batch(self) -> BatchJobs:
        """The batches of this sweep at its provider: `submit`, `poll`, `collect`, `cancel`."""
        from nbchat.sweep.batch_jobs import BatchJobs

        return BatchJobs(self)

    def to_batch(
        self, folder: str | os.PathLike[str], *, queue_tokens: int | None = None
    ) -> pd.DataFrame:
        """Write the rows that have no answer yet to files that a batch takes. Nothing is sent.

        Each file has requests to one model, at most 50,000 of them and 200 MB, and prompts of at
        most `queue_tokens` tokens, which is how many a provider lets wait (None: no such limit).
        A line's ``custom_id`` is the row's id, so that `from_batch` finds its row. Files of an
        earlier call in the folder are replaced.

        Give a row for each file: ``file``, ``profile``, ``model``, ``requests``, ``bytes``,
        ``prompt_tokens`` (counted, or estimated where the model's tokenizer is not here). Raise
        CheckError for a row that no batch can answer; then no file is written.
        """
        target = Path(folder).expanduser().absolute()
        limits = Limits(queue_tokens=queue_tokens)
        if target.exists() and not target.is_dir():
            raise CheckError(f"{target} is a file.", field="folder", value=str(folder))
        target.mkdir(parents=True, exist_ok=True)
        old = self._own_request_files(target)
        ended = self._folder.standings().keys() | self.batch.rows_at_servers()
        files = write_requests(
            self.design.cells(is_wanted=lambda key: key not in ended),
            lambda row: row.id not in ended,
            limits=limits,
            new_path=lambda number, model: (
                target / f"requests-{number:04d}-{name_of_model(model)}.jsonl"
            ),
        )
        for path in set(old) - {file.path for file in files}:
            path.unlink(missing_ok=True)
        return _frame_of(files)

    def from_batch(self, folder: str | os.PathLike[str]) -> Taken:
        """Take the answers of output and error files, whatever batches they are of.

        `folder` has the files under any name (``.jsonl``, ``.jsonl.gz``), or is one of them.
        Their order and state do not matter: rows that expired or failed, doubles, lines that are
        cut off. What is answered becomes a row like any other, with the price of a batch, or
        with none where that is not known; only what is missing is asked again by `run`. A
        second call takes nothing twice. Raise CheckError where no line is of a row of this sweep.
        """
        files = files_of(Path(folder).expanduser())
        results = Results(files)
        known = {row.id for row in self.design.rows()}
        if results.row_ids and not results.row_ids & known:
            raise CheckError(
                f"None of the {len(results.row_ids):,} answers in {Path(folder).name} is of a row "
                "of this sweep: are prompt, data, grid and fields those that to_batch() was "
                "called with?",
                field="folder",
                value=str(folder),
            )
        return self.take_results(results)

    def take_results(self, results: Results) -> Taken:
        """Write the rows that are answered into the folder. See `from_batch`."""
        if self.is_running:
            raise SweepStoppedError("The sweep runs: wait() for it, then take what batches gave.")
        with self.held(current_notebook()):
            return self._take(results)

    @contextlib.contextmanager
    def held(self, notebook: str | None) -> Iterator[None]:
        """Be the one who writes the folder meanwhile. Raise FolderInUseError for another one."""
        is_held = self._lock.is_held
        self._lock.take(notebook)
        try:
            yield
        finally:
            if not is_held:
                self._lock.free()

    @property
    def limit_usd(self) -> float | None:
        """What all rows may cost together, in US dollars; None without a limit."""
        return self._limit_usd

    def used_usd(self) -> float:
        """Give what is gone of a budget: what rows and judges cost, as far as it is known.

        Batches that are not collected count with what they cost at most.
        """
        spent_usd = self._folder.spent_usd() + spent_on_judges(self._folder)
        return spent_usd + set_aside_usd(self.folder)

    def standings(self) -> dict[str, Standing]:
        """Give row id -> what became of it, for each row that has ended."""
        return self._folder.standings()

    def _take(self, results: Results) -> Taken:
        rows = {row.id: row for row in self.design.rows()}
        standings = self._folder.standings()
        taken = Taken(twice=len(results.twice & rows.keys()))
        packing = Packing(self.folder)
        journal = Journal(self.folder, on_safe=self._count, on_full=packing.add)
        redaction = Redaction(known_secrets())
        keys: list[Secret] = []
        try:
            for key, value in results:
                row, standing = rows.get(key), standings.get(key)
                if row is None:
                    taken.foreign += 1
                    if results.is_answered(key):
                        results.foreign.add(key)
                    continue
                prepared = self.design.cell_of(row)
                try:
                    run = run_of(value, prepared, self.name)
                except UnreadableRunError:
                    results.n_unreadable += 1
                    continue
                if run is None:
                    taken.again += standing is None
                    continue
                if not is_better(run, None if standing is None else standing.status):
                    taken.known += 1
                    continue
                key_of_server = prepared.profile.key
                if key_of_server is not None and key_of_server not in keys:
                    keys.append(key_of_server)
                    keep_out([key_of_server.reveal()])
                    redaction = Redaction(known_secrets())
                attempt = 0 if standing is None else standing.attempt + 1
                labels = self.design.labels(row.point)
                made, line = line_of(row, labels, run, attempt, 1, redaction)
                journal.sent(Attempt("sent", key, time.time(), 1))
                journal.append(made, line)
                setattr(taken, made.status, getattr(taken, made.status) + 1)
        finally:
            journal.close()
            packing.close()
        if journal.fault is not None:
            raise journal.fault
        taken.unreadable = results.n_unreadable
        return taken

    def _count(self, records: list[Record]) -> None:
        if self._tally is not None:
            self._tally.add(records)

    def _own_request_files(self, folder: Path) -> list[Path]:
        """Give the files of an earlier `to_batch`. Raise CheckError for those of another sweep."""
        files = sorted(folder.glob(_NAMES))
        known = {row.id for row in self.design.rows()} if files else set()
        for path in files:
            if not known.issuperset(row_ids_of(path)):
                raise CheckError(
                    f"{path} has requests of another sweep: give another folder, or take it away.",
                    field="folder",
                    value=str(folder),
                )
        return files


def _frame_of(files: Iterable[RequestFile]) -> pd.DataFrame:
    import pandas as pd

    columns = ["file", "profile", "model", "requests", "bytes", "prompt_tokens"]
    rows = [
        [str(f.path), f.profile.name, f.model, f.requests, f.bytes, f.prompt_tokens] for f in files
    ]
    frame = pd.DataFrame(rows, columns=columns)
    texts = dict.fromkeys(columns[:3], "string")
    return frame.astype({**texts, **dict.fromkeys(columns[3:], "Int64")})
