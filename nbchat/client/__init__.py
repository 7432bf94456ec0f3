"""How bytes move: profiles, requests, streams and what becomes of them.

requests is imported by the first of these names that needs it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

#: public name -> the module that has it
_HOMES = {
    "Client": "nbchat.client.client",
    "Fold": "nbchat.client.fold",
    "Profile": "nbchat.client.profiles",
    "Secret": "nbchat.client.secret",
    "Stream": "nbchat.client.stream",
    "Timeouts": "nbchat.client.stream",
    "read_stream": "nbchat.client.reader",
    "resolve": "nbchat.client.profiles",
}

__all__ = ["Client", "Fold", "Profile", "Secret", "Stream", "Timeouts", "read_stream", "resolve"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'nbchat.client' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return list(__all__)


if TYPE_CHECKING:
    from nbchat.client.client import Client
    from nbchat.client.fold import Fold
    from nbchat.client.profiles import Profile, resolve
    from nbchat.client.reader import read_stream
    from nbchat.client.secret import Secret
    from nbchat.client.stream import Stream, Timeouts
