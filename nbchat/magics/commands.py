"""Commands on the line of ``%chat``: what is looked at or begun anew, and is no prompt.

A word that is only near to one is no prompt either: it would stand in the conversation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from nbchat.errors import MagicUsageError
from nbchat.nearest import nearest_name
from nbchat.session import Thread

if TYPE_CHECKING:
    import pandas as pd

    from nbchat.run import Run

_SHOW = re.compile(r"show\s+([0-9a-f]{4,24})\s*\Z")
_HISTORY = re.compile(r"history(?:\s+(.*))?\Z", re.DOTALL)
_ONE_MORE = re.compile(r"(reset|models)\s+(\S+)\s*\Z")
#: words that stand alone, and how each is to be typed
SPELT: Mapping[str, str] = {
    "explore": "%chat explore",
    "history": "%chat history Paris",
    "models": "%chat models",
    "reset": "%chat reset",
    "show": "%chat show 01a227bc9638",
    "threads": "%chat threads",
    "help": "%chat --help",
}
_LEAST_LETTERS = 3
#: the columns of the runs frame that a list of runs is read by
_COLUMNS = ["run_id", "created_at", "profile", "model", "status", "text"]
_MOST = 50


def command_of(line: str, thread: str, explore: Callable[[], Any]) -> Callable[[], Any] | None:
    """Give what a line of ``%chat`` does that is a command; None where it is a prompt.

    `thread` is the conversation of cells that name none, `explore` opens the panel. Raise
    MagicUsageError for a lone word that is near to a command, with the nearest.
    """
    text = line.strip()
    lone: dict[str, Callable[[], Any]] = {
        "explore": explore,
        "models": _models,
        "threads": _threads,
        "reset": partial(_reset, thread),
        "help": show_help,
        "--help": show_help,
        "-h": show_help,
    }
    if text in lone:
        return lone[text]
    if shown := _SHOW.match(text):
        return partial(_run, shown[1])
    if match := _HISTORY.match(text):
        return partial(_frame, match[1] or None)
    if (more := _ONE_MORE.match(text)) and more[1] == "reset":
        return partial(_reset, _known_thread(more[2]))
    if more and _is_profile(more[2]):
        return partial(_models, more[2])
    refuse_near(text)
    return None


def refuse_near(text: str) -> None:
    """Raise MagicUsageError where a text is one word, and that is a command or near to one."""
    word = text.strip()
    meant = _nearest_command(word)
    if not meant:
        return
    fact = f"{word!r} alone is no prompt"
    hint = f"it is typed {SPELT[meant]}" if word == meant else f"did you mean {SPELT[meant]}?"
    raise MagicUsageError(f"{fact}: {hint} (%chat -- {word} asks the model.)")


def _nearest_command(word: str) -> str:
    if not word.isascii() or not word.isalpha():
        return ""
    lower = word.lower()
    if len(lower) >= _LEAST_LETTERS:
        for command in SPELT:
            if command.startswith(lower):
                return command
    return nearest_name(lower, SPELT, cutoff=0.75)


def show_help() -> None:
    """Print what ``%%chat?`` shows."""
    from nbchat.magics.usage import usage

    print(usage(), end="")


def _models(profile: str | None = None) -> list[str]:
    from nbchat.session.server_models import models

    return models(profile)


def _is_profile(word: str) -> bool:
    from nbchat.client.presets import names

    return "://" in word or word in names()


def _threads() -> pd.DataFrame:
    from nbchat.frames.conversations import conversations

    return conversations(Thread(name) for name in Thread.names())


def _known_thread(name: str) -> str:
    names = Thread.names()
    if name in names:
        return name
    near = nearest_name(name, names)
    hint = f" Did you mean %chat reset {near}?" if near else ""
    raise MagicUsageError(
        f"There is no conversation {name!r} to be reset: %chat threads lists them.{hint} "
        f"(%chat -- reset {name} asks the model.)"
    )


def _reset(name: str) -> None:
    """Forget the turns of a conversation, and say how many."""
    thread = Thread(name)
    count = len(thread)
    thread.clear()
    forgotten = f"{count} turn is" if count == 1 else f"{count} turns are"
    line = f"begins anew: {forgotten} forgotten. The runs stay in nbchat.runs()."
    print(f"The conversation {name!r} {line if count else 'has no turns.'}")


def _run(beginning: str) -> Run:
    from nbchat.session.run_lookup import run_with_id

    return run_with_id(beginning)


def _frame(text: str | None) -> pd.DataFrame:
    from nbchat import history

    return history.search(text, limit=_MOST)[_COLUMNS]
