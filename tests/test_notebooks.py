"""The gallery: each notebook is committed with its outputs, and runs again offline."""

# mypy: allow-untyped-calls
# (nbformat and nbclient have no types)

from __future__ import annotations

import re
import runpy
from itertools import groupby
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def test_the_gallery_is_numbered() -> None:
    numbers = [path.name[:3] for path in NOTEBOOKS]
    assert all(re.fullmatch(r"\d\d_", number) for number in numbers)
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_with_its_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    text = path.read_text()
    assert str(Path.home()) not in text
    assert "sk-" not in text


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_as_its_script_keeps_it(path: Path) -> None:
    kept = runpy.run_path(str(FOLDER.parent / ".ci" / "notebooks.py"))["kept"]
    text = nbformat.writes(kept(nbformat.read(path, as_version=4))) + "\n"
    assert text == path.read_text(), f"run .ci/notebooks.py {path.name[:2]}"


@pytest.mark.local
@pytest.mark.kernel
@pytest.mark.timeout(500)  # whole minutes of the model's work, on cores that others use, too
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_again(path: Path, weights: Path, tmp_path: Path) -> None:
    committed = nbformat.read(path, as_version=4)
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
    ).execute()
    for old, new in zip(committed.cells, notebook.cells, strict=True):
        if new.cell_type == "code":
            assert shapes(old) == shapes(new), new.source


def is_blank(output: Any) -> bool:
    """Whether it is what a line of progress leaves: a display of nothing."""
    data = output.get("data")
    return bool(data) and not any(data.values())


def shapes(cell: Any) -> list[tuple[str, ...]]:
    """What kinds of output a cell has; ids, times and a model's words differ between machines."""
    found = [
        (output.output_type, *sorted(output.get("data", {})))
        for output in cell.outputs
        if output.get("name") != "stderr" and not is_blank(output)
    ]
    assert not [kind for kind in found if kind[0] == "error"]
    # text that is printed comes in as many pieces as the machine took time for
    pieces = groupby(found, key=lambda kind: kind[0] == "stream")
    return [kind for is_text, kinds in pieces for kind in (list(kinds)[:1] if is_text else kinds)]
