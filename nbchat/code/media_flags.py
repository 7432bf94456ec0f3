"""What ``--image``, ``--audio-in`` and ``--file`` name: paths, addresses, ids and variables."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbchat.api.encoded import Encoded
from nbchat.errors import MagicUsageError

if TYPE_CHECKING:
    pass

#: flag -> the argument of `nbchat.chat`
MEDIA: Mapping[str, str] = {"image": "images", "audio-in": "audio_in", "file": "files"}
_DOTTED = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]+://|data:)", re.IGNORECASE)
_FILE_ID = re.compile(r"file-[A-Za-z0-9_-]+")


def media_named(flag: str, texts: list[str], variables: Mapping[str, Any]) -> list[Any]:
    """Give what the texts behind a flag name, for `nbchat.media.attach`."""
    return [_value(flag, text, variables) for text in texts]


def media_of(message: Mapping[str, Any]) -> tuple[str, list[tuple[str, str]]] | None:
    """Give the prompt and the flags that would make a user's message with attachments again.

    None where none would: another role or order, or base64 of which nobody knows the file or
    the variable.
    """
    content = message.get("content")
    if message.get("role") != "user" or len(message) != 2 or not isinstance(content, list):
        return None
    first = content[0] if content else {}
    has_text = isinstance(first, Mapping) and first.keys() == {"type", "text"}
    named = [_named_by(part) for part in content[has_text:]]
    flags = [one for one in named if one is not None]
    details = {flag[2] for flag in flags if flag[0] == "image"}
    order = [[*MEDIA].index(flag) for flag, _, _ in flags]
    if not flags or len(flags) < len(named) or len(details) > 1 or order != sorted(order):
        return None
    detail = [("detail", text) for text in details if text]
    return first["text"] if has_text else "", [*((f, text) for f, text, _ in flags), *detail]


def _named_by(part: Any) -> tuple[str, str, str] | None:
    """Give the flag of a content part, what it names, and its detail."""
    match part:
        case {"type": "image_url", "image_url": {"url": str(value), **more}}:
            flag = "image"
        case {"type": "input_audio", "input_audio": {"data": str(value), **more}}:
            flag = "audio-in"
        case {"type": "file", "file": {"file_data": str(value), **more}}:
            flag = "file"
        case {"type": "file", "file": {"file_id": str(value), **more}}:
            return ("file", value, "") if _FILE_ID.fullmatch(value) and not more else None
        case _:
            return None
    detail = str(more.get("detail", ""))
    if isinstance(value, Encoded):
        text = value.path or value.variable or ""
        is_sayable = value.path is not None or _DOTTED.fullmatch(text)
        return (flag, text, detail) if is_sayable else None
    is_address = flag == "image" and value.startswith(("http://", "https://"))
    return (flag, value, detail) if is_address else None


def _value(flag: str, text: str, variables: Mapping[str, Any]) -> Any:
    from nbchat.media import Named

    where = f"--{flag}"
    if _DOTTED.fullmatch(text):
        first, *attributes = text.split(".")
        value = variables.get(first)
        # photo.jpg is a file, unless a variable photo has a jpg
        if first in variables and all(not name.startswith("_") for name in attributes):
            try:
                for name in attributes:
                    value = getattr(value, name)
            except AttributeError:
                pass
            else:
                return Named(value, text, where)
    is_id = flag == "file" and _FILE_ID.fullmatch(text) is not None
    if not (is_id or _ADDRESS.match(text) or _is_there(text)):
        raise MagicUsageError(_missing(where, text, variables))
    return Named(text, None, where)


def _is_there(text: str) -> bool:
    try:
        return Path(text).expanduser().exists()
    except (OSError, ValueError, RuntimeError):  # a name that is too long, say
        return False


def _missing(where: str, text: str, variables: Mapping[str, Any]) -> str:
    if not _DOTTED.fullmatch(text):
        return f"{where} {text}: there is no such file."
    near = difflib.get_close_matches(text, list(variables), n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return f"{where} {text}: there is no such file, and no variable of this name.{hint}"
