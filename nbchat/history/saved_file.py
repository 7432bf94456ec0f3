"""Runs to a file of the user's own, and back: `nbchat.save` and `nbchat.load`."""

from __future__ import annotations

import contextlib
import errno
import gzip
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any

import msgspec

from nbchat.errors import MissingLibraryError, UnreadableRunError
from nbchat.history.redaction import Redaction, known_secrets
from nbchat.history.stored_answers import (
    run_of_stream,
    runs_of_lines,
    runs_of_text,
    runs_of_value,
)
from nbchat.run import Run
from nbchat.version import install_command

_BATCH = 1_000
#: the columns of a Parquet file that other programs read, and how each is had
_FACTS: dict[str, Callable[[Run], Any]] = {
    "run_id": lambda run: run.id,
    "created_at": lambda run: run.created_at,
    "profile": lambda run: run.profile,
    "model": lambda run: run.model,
    "status": lambda run: run.status,
    "text": lambda run: run.text,
    "prompt_tokens": lambda run: run.usage.prompt_tokens,
    "completion_tokens": lambda run: run.usage.completion_tokens,
    "ttft_s": lambda run: run.ttft_s,
    "elapsed_s": lambda run: run.elapsed_s,
    "cost_usd": lambda run: run.cost_usd,
}


def save(runs: Any, file: str | os.PathLike[str]) -> None:
    """Write runs to a file: ``.jsonl``, ``.jsonl.gz`` or ``.parquet`` (needs pyarrow).

    `runs` is a run, an iterable of runs, anything with `.runs`, or a frame with `run_id`. Of
    a ``.jsonl`` each line is a run as `Run.to_dict` gives it; a Parquet file has that as text
    in the column `run`, beside columns of the main facts. Keys are taken out. The file is
    whole or not there. `nbchat.load` reads all of them. Raise ValueError for another suffix.
    """
    from nbchat.frames.source import runs_of

    _writer(Path(file))
    chosen: Any = runs_of(runs)
    save_all(chosen, file)


def save_all(runs: Iterable[Run], file: str | os.PathLike[str]) -> None:
    """Write runs to a file as `save` does, one after the other."""
    path = Path(file).expanduser()
    write = _writer(path)
    with whole_file(path) as handle:
        write(handle, runs)


def load(source: Any) -> list[Run]:
    """Read runs back, or make runs of answers that were kept some other way.

    `source` is a file (its path), its text or bytes, or the decoded data: what `nbchat.save`
    wrote, a Chat Completions answer (a dict, an object of the package openai, JSON, lines of
    JSON, a list), the output file of a batch, chunks, or a stream as it came (``.sse``).
    Raise `UnreadableRunError`, which names the line, for anything else, and
    FileNotFoundError where there is no such file.
    """
    if isinstance(source, os.PathLike):
        return _runs_of_file(Path(source))
    if isinstance(source, (bytes, bytearray)):
        return runs_of_text(bytes(source), "The data")
    if not isinstance(source, str):
        return runs_of_value(source, "The data")
    if source.lstrip("\ufeff \t\r\n")[:1] in ("{", "[") or source.lstrip().startswith("data:"):
        return runs_of_text(source.encode("utf-8", "replace"), "The text")
    return _runs_of_file(Path(source).expanduser())


def line_of(run: Run, redaction: Redaction) -> bytes:
    """Give a run as one line of JSON, without keys and without the line's end."""
    return msgspec.json.encode(redaction(run.to_dict()))


def _writer(path: Path) -> Callable[[IO[bytes], Iterable[Run]], None]:
    name = path.name.lower()
    if name.endswith(".parquet"):
        return _write_parquet
    if name.endswith((".jsonl", ".ndjson")):
        return _write_lines
    if name.endswith((".jsonl.gz", ".ndjson.gz")):
        return _write_gzip
    raise ValueError(f"{path.name} must end in .jsonl, .jsonl.gz or .parquet.")


def _write_lines(handle: IO[bytes], runs: Iterable[Run]) -> None:
    redaction = Redaction(known_secrets())
    for run in runs:
        handle.write(line_of(run, redaction) + b"\n")


def _write_gzip(handle: IO[bytes], runs: Iterable[Run]) -> None:
    # no time and no name in it: the same runs are the same bytes
    with gzip.GzipFile(filename="", mode="wb", fileobj=handle, mtime=0) as zipped:
        _write_lines(zipped, runs)  # type: ignore[arg-type]


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingLibraryError(
            f"Parquet files need pyarrow ({install_command('parquet')}); "
            ".jsonl and .jsonl.gz need nothing."
        ) from error
    return pa, pq


def _write_parquet(handle: IO[bytes], runs: Iterable[Run]) -> None:
    pa, pq = _pyarrow()
    texts = {name: pa.string() for name in ("run_id", "profile", "model", "status", "text", "run")}
    counts = dict.fromkeys(("prompt_tokens", "completion_tokens"), pa.int64())
    numbers = dict.fromkeys(("ttft_s", "elapsed_s", "cost_usd"), pa.float64())
    types = {**texts, **counts, **numbers, "created_at": pa.timestamp("us", tz="UTC")}
    schema = pa.schema([(name, types[name]) for name in (*_FACTS, "run")])
    redaction = Redaction(known_secrets())
    left = iter(runs)
    with pq.ParquetWriter(handle, schema, compression="zstd") as writer:
        while batch := list(islice(left, _BATCH)):
            rows = [{name: redaction(fact(run)) for name, fact in _FACTS.items()} for run in batch]
            for row, run in zip(rows, batch, strict=True):
                row["run"] = line_of(run, redaction).decode()
            writer.write_batch(pa.RecordBatch.from_pylist(rows, schema=schema))


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Give a file that takes the place of `path` once all of it is written.

    Raise FileNotFoundError where its folder is not there.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(
            errno.ENOENT, "There is no such folder to write in", str(path.parent)
        )
    handle = tempfile.NamedTemporaryFile(  # noqa: SIM115 - it is closed before it is moved
        dir=path.parent, prefix=f".{path.name}.", suffix=".part", delete=False
    )
    part = Path(handle.name)
    try:
        with handle:
            yield handle
        part.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _runs_of_file(path: Path) -> list[Run]:
    name = path.name.lower()
    if name.endswith(".parquet"):
        return list(_runs_of_parquet(path))
    if name.endswith(".gz"):
        try:
            with gzip.open(path) as zipped:
                return list(runs_of_lines(zipped, path.name))
        except (gzip.BadGzipFile, EOFError) as error:
            raise UnreadableRunError(f"{path.name} is no whole gzip file: {error}.") from None
    if name.endswith((".jsonl", ".ndjson")):
        with path.open("rb") as lines:
            return list(runs_of_lines(lines, path.name))
    data = path.read_bytes()
    return [run_of_stream(data)] if name.endswith(".sse") else runs_of_text(data, path.name)


def _runs_of_parquet(path: Path) -> Iterator[Run]:
    pa, pq = _pyarrow()
    try:
        with pq.ParquetFile(path) as file:
            if "run" not in file.schema_arrow.names:
                raise UnreadableRunError(
                    f"{path.name} has no column run, which nbchat.save writes; it has "
                    f"{', '.join(file.schema_arrow.names[:8])}."
                )
            for batch in file.iter_batches(_BATCH, columns=["run"]):
                lines = (text.encode() for text in batch.column(0).to_pylist())
                yield from runs_of_lines(lines, path.name)
    except pa.ArrowInvalid as error:
        raise UnreadableRunError(f"{path.name} is no Parquet file: {error}.") from None
