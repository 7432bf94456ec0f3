"""What the front end makes of displays, where this runs: whether it shows their updates."""

from __future__ import annotations

import sys
from typing import Any


def request_of(shell: Any) -> dict[str, Any]:
    """Give the message of the front end that is answered now; empty where there is none."""
    get_parent = getattr(shell, "get_parent", None)
    if get_parent is None:
        return {}
    try:
        return get_parent() or {}
    except LookupError:  # in a thread that no message began
        return {}


def names_no_cell(request: dict[str, Any]) -> bool:
    """Tell whether a front end asks for code to be run and does not say which cell it stands in.

    JupyterLab, Notebook 7 and VS Code say it. What runs cells in the server
    (jupyter-server-nbmodel) does not, and leaves updates of displays out.
    """
    is_code = request.get("header", {}).get("msg_type") == "execute_request"
    return is_code and not request.get("metadata", {}).get("cellId")


def takes_updates(shell: Any) -> bool:
    """Tell whether a display that is shown here can be updated."""
    request = request_of(shell)
    return not (names_no_cell(request) or _is_captured(request.get("header", {}).get("msg_id")))


def _is_captured(message_id: str | None) -> bool:
    """Tell whether what this message brings goes into an `ipywidgets.Output`: it takes no updates.

    `interact` and `interactive` have one.
    """
    ipywidgets = sys.modules.get("ipywidgets")  # where nobody imported it, there is none
    if ipywidgets is None or not message_id:
        return False
    widget = sys.modules.get("ipywidgets.widgets.widget")
    instances = getattr(widget, "_instances", {})
    return any(
        isinstance(each, ipywidgets.Output) and each.msg_id == message_id
        for each in [*instances.values()]
    )
