"""The embedded model: a small real model on this machine, behind an HTTP server of its own.

`download()` fetches its weights once for all environments of the user, `serve()` runs them
or any other GGUF file on 127.0.0.1, `status()` and `stop()` say and do what they are called.
Nothing heavy is imported here: llama.cpp lives in the child process.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbchat.local.server import Server, Status, ensure, serve, status, stop
    from nbchat.local.weights import download

#: the short name of the embedded model
MODEL = "smollm2-135m"

__all__ = ["MODEL", "Server", "Status", "download", "ensure", "serve", "status", "stop"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'nbchat.local' has no attribute {name!r}")
    home = "weights" if name == "download" else "server"
    return getattr(importlib.import_module(f"nbchat.local.{home}"), name)


def __dir__() -> list[str]:
    return __all__


def model_if_used() -> str:
    """Name the model that a request would be answered by, and import nothing for it."""
    server: Any = sys.modules.get("nbchat.local.server")
    named = getattr(server, "wanted_model", None)
    return MODEL if named is None else named() or MODEL


def status_if_used() -> Status | None:
    """Give the status where this process has used the embedded model, and import nothing else.

    `%load_ext` asks for it, and has no time for more.
    """
    server: Any = sys.modules.get("nbchat.local.server")
    status = getattr(server, "status", None)  # another thread may be importing it just now
    return None if status is None else status()
