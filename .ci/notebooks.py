"""Runs notebooks of the gallery again and keeps them as they are committed.

    .venv/bin/python .ci/notebooks.py 06      those whose names begin so; without one: all

Each runs in a kernel and a folder of its own. What is of this one execution alone is left out: what
went to stderr, displays of nothing (a line of progress that has gone), the state of widgets, and
the times of cells. A notebook with a cell that failed is left as it was.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "notebooks"


def main(*names: str) -> None:
    import nbformat
    from nbclient import NotebookClient

    paths = sorted(path for path in FOLDER.glob("*.ipynb") if path.name.startswith(names or ("",)))
    if not paths:
        sys.exit(f"No notebook begins with {' or '.join(names)}; there are: {known()}")
    os.environ["PYTHONPATH"] = str(ROOT)  # the kernel's nbchat is this one
    os.environ["NBCHAT_HISTORY"] = "off"  # nobody's own record
    for path in paths:
        print(f"{path.name} …", flush=True)
        notebook = nbformat.read(path, as_version=4)
        with tempfile.TemporaryDirectory() as folder:
            NotebookClient(
                notebook,
                timeout=300,
                kernel_name="python3",
                record_timing=False,
                resources={"metadata": {"path": folder}},
            ).execute()
        nbformat.write(kept(notebook), path)


def known() -> str:
    return ", ".join(path.stem for path in sorted(FOLDER.glob("*.ipynb")))


def kept(notebook: Any) -> Any:
    """Give a notebook without what is of one execution alone."""
    notebook["metadata"].pop("widgets", None)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = [output for output in cell["outputs"] if is_kept(output)]
    return notebook


def is_kept(output: Any) -> bool:
    data = output.get("data")
    is_blank = data is not None and not any(data.values())
    return output.get("name") != "stderr" and not is_blank


if __name__ == "__main__":
    main(*sys.argv[1:])
