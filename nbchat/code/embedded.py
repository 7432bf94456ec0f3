"""Base64 in code: not as megabytes of letters, but as what it is made of again."""

from __future__ import annotations

import json
import re
import shlex
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from nbchat.api.encoded import Encoded, plain_text, shortened

_END = "NBCHAT"
_ARGUMENTS = {"images": "image_url", "audio_in": "input_audio", "files": "file"}
_MAKERS = {"image_url": "image", "input_audio": "audio", "file": "file"}


def base64_in(value: Any) -> list[Encoded]:
    """Give all that was attached to messages, or to a body, in order."""
    if isinstance(value, Encoded):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [found for entry in inner for found in base64_in(entry)]


def with_short(value: Any, is_kept: Callable[[Encoded], object]) -> Any:
    """Copy messages with all base64 shortened but what is kept."""
    if isinstance(value, Encoded):
        return value if is_kept(value) else shortened({"data": value})["data"]
    if isinstance(value, dict):
        return {key: with_short(entry, is_kept) for key, entry in value.items()}
    return [with_short(entry, is_kept) for entry in value] if isinstance(value, list) else value


def as_here_document(body: dict[str, Any]) -> str:
    """Give a body as a here-document of the shell, in which files are read when it runs.

    A command line has no room for a picture, and a here-document has.
    """
    places = {f"@base64-{uuid.uuid4().hex}@": found for found in base64_in(body)}
    text = json.dumps(_replaced(body, iter(places)), ensure_ascii=False)
    text = re.sub(r"([\\$`])", r"\\\1", text)
    for place, found in places.items():
        text = text.replace(place, _read(found))
    return f"<<{_END}\n{text}\n{_END}"


def _read(found: Encoded) -> str:
    if found.path is None:
        return plain_text(found)
    head = found[: found.find(",") + 1] if found.startswith("data:") else ""
    return f"{head}$(base64 < {shlex.quote(found.path)} | tr -d '\\n')"


def _replaced(value: Any, places: Iterator[str]) -> Any:
    if isinstance(value, Encoded):
        return next(places)
    if isinstance(value, dict):
        return {key: _replaced(entry, places) for key, entry in value.items()}
    return [_replaced(entry, places) for entry in value] if isinstance(value, list) else value


class _Call:
    """Something that is written in Python as it stands: a name, or a call."""

    def __init__(self, text: str):
        self._text = text

    def __repr__(self) -> str:
        return self._text


def with_calls(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give messages whose repr makes what is attached of its file or of its variable again."""
    return [
        {**message, "content": [_part(part) for part in message["content"]]}
        if isinstance(message.get("content"), list)
        else message
        for message in messages
    ]


def as_arguments(content: Any) -> dict[str, Any] | None:
    """Give a text and what is attached to it as arguments of `nbchat.chat`.

    The text is under "". None where the arguments could not say the same.
    """
    if not isinstance(content, list) or not content or content[0].get("type") != "text":
        return None
    text, *parts = content
    found: dict[str, Any] = {"": text["text"]}
    for name, kind in _ARGUMENTS.items():
        values = [_value(part) for part in parts if part.get("type") == kind]
        if values:
            found[name] = values[0] if len(values) == 1 else values
    details = {p["image_url"].get("detail") for p in parts if p.get("type") == "image_url"}
    if details - {None}:
        found["detail"] = next(iter(details))
    order = [kind for kind in _ARGUMENTS.values() for part in parts if part.get("type") == kind]
    is_same = order == [part.get("type") for part in parts] and len(details) < 2
    is_known = all(_value(part) is not None for part in parts)
    return found if is_same and is_known and text.keys() == {"type", "text"} else None


def _value(part: dict[str, Any]) -> Any:
    """Give what a part is made of: a path, an address, an id or a variable; None: unknown."""
    payload = part.get(part.get("type", ""), {})
    found = base64_in(payload)
    if found:
        path, variable = found[0].path, found[0].variable
        return path if path is not None else None if variable is None else _Call(variable)
    address = payload.get("url", payload.get("file_id"))
    is_address = isinstance(address, str) and address.startswith(("http://", "https://", "file-"))
    return address if is_address else None


def _part(part: dict[str, Any]) -> Any:
    found = base64_in(part)
    maker = _MAKERS.get(part.get("type", ""))
    if not found or maker is None:
        return part
    value = _value(part)
    if value is None:
        return json.loads(json.dumps(part))
    detail = part["image_url"].get("detail") if maker == "image" else None
    more = f", detail={detail!r}" if detail else ""
    return _Call(f"nbchat.media.{maker}({value!r}{more})")
