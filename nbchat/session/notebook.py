"""Which cell of which notebook asks, as far as the front end says."""

from __future__ import annotations

import os
import sys
from typing import Any

import msgspec

from nbchat.display.surroundings import request_of
from nbchat.history.places import PROCESS


class Cell(msgspec.Struct, frozen=True):
    """The cell that runs, `PROCESS` where that is not known; `execution` names this run of it."""

    id: str = PROCESS
    execution: str | None = None


def current_cell() -> Cell:
    """Give the cell that runs in this thread. JupyterLab and VS Code say which it is."""
    parent = _parent()
    cell_id = parent.get("metadata", {}).get("cellId")
    if not isinstance(cell_id, str) or not cell_id:
        return Cell()
    message = parent.get("header", {}).get("msg_id")
    return Cell(cell_id, message if isinstance(message, str) else None)


def current_execution() -> str | None:
    """Give the id of the request that is executed now; None where there is no kernel."""
    message = _parent().get("header", {}).get("msg_id")
    return message if isinstance(message, str) else None


def current_notebook() -> str | None:
    """Give the path of the notebook, as its server or its editor names it; None elsewhere."""
    shell = _shell()
    if shell is None or not hasattr(shell, "kernel"):
        return None
    named = getattr(shell, "user_ns", {}).get("__vsc_ipynb_file__")
    if named:
        return str(named)
    path = os.environ.get("JPY_SESSION_NAME")
    # a session that begins without a name has that of its folder, which many notebooks are in
    return path if path and not os.path.isdir(path) else None  # noqa: PTH112 - kept as it came


def _shell() -> Any:
    ipython = sys.modules.get("IPython")  # where nobody imported it, there is no notebook
    get_ipython = getattr(ipython, "get_ipython", None)
    return None if get_ipython is None else get_ipython()


def _parent() -> dict[str, Any]:
    return request_of(_shell())
