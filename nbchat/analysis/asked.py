"""A request that is checked and ready to be played beside others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbchat.errors import CheckError
from nbchat.session.chat import _asked, _split
from nbchat.session.execution import Playing, StatusLines
from nbchat.session.prepared import prepare
from nbchat.session.settings import resolved


def with_defaults(fields: Mapping[str, Any], **defaults: Any) -> dict[str, Any]:
    """Give fields with what is not given in them, `extra` included."""
    there = {**fields, **(fields.get("extra") or {})}
    return {name: v for name, v in defaults.items() if name not in there} | dict(fields)


def playings_of(
    prompt: Any, messages: Any, requests: list[dict[str, Any]], *, by: str
) -> list[Playing]:
    """Prepare one run for each request, all of the same question.

    `requests` have fields of what `nbchat.chat` takes, but for `thread` and `n`; `by` names the
    function that asks. Raise CheckError before anything is sent, started or asked for.
    """
    ready = []
    for fields in requests:
        if fields.get("thread") is not None:
            raise CheckError(f"{by}() takes no thread: give messages=[…].", field="thread")
        params, own = _split(dict(fields))
        if (params.given().get("n") or 1) > 1:
            raise CheckError(f"{by}() compares single replies and takes no n.", field="n")
        manners = [own.pop(name, None) for name in ("timeout", "max_retries", "toolbox")]
        own["thread"] = None
        ready.append((prepare(_asked(prompt, messages, own), params, **own), own, manners))
    watcher = StatusLines()
    playings = []
    for prepared, own, manners in ready:
        prepared.profile = profile = resolved(own.get("profile"), watcher.status)
        playings.append(Playing(prepared, profile, watcher, *manners))
    return playings
