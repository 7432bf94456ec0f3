"""Replies that were to be JSON: shown in colours, or why there is no object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbchat.display.shown_run import ShownRun


def json_of(run: ShownRun, choice: int) -> str | None:
    """Give the JSON of a choice, as it came, where it is the object that was asked for."""
    return run.parse(choice).json if _is_to_be_json(run) else None


def no_object(run: ShownRun) -> str:
    """Say why a whole reply has no object that was asked for; empty where all have theirs."""
    completion = run.completion
    if run.status != "complete" or completion is None or not _is_to_be_json(run):
        return ""
    choices = sorted(completion.choices, key=lambda choice: choice.index)
    for choice in choices:
        message = choice.message
        # what else came in its place is said anyway
        if message.refusal or message.tool_calls or message.function_call:
            continue
        error = run.parse(choice.index).error
        if error is not None:
            where = f" in choice {choice.index}" if len(choices) > 1 else ""
            return f"no object{where}: {error.removesuffix('.')}"
    return ""


def _is_to_be_json(run: ShownRun) -> bool:
    fields = {**run.params.given(), **run.params.extra}
    wanted = fields.get("response_format")
    return isinstance(wanted, Mapping) and wanted.get("type") in ("json_object", "json_schema")
