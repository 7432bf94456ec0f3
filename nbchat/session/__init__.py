"""The session of this process: it joins client, threads and runs behind `chat` and `stream`.

What sends is imported by the first name that needs it, so that the magics load quickly.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

# not later: the module of this name would stand in the place of the settings
from nbchat.session.settings import (
    choose_profile,
    client_of,
    configure,
    current_profile,
    models,
    settings,
)
from nbchat.session.state import STATE, Settings
from nbchat.session.threads import Thread, Turn

#: public name -> the module that has it
_HOMES = {
    "Execution": "nbchat.session.execution",
    "PrintingWatcher": "nbchat.session.watchers",
    "Watcher": "nbchat.session.watchers",
    "execute": "nbchat.session.execution",
    "prepare": "nbchat.session.servers",
    "runs_frame": "nbchat.session.run_lookup",
    "shortened": "nbchat.session.interrupts",
    "usage_frame": "nbchat.session.run_lookup",
}

#: every run of this process, in the order of their start
runs = STATE.runs

__all__ = [
    "STATE",
    "Execution",
    "PrintingWatcher",
    "Settings",
    "Thread",
    "Turn",
    "Watcher",
    "choose_profile",
    "client_of",
    "configure",
    "current_profile",
    "execute",
    "models",
    "prepare",
    "runs",
    "runs_frame",
    "settings",
    "shortened",
    "usage_frame",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'nbchat.session' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_HOMES[name]), name)
    return value


if TYPE_CHECKING:
    from nbchat.session.execution import Execution, execute
    from nbchat.session.interrupts import shortened
    from nbchat.session.run_lookup import runs_frame, usage_frame
    from nbchat.session.servers import prepare
    from nbchat.session.watchers import PrintingWatcher, Watcher
