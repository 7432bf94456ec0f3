"""The session of this process: it joins client, threads and runs behind `chat` and `stream`.

What sends is imported by the first name that needs it, so that the magics load quickly.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

# not later: the module of this name would stand in the place of the settings
from nbchat.session.settings import (
    Settings,
    client_of,
    configure,
    current_profile,
    models,
    settings,
)
from nbchat.session.threads import Thread, Turn

#: public name -> the module that has it
_HOMES = {
    "Playing": "nbchat.session.execution",
    "Prepared": "nbchat.session.prepared",
    "StatusLines": "nbchat.session.execution",
    "Toolbox": "nbchat.session.rounds",
    "Watcher": "nbchat.session.execution",
    "prepare": "nbchat.session.prepared",
    "run": "nbchat.session.execution",
    "runs": "nbchat.session.execution",
    "runs_frame": "nbchat.session.chat",
    "shortened": "nbchat.session.interrupts",
    "take_functions": "nbchat.session.rounds",
    "toolbox_of": "nbchat.session.rounds",
}

__all__ = [
    "Playing",
    "Prepared",
    "Settings",
    "StatusLines",
    "Thread",
    "Toolbox",
    "Turn",
    "Watcher",
    "client_of",
    "configure",
    "current_profile",
    "models",
    "prepare",
    "run",
    "runs",
    "runs_frame",
    "settings",
    "shortened",
    "take_functions",
    "toolbox_of",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'nbchat.session' has no attribute {name!r}")
    found = globals()[name] = getattr(importlib.import_module(_HOMES[name]), name)
    return found


if TYPE_CHECKING:
    from nbchat.session.chat import runs_frame
    from nbchat.session.execution import Playing, StatusLines, Watcher, run, runs
    from nbchat.session.interrupts import shortened
    from nbchat.session.prepared import Prepared, prepare
    from nbchat.session.rounds import Toolbox, take_functions, toolbox_of
