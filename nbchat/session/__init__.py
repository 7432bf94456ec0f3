"""The session of this process: it joins client, threads and runs behind `chat` and `stream`."""

from nbchat.session.asking import Piece, chat, runs_frame, stream
from nbchat.session.interrupts import shortened
from nbchat.session.playing import Playing, StatusLines, Watcher, run, runs
from nbchat.session.prepared import Prepared, prepare
from nbchat.session.rounds import Toolbox, take_functions, toolbox_of
from nbchat.session.settings import (
    Settings,
    client_of,
    configure,
    current_profile,
    models,
    settings,
)
from nbchat.session.threads import Thread, Turn

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
