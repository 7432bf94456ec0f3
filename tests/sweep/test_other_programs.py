"""The folder of a sweep is open to other programs while it runs, and needs no pyarrow."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import nbchat
from nbchat.errors import MissingLibraryError
from nbchat.sweep import journal, parts
from tests.scripted import Gate, Reply, Request, ScriptedServer, completion

WORDS = [{"word": f"word {number}"} for number in range(60)]
GATE = Gate()


def all_but_the_last(request: Request) -> Reply:
    word = request.body["messages"][-1]["content"]
    is_last = word == WORDS[-1]["word"]
    body = json.dumps(completion(f"{word}!")).encode()
    return Reply(body, before=[GATE] if is_last else [], content_type="application/json")


@pytest.fixture
def answering() -> object:
    return all_but_the_last


@pytest.fixture
def going(server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A sweep of which all rows but one have ended, some in parts and some in a journal."""
    monkeypatch.setattr(parts, "PART_BYTES", 1)
    monkeypatch.setattr(journal, "MOST_BYTES", 20_000)
    sweep = nbchat.sweep("{{ word }}", data=WORDS, folder=tmp_path, model="m", at_once=1)
    sweep.start()
    server.wait_for_requests(len(WORDS))
    while sweep.status.done < len(WORDS) - 1 or sweep._going._log._packing._thread.is_alive():
        assert sweep.is_running
    yield sweep
    GATE.open()
    sweep.wait()


@pytest.mark.long
def test_duckdb_and_polars_open_the_folder_while_the_sweep_runs(going: Any) -> None:
    import duckdb
    import polars as pl

    folder = going.folder
    frame = going.runs()
    expected = sorted(frame["text"].dropna())
    assert len(expected) == len(WORDS) - 1
    assert list(folder.glob("parts/*.parquet"))
    assert list(folder.glob("journals/*.jsonl"))

    query = (
        f"select row_id, status, text from '{folder}/parts/*.parquet' union all "
        f"select row_id, status, text from read_json_auto('{folder}/journals/*.jsonl')"
    )
    with duckdb.connect() as database:
        found = database.execute(query).fetchall()
        attempts = f"select count(*) from read_json_auto('{folder}/attempts/*.jsonl')"
        assert database.execute(attempts).fetchall()[0][0] >= len(WORDS)
    assert sorted(text for _, _, text in found) == expected
    assert {row_id for row_id, _, _ in found} == set(frame.dropna(subset="text")["row_id"])

    columns = ["row_id", "status", "text"]
    read = pl.concat([
        pl.read_parquet(folder / "parts" / "*.parquet").select(columns),
        pl.scan_ndjson(folder / "journals" / "*.jsonl").select(columns).collect(),
    ])  # fmt: skip
    assert sorted(read["text"]) == expected
    assert set(read["status"]) == {"answered"}
    assert going.is_running


def test_without_pyarrow_journals_are_read_as_they_are(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "PART_BYTES", 1)
    monkeypatch.setattr(journal, "MOST_BYTES", 2_000)

    def sweep(folder: str, n: int) -> Any:
        return nbchat.sweep("{{ word }}", data=WORDS[:n], folder=tmp_path / folder, model="m").run()

    with_it = sweep("with", 20).runs()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    sweep("without", 10)
    without = sweep("without", 20).runs()  # and goes on
    same = ["row_id", "item", "status", "text"]
    pd.testing.assert_frame_equal(without[same], with_it[same])
    assert len(list((tmp_path / "without" / "journals").iterdir())) > 1
    assert not (tmp_path / "without" / "parts").exists()
    assert len(server.requests) == 40
    # parts that are there need it, and that is said
    with pytest.raises(MissingLibraryError, match="parquet"):
        sweep("with", 20)
