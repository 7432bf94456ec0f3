"""The object that a reply holds, or the sentence that says why there is none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from nbchat.api.inline_reasoning import parted
from nbchat.structured.python_types import read
from nbchat.structured.values import with_whole_numbers, without_added_nulls

if TYPE_CHECKING:
    from nbchat.api.response import Choice
    from nbchat.structured.structure import Structure

_FENCES = ("```", "~~~")
_LANGUAGE = re.compile(r"[A-Za-z][\w+.-]*[ \t]*\r?\n|(?:json[c5l]?|JSON[C5L]?)(?=[\s\[{\"])")
_FURTHER = re.compile(r"For further information visit \S+")  # what pydantic adds
_NOT_ASKED = "No JSON was asked for (response_format)."


class Parsed(msgspec.Struct, frozen=True):
    """What was read: `value`, or None and `error`, one sentence. A value may be None too.

    `json` is the JSON that it was read from, as it came.
    """

    value: Any = None
    error: str | None = None
    json: str | None = None


def parsed(
    choice: Choice | None,
    *,
    status: str = "complete",
    structure: Structure | None = None,
    response_format: Any = None,
) -> Parsed:
    """Read the object of a choice. Raises nothing.

    `status` is that of its run. `response_format` is what was sent, and counts
    where there is no `structure`: its JSON is read as builtins.
    """
    is_json = isinstance(response_format, Mapping) and response_format.get("type") in (
        "json_object",
        "json_schema",
    )
    if structure is None and not is_json:
        return Parsed(error=_NOT_ASKED)
    reason = _unfinished(choice, status)
    if reason or choice is None:
        return Parsed(error=reason)
    return _read(choice.message.content or "", structure)


def _unfinished(choice: Choice | None, status: str) -> str:
    if status == "running":
        return "The reply has not come whole yet."
    if choice is None:
        return "There is no such reply."
    if choice.message.refusal:
        return f"The model refused: {' '.join(choice.message.refusal.split())}"
    reasons = {
        "length": "The reply was cut off at its token limit (finish_reason length).",
        "content_filter": "The reply was cut off by a content filter (finish_reason "
        "content_filter).",
    }
    if choice.finish_reason in reasons:
        return reasons[choice.finish_reason]
    if status != "complete":
        return f"The reply did not come whole (the run ended as {status})."
    if not (choice.message.content or "").strip():
        calls = choice.message.tool_calls or choice.message.function_call
        return "The model asked for a tool instead." if calls else "The reply is empty."
    return ""


def _read(text: str, structure: Structure | None) -> Parsed:
    try:
        value, json = _decoded(text)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        return Parsed(error=f"The reply is no JSON: {_one_line(error)}.")
    except RecursionError:
        return Parsed(error="The reply is JSON that is nested too deeply.")
    if structure is None:
        return Parsed(value, json=json)
    try:
        return Parsed(_as_structure(value, structure), json=json)
    except RecursionError:
        return Parsed(error="The reply is JSON that is nested too deeply.")
    # a type's own hooks may raise anything, and the text is there all the same
    except Exception as error:  # noqa: BLE001
        return Parsed(error=f"The reply does not fit what was asked: {_one_line(error)}.")


def _decoded(text: str) -> tuple[Any, str]:
    """Decode the JSON that is said behind a thought, in a fence or without; give it, too."""
    _, reply = parted(text)
    json = _unfenced(reply)
    try:
        return msgspec.json.decode(json), json
    except (msgspec.DecodeError, UnicodeEncodeError):
        # some templates begin the thought themselves, and only its end comes
        _, end_of_thought, rest = reply.partition("</think>")
        if not end_of_thought:
            raise
    json = _unfenced(rest)
    return msgspec.json.decode(json), json


def _unfenced(text: str) -> str:
    stripped = text.strip("\ufeff \t\r\n")
    fence = stripped[:3]
    if fence not in _FENCES or not stripped.endswith(fence):
        return stripped
    body = stripped.strip(fence[0]).lstrip(" \t")
    language = _LANGUAGE.match(body)
    return body[language.end() :] if language else body


def _as_structure(value: Any, structure: Structure) -> Any:
    if structure.strict:
        value = without_added_nulls(value, structure.schema, structure.schema)
    value = with_whole_numbers(value, structure.schema, structure.schema)
    if structure.wrapped is not None:
        if not isinstance(value, dict) or structure.wrapped not in value:
            raise ValueError(f"its root has no {structure.wrapped!r}")
        value = value[structure.wrapped]
    elif not isinstance(value, dict):
        raise ValueError("its root is no object")
    if structure.type is None:
        return value
    return read(value, structure.type)


def _one_line(error: object) -> str:
    return " ".join(_FURTHER.sub("", str(error)).split()).rstrip(".")
