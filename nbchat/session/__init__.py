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
    "Piece": "nbchat.session.asking",
    "Playing": "nbchat.session.playing",
    "Prepared": "nbchat.session.prepared",
    "StatusLines": "nbchat.session.playing",
    "Toolbox": "nbchat.session.rounds",
    "Watcher": "nbchat.session.playing",
    "chat": "nbchat.session.asking",
    "prepare": "nbchat.session.prepared",
    "run": "nbchat.session.playing",
    "runs": "nbchat.session.playing",
    "runs_frame": "nbchat.session.asking",
    "shortened": "nbchat.session.interrupts",
    "stream": "nbchat.session.asking",
    "take_functions": "nbchat.session.rounds",
    "toolbox_of": "nbchat.session.rounds",
}

__all__ = [
    "Piece",
    "Playing",
    "Prepared",
    "Settings",
    "StatusLines",
    "Thread",
    "Toolbox",
    "Turn",
    "Watcher",
    "chat",
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
    "stream",
    "take_functions",
    "toolbox_of",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'nbchat.session' has no attribute {name!r}")
    found = globals()[name] = getattr(importlib.import_module(_HOMES[name]), name)
    return found


if TYPE_CHECKING:
    from nbchat.session.asking import Piece, chat, runs_frame, stream
    from nbchat.session.interrupts import shortened
    from nbchat.session.playing import Playing, StatusLines, Watcher, run, runs
    from nbchat.session.prepared import Prepared, prepare
    from nbchat.session.rounds import Toolbox, take_functions, toolbox_of
