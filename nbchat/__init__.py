"""Chat models in notebooks: ask with ``%%chat``, explore parameters, look at probabilities.

``%load_ext nbchat`` brings the magics. Everything heavy is imported on first use.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

from nbchat.above import ABOVE
from nbchat.version import __version__ as __version__

if sys.platform == "emscripten":
    raise ImportError(
        "nbchat does not run in JupyterLite: Python in a browser has neither threads nor sockets, "
        "which requests and panels need. It runs in JupyterLab, Notebook and VS Code."
    )

#: public name -> the module that has it (None: it is the module nbchat.NAME) and its name there
_HOMES: dict[str, tuple[str | None, str]] = {
    "achat": ("nbchat.session.async_chat", "achat"),
    "astream": ("nbchat.session.async_chat", "astream"),
    "chat": ("nbchat.session.chat", "chat"),
    "stream": ("nbchat.session.chat", "stream"),
    "budget": ("nbchat.session.settings", "budget"),
    "configure": ("nbchat.session", "configure"),
    "probe": ("nbchat.analysis", "probe"),
    "repeat": ("nbchat.analysis", "repeat"),
    "rescore": ("nbchat.analysis", "rescore"),
    "compare": ("nbchat.analysis", "compare"),
    "uncertainty": ("nbchat.analysis", "uncertainty"),
    "tree": ("nbchat.analysis", "tree"),
    "branch": ("nbchat.analysis", "branch"),
    "minimal_pairs": ("nbchat.analysis", "minimal_pairs"),
    "score": ("nbchat.analysis", "score"),
    "classify": ("nbchat.analysis", "classify"),
    "explore": ("nbchat.widgets.explorer", "explore"),
    "models": ("nbchat.session.server_models", "models"),
    "runs": ("nbchat.session", "runs_frame"),
    "Thread": ("nbchat.session", "Thread"),
    "Draft": ("nbchat.request.draft", "Draft"),
    "Run": ("nbchat.run", "Run"),
    "ChatParams": ("nbchat.api.params", "ChatParams"),
    "Client": ("nbchat.client", "Client"),
    "Profile": ("nbchat.client", "Profile"),
    "parameters": ("nbchat.frames.parameters", "parameters"),
    "choices": ("nbchat.frames", "choices"),
    "tokens": ("nbchat.frames", "tokens"),
    "alternatives": ("nbchat.frames", "alternatives"),
    "words": ("nbchat.frames", "words"),
    "usage": ("nbchat.session", "usage_frame"),
    "inspect": ("nbchat.widgets.inspector", "inspect"),
    "load": ("nbchat.history.saved_file", "load"),
    "save": ("nbchat.history.saved_file", "save"),
    "api": (None, "api"),
    "client": (None, "client"),
    "code": (None, "code"),
    "errors": (None, "errors"),
    "evaluators": (None, "evaluators"),
    "history": (None, "history"),
    "local": (None, "local"),
    "measures": (None, "measures"),
    "media": (None, "media"),
    "plots": (None, "plots"),
    "statistics": (None, "statistics"),
    "sweep": (None, "sweep"),
    "tools": (None, "tools"),
    "structured": (None, "structured"),
}

#: what other packages call it -> what it is here
_MEANT = {
    "ask": "chat",
    "complete": "chat",
    "completion": "chat",
    "completions": "chat",
    "create": "chat",
    "config": "configure",
    "conversation": "Thread",
    "cost": "usage",
    "get_models": "models",
    "list_models": "models",
    "logprobs": "tokens",
    "message": "chat",
    "panel": "explore",
    "params": "parameters",
    "profile": "configure",
    "prompt": "chat",
    "setup": "configure",
    "threads": "Thread",
}

__all__ = [
    "ChatParams",
    "Client",
    "Draft",
    "Profile",
    "Run",
    "Thread",
    "achat",
    "alternatives",
    "api",
    "astream",
    "branch",
    "budget",
    "chat",
    "choices",
    "classify",
    "client",
    "code",
    "compare",
    "configure",
    "errors",
    "evaluators",
    "explore",
    "history",
    "inspect",
    "load",
    "local",
    "measures",
    "media",
    "minimal_pairs",
    "models",
    "parameters",
    "plots",
    "probe",
    "repeat",
    "rescore",
    "runs",
    "save",
    "score",
    "statistics",
    "stream",
    "structured",
    "sweep",
    "tokens",
    "tools",
    "tree",
    "uncertainty",
    "usage",
    "words",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        from nbchat.nearest import no_attribute

        raise no_attribute("module 'nbchat'", name, __dir__, _MEANT.copy, lead="nbchat.")
    module, attribute = home
    if module is None:
        return importlib.import_module(f"nbchat.{name}")
    value = getattr(importlib.import_module(module), attribute)
    globals()[name] = value
    if "nbchat.frames.source" in sys.modules:
        from nbchat.session.run_lookup import let_frames_find_runs

        let_frames_find_runs()
    return value


def _whole_rows(run: Run, choice: int) -> WholeRows:
    from nbchat.analysis.whole_rows import AskedRows

    return AskedRows(run, choice)


def _sweep_folder(address: str) -> Folder | None:
    from nbchat.errors import NbchatError
    from nbchat.sweep.opened import opened_folder
    from nbchat.sweep.place import place_of

    try:
        place = place_of(address)
        return opened_folder(place) if place.is_dir() else None
    except (OSError, NbchatError):  # a store that cannot be reached
        return None


ABOVE["whole_rows"] = _whole_rows
ABOVE["sweep_folder"] = _sweep_folder


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


def load_ipython_extension(shell: Any) -> None:
    """Bring ``%chat`` and ``%%chat`` into IPython: ``%load_ext nbchat``."""
    from nbchat import magics

    magics.load_ipython_extension(shell)


def unload_ipython_extension(shell: Any) -> None:
    """Take the magics away again: ``%unload_ext nbchat``."""
    from nbchat import magics

    magics.unload_ipython_extension(shell)


if TYPE_CHECKING:
    from nbchat import (
        api,
        client,
        code,
        errors,
        evaluators,
        history,
        local,
        measures,
        media,
        plots,
        statistics,
        structured,
        tools,
    )
    from nbchat.analysis.branch import branch
    from nbchat.analysis.classify import classify
    from nbchat.analysis.compare import compare
    from nbchat.analysis.minimal_pairs import minimal_pairs
    from nbchat.analysis.probe import probe
    from nbchat.analysis.repeat import repeat
    from nbchat.analysis.rescore import rescore
    from nbchat.analysis.score import score
    from nbchat.analysis.tree import tree
    from nbchat.analysis.uncertainty import uncertainty
    from nbchat.api.params import ChatParams
    from nbchat.client import Client, Profile
    from nbchat.frames import alternatives, choices, tokens, words
    from nbchat.frames.exact_share import WholeRows
    from nbchat.frames.parameters import parameters
    from nbchat.history.saved_file import load, save
    from nbchat.request.draft import Draft
    from nbchat.run import Run
    from nbchat.session import configure
    from nbchat.session import runs_frame as runs
    from nbchat.session import usage_frame as usage
    from nbchat.session.async_chat import achat, astream
    from nbchat.session.chat import chat, stream
    from nbchat.session.server_models import models
    from nbchat.session.settings import budget
    from nbchat.session.threads import Thread
    from nbchat.sweep import CallableRoom
    from nbchat.sweep.folder import Folder
    from nbchat.widgets.explorer import explore
    from nbchat.widgets.inspector import inspect

    sweep: CallableRoom
