"""Journals as Parquet parts, for which pyarrow is needed; a part has its name when it is whole."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from nbchat.errors import MissingLibraryError, UnreadableRunError
from nbchat.run import Run
from nbchat.sweep.object_path import ObjectPath
from nbchat.sweep.place import Place, opened
from nbchat.sweep.records import Record, read_record, read_run
from nbchat.version import install_command

PARTS = "parts"
#: bytes that a part has, about
PART_BYTES = 256_000_000
_ROWS = 1_000
_JOURNALS = b"nbchat.journals"
_INTEGERS = {"item", "sample", "attempt", "prompt_tokens", "completion_tokens", "tries"}
_NUMBERS = {"ttft_s", "elapsed_s", "cost_usd"}


def can_pack() -> bool:
    """Tell whether pyarrow is there."""
    return importlib.util.find_spec("pyarrow") is not None


def packed_size(journals: Sequence[Place]) -> int:
    """Estimate the bytes of the part that these journals become, by the beginning of one.

    Those of a store are small and many: each counts as if it were a fifth of what it is.
    """
    stored = [path for path in journals if isinstance(path, ObjectPath)]
    if stored:
        return sum(_bytes_of(path) for path in stored) // 5
    import pyarrow as pa

    sizes = {path: path.stat().st_size for path in journals if path.exists()}
    total = sum(sizes.values())
    if not total:
        return 0
    with max(sizes, key=lambda path: sizes[path]).open("rb") as file:
        sample = file.read(2_000_000)
    return int(total * len(pa.compress(sample, codec="zstd", asbytes=True)) / len(sample))


def pack(folder: Place, journals: Sequence[Place]) -> Place:
    """Make one part of these journals, and remove them once it is on disk. Raise OSError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    target = folder / PARTS / f"{journals[0].stem}.parquet"
    target.parent.mkdir(parents=True, exist_ok=True)
    names = msgspec.json.encode([path.name for path in journals])
    schema = _schema().with_metadata({_JOURNALS: names})
    beside = target.parent if isinstance(target, Path) else None
    handle, name = tempfile.mkstemp(dir=beside, prefix=".", suffix=".unfinished")
    unfinished = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            with pq.ParquetWriter(file, schema, compression="zstd") as writer:
                for rows in _batches(journals):
                    writer.write_batch(pa.RecordBatch.from_pylist(rows, schema=schema))
            file.flush()
            os.fsync(file.fileno())
        if isinstance(target, ObjectPath):
            target.put(name)
        elif isinstance(target, Path):
            unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    for path in journals:
        path.unlink(missing_ok=True)
    return target


def _bytes_of(path: ObjectPath) -> int:
    if path.n_bytes is None:
        try:
            path.n_bytes = path.stat().st_size
        except FileNotFoundError:
            return 0
    return path.n_bytes


def journals_of(path: Place) -> list[str]:
    """Name the journals that a part was made of."""
    try:
        import pyarrow.parquet as pq
    except ImportError:
        command = install_command("parquet")
        raise MissingLibraryError(
            f"{path.name} is a part of a sweep, which needs pyarrow ({command})."
        ) from None
    with _parquet_of(path) as file:
        metadata = pq.read_schema(file).metadata or {}
    return msgspec.json.decode(metadata.get(_JOURNALS, b"[]"), type=list[str])


def facts_of(path: Place, names: list[str], kind: type[Any]) -> Iterator[Any]:
    """Give the facts of each row of a part, as structs of this kind."""
    for row in _rows(path, names):
        if "point" in row:
            row["point"] = msgspec.json.decode(row["point"] or "{}")
        yield msgspec.convert(row, kind)


def runs_of(
    path: Place, is_wanted: Callable[[Record], bool], *, with_tokens: bool = True
) -> Iterator[Run]:
    """Give the runs of a part whose records are wanted, or all of them but log probabilities."""
    without = [*Record.__struct_fields__, "run"]
    for row in _rows(path, None if with_tokens else without):
        if is_wanted(record_of(row)):
            yield run_of(row)


def rows_at(
    path: Place, numbers: Sequence[int], names: list[str] | None
) -> dict[int, dict[str, Any]]:
    """Give the columns of these rows of a part, counted from 0; only what they lie in is read."""
    import pyarrow.parquet as pq

    wanted = sorted(numbers)
    rows: dict[int, dict[str, Any]] = {}
    with _parquet_of(path) as source, pq.ParquetFile(source) as file:
        start = 0
        for group in range(file.num_row_groups):
            stop = start + file.metadata.row_group(group).num_rows
            here = [number for number in wanted if start <= number < stop]
            if here:
                table = file.read_row_group(group, columns=names)
                taken = table.take([number - start for number in here]).to_pylist()
                rows.update(zip(here, taken, strict=True))
            start = stop
    return rows


def record_of(row: dict[str, Any]) -> Record:
    """Give the record of a row of a part."""
    point = msgspec.json.decode(row["point"] or "{}")
    return msgspec.convert({**row, "point": point}, Record)


def run_of(row: dict[str, Any]) -> Run:
    """Give the run of a row of a part, of which all columns were read. Raise UnreadableRunError."""
    row = {**row, "point": msgspec.json.decode(row["point"] or "{}")}
    run, tokens = row.pop("run"), row.pop("tokens", None)
    line = {**row, "run": msgspec.Raw(run.encode())}
    if tokens:
        line["tokens"] = msgspec.Raw(tokens.encode())
    return read_run(msgspec.json.encode(line))


def _parquet_of(path: Place) -> Any:
    """Give what pyarrow reads a part from."""
    if isinstance(path, ObjectPath):
        return path.open_in_place()
    return contextlib.nullcontext(path)


def _rows(path: Place, names: list[str] | None) -> Iterator[dict[str, Any]]:
    import pyarrow.parquet as pq

    with _parquet_of(path) as source, pq.ParquetFile(source) as file:
        for batch in file.iter_batches(_ROWS, columns=names):
            yield from batch.to_pylist()


def _batches(journals: Sequence[Place]) -> Iterator[list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    for path, file in opened(journals):
        if file is None:
            raise FileNotFoundError(str(path))
        for line in file:
            with contextlib.suppress(UnreadableRunError):
                rows.append(_row(line))
            if len(rows) == _ROWS:
                yield rows
                rows = []
    if rows:
        yield rows


class _Texts(msgspec.Struct):
    run: msgspec.Raw
    point: msgspec.Raw
    tokens: msgspec.Raw = msgspec.Raw(b"")


def _row(line: bytes) -> dict[str, Any]:
    facts = msgspec.structs.asdict(read_record(line))
    texts = msgspec.json.decode(line, type=_Texts)
    return {
        **facts,
        "point": bytes(texts.point).decode(),
        "run": bytes(texts.run).decode(),
        "tokens": bytes(texts.tokens).decode() or None,
    }


def _schema() -> Any:
    import pyarrow as pa

    types = {name: pa.string() for name in (*Record.__struct_fields__, "run", "tokens")}
    types |= dict.fromkeys(_INTEGERS, pa.int64()) | dict.fromkeys(_NUMBERS, pa.float64())
    return pa.schema(list(types.items()))
