"""An exception as plain data, and back: by names that are known here, never by an import."""

from __future__ import annotations

import builtins
import contextlib
import json
from collections.abc import Mapping
from typing import Any

import msgspec

from nbchat import errors
from nbchat.api.logprobs import jsonable
from nbchat.errors import NbchatError, recorded_error, type_and_sentence

#: attributes that lead back to the run, or that may hold what a server set for this user alone
_LEFT_OUT = {"run", "completion", "headers"}


def error_as_dict(error: BaseException) -> dict[str, Any]:
    """Give an exception's class name, sentence, args and attributes, as far as they are plain."""
    name = type(error).__name__
    sentence = type_and_sentence(error).removeprefix(name).removeprefix(": ")
    facts = {key: value for key, value in vars(error).items() if key not in _LEFT_OUT}
    return {
        "type": name,
        "sentence": sentence,
        "args": jsonable(list(error.args)) if _is_plain(error.args) else [sentence],
        "facts": jsonable({key: value for key, value in facts.items() if _is_plain(value)}),
    }


def error_of(stored: Mapping[str, Any]) -> BaseException:
    """Give the exception of `error_as_dict`: of its class, where that is Python's or nbchat's."""
    name, sentence = str(stored.get("type")), str(stored.get("sentence") or "")
    args, facts = stored.get("args"), stored.get("facts")
    kind: Any = getattr(errors, name, None) or getattr(builtins, name, None)
    is_known = isinstance(kind, type) and issubclass(kind, BaseException)
    if is_known and isinstance(args, list):
        with contextlib.suppress(Exception):  # a class may want other args than it shows
            made: BaseException = kind.__new__(kind, *args)
            if isinstance(made, NbchatError) and isinstance(facts, Mapping):
                vars(made).update(facts)
            if type_and_sentence(made) == type_and_sentence(recorded_error(name, sentence)):
                return made
    return recorded_error(name, sentence)


def _is_plain(value: Any) -> bool:
    # msgspec would take bytes and dates for texts; json takes texts that UTF-8 cannot write
    try:
        json.dumps(value)
        msgspec.json.encode(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True
