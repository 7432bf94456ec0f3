"""A notebook with its cassette runs for a reader without a key and without the network."""

# mypy: allow-untyped-calls
# (nbformat, nbclient and papermill have no types)

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import papermill
import pytest
from nbclient import NotebookClient

from tests.history import study

pytestmark = pytest.mark.kernel
KERNEL = ["--IPKernelApp.log_level=ERROR"]


def by_nbclient(folder: Path, **parameters: str) -> nbformat.NotebookNode:
    made = study.notebook()
    made.cells[0].source = "\n".join(f"{name} = {value!r}" for name, value in parameters.items())
    NotebookClient(
        made,
        timeout=60,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        extra_arguments=KERNEL,
    ).execute()
    return made


def by_papermill(folder: Path, **parameters: str) -> nbformat.NotebookNode:
    nbformat.write(study.notebook(), folder / "study.ipynb")
    return papermill.execute_notebook(
        folder / "study.ipynb",
        folder / "done.ipynb",
        parameters=parameters,
        kernel_name="python3",
        cwd=str(folder),
        progress_bar=False,
        log_output=False,
    )


WAYS = {"nbclient": by_nbclient, "papermill": by_papermill}


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("OPENAI_", "AZURE_OPENAI_")) or name.endswith("_API_KEY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("reader", WAYS)
@pytest.mark.parametrize("writer", WAYS)
def test_a_study_shows_a_reader_what_it_showed(writer: str, reader: str, tmp_path: Path) -> None:
    with study.server() as server:
        recorded = WAYS[writer](tmp_path, server=server.url, replay="off")
        url = server.url
    cassette = (tmp_path / "study.jsonl").read_bytes()
    replayed = WAYS[reader](tmp_path, server=url, replay="only")
    for after, before in zip(study.shown(replayed), study.shown(recorded), strict=True):
        assert after == before
    assert (tmp_path / "study.jsonl").read_bytes() == cassette
    greys = [
        output.data["text/plain"]
        for cell in replayed.cells
        for output in cell.outputs
        if output.get("data", {}).get("text/plain", "").startswith("scripted-model · ")
    ]
    assert len(greys) == 4
    assert all("replayed" in grey for grey in greys)
