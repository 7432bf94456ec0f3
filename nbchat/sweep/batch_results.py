"""What batches answered: lines of output and error files, to rows of a sweep."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from nbchat.api.deviations import decode_json
from nbchat.api.response import Completion
from nbchat.client.stored_answer import is_answer
from nbchat.errors import ApiError, CheckError, UnreadableRunError
from nbchat.history.stored_answers import runs_of_value
from nbchat.session.cost import cost_of_answer
from nbchat.session.execution import Execution
from nbchat.session.record import record
from nbchat.session.sources import Answer, Order, ReadyAnswer
from nbchat.session.state import STATE
from nbchat.sweep.outcomes import ending_of
from nbchat.sweep.records import Status, status_of

if TYPE_CHECKING:
    from nbchat.request.prepare import Prepared
    from nbchat.run import Run

#: seconds since 1970 that are a time
_MOST_S = 2**33
_SUFFIXES = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
#: what the latest record of a row says, and which one takes the place of which
RANKS: dict[Status | None, int] = {
    None: 0, "not_sent": 0, "error": 1, "refused": 2, "truncated": 3, "answered": 3,
}  # fmt: skip


class Taken(msgspec.Struct, kw_only=True):
    """What came of files of a batch, in rows.

    - `answered`, `truncated`, `refused`, `error`: rows that were taken, by what became of them
    - `again`: rows without an answer (expired, cancelled, a server that failed for a while),
      which `run` or another batch asks again
    - `known`: rows that had ended before
    - `twice`: rows that were answered more than once, and paid as often; the first one counts
    - `foreign`: rows of another plan; `unreadable`: lines that are cut off or no answers
    """

    answered: int = 0
    truncated: int = 0
    refused: int = 0
    error: int = 0
    again: int = 0
    known: int = 0
    twice: int = 0
    foreign: int = 0
    unreadable: int = 0

    def __add__(self, other: Taken) -> Taken:
        names = self.__struct_fields__
        return Taken(**{name: getattr(self, name) + getattr(other, name) for name in names})

    @property
    def rows(self) -> int:
        """Rows that were taken."""
        return self.answered + self.truncated + self.refused + self.error

    def __repr__(self) -> str:
        named = (
            (self.truncated, "truncated"),
            (self.refused, "refused"),
            (self.error, "failed"),
            (self.again, "without an answer, to be asked again"),
            (self.known, "known before"),
            (self.twice, "answered more than once"),
            (self.foreign, "of another plan"),
        )
        words = [f"{self.rows:,} {'row' if self.rows == 1 else 'rows'} taken"]
        words += [f"{count:,} {name}" for count, name in named if count]
        if self.unreadable:
            lines = "line" if self.unreadable == 1 else "lines"
            words.append(f"{self.unreadable:,} {lines} unreadable")
        return " · ".join(words)


class _Choice(msgspec.Struct):
    pass


class _Body(msgspec.Struct):
    choices: list[_Choice] | None = None
    id: str | None = None


class _Response(msgspec.Struct):
    status_code: int | None = None
    body: _Body | None = None


class _Brief(msgspec.Struct):
    """As much of a line as tells which of several is wanted."""

    custom_id: str
    response: _Response | None = None
    error: msgspec.Raw | None = None
    method: str | None = None


_read_brief = msgspec.json.Decoder(_Brief).decode


class Results:
    """The lines of several files, one for each row: its answer, whatever else is there."""

    def __init__(self, files: Iterable[Path]):
        self.n_unreadable = 0
        self.twice: set[str] = set()
        #: answered rows that were in no plan when these were taken
        self.foreign: set[str] = set()
        #: row id -> file, number of the line, whether it is an answer
        self._chosen: dict[str, tuple[Path, int, bool]] = {}
        self._ids: dict[str, str | None] = {}
        for path in files:
            for number, line in self._lines(path, counts=True):
                self._look_at(path, number, line)

    @property
    def row_ids(self) -> set[str]:
        return set(self._chosen)

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """Give each row's id with its decoded line."""
        by_file: dict[Path, dict[int, str]] = {}
        for key, (path, number, _) in self._chosen.items():
            by_file.setdefault(path, {})[number] = key
        for path, wanted in by_file.items():
            for number, line in self._lines(path, counts=False):
                if number in wanted:
                    yield wanted[number], decode_json(line)

    def is_answered(self, key: str) -> bool:
        """Tell whether a row has an answer among the lines."""
        return self._chosen[key][2]

    def _look_at(self, path: Path, number: int, line: bytes) -> None:
        try:
            brief = _brief_of(line)
        except ValueError:
            self.n_unreadable += 1
            return
        if brief.response is None and brief.method is not None:
            return  # what was asked
        body = None if brief.response is None else brief.response.body
        is_answered = body is not None and bool(body.choices)
        key = brief.custom_id
        if is_answered:
            answer = body.id if body is not None else None
            if key in self._ids and self._ids[key] != answer:
                self.twice.add(key)
            self._ids.setdefault(key, answer)
        before = self._chosen.get(key)
        if before is None or (is_answered and not before[2]):
            self._chosen[key] = (path, number, is_answered)

    def _lines(self, path: Path, *, counts: bool) -> Iterator[tuple[int, bytes]]:
        is_packed = path.name.lower().endswith(".gz")
        with gzip.open(path) if is_packed else path.open("rb") as lines:
            number = 0
            try:
                for line in lines:
                    number += 1
                    text = line.removeprefix(b"\xef\xbb\xbf").strip()
                    if text:
                        yield number, text
            except (EOFError, gzip.BadGzipFile, zlib.error):
                self.n_unreadable += counts  # cut off: what came before is good


def files_of(folder: Path) -> list[Path]:
    """Give the files that may hold answers: one, or those of a folder. Raise CheckError."""
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise CheckError(f"There is no folder {folder}.", field="folder", value=str(folder))
    return sorted(path for path in folder.iterdir() if path.name.lower().endswith(_SUFFIXES))


def run_of(value: Any, prepared: Prepared, sweep: str) -> Run | None:
    """Make the run of a row of a line that came for it; None where it is to be asked again.

    Raise UnreadableRunError where the line is none of a batch.
    """
    stored = _stored(value)
    run = Execution(prepared, source=_FromBatch(stored.completion), sweep=sweep).run
    run.tries, run.request_id = 1, stored.request_id
    run.notes.append("answered in a batch")
    created = None if stored.completion is None else stored.completion.created
    if created is not None and 0 < created < _MOST_S:
        run.created_at = datetime.fromtimestamp(created, UTC)
    run.completion, run.error, run.status = stored.completion, stored.error, stored.status
    error = run.error
    is_refused = isinstance(error, ApiError) and (error.status or 0) >= 400
    if error is not None and (not is_refused or ending_of(run, error).verdict != "row"):
        return None
    if error is None and (run.completion is None or not run.completion.choices):
        return None
    model = str(prepared.body.get("model") or "")
    record(run, prepared, model)
    cost = None
    if run.completion is not None:
        cost = cost_of_answer(run, run.completion, STATE.settings.prices, is_batch=True)
    run.cost_usd, run.cost_source = (cost.usd, cost.source) if cost else (None, None)
    return run


def is_better(run: Run, before: Status | None) -> bool:
    """Tell whether what came takes the place of what is known of a row."""
    return RANKS[status_of(run)] > RANKS[before]


def _stored(value: Any) -> Run:
    runs = runs_of_value(value, "The line")
    if len(runs) != 1:
        raise UnreadableRunError("The line holds no answer, or several.")
    return runs[0]


def _brief_of(line: bytes) -> _Brief:
    """Read a line quickly; one of another shape as what it is. Raise ValueError where it is none.

    Two halves of lines that were written into one another are no line.
    """
    try:
        return _read_brief(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        value = decode_json(line)
    if not isinstance(value, dict) or not isinstance(value.get("custom_id"), str):
        raise ValueError("no line of a batch")  # noqa: TRY004 - as the decoders say it
    response = value.get("response")
    body: Any = response.get("body") if isinstance(response, dict) else None
    choices = [_Choice() for _ in body["choices"]] if is_answer(body) else None
    summary = _Response(body=_Body(choices)) if response is not None else None
    return _Brief(custom_id=value["custom_id"], response=summary, method=value.get("method"))


class _FromBatch:
    """Stands in the server's place: the answer is there already."""

    needs_server = False

    def __init__(self, completion: Completion | None):
        self._completion = completion or Completion()

    def open(self, order: Order) -> Answer:  # noqa: ARG002 - as every source
        return ReadyAnswer(self._completion)
