"""Base64 in code: not as megabytes of letters, but as what it is made of again."""

from __future__ import annotations

import base64
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
    return [data for entry in inner for data in base64_in(entry)]


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
    places = {f"@base64-{uuid.uuid4().hex}@": data for data in base64_in(body)}
    text = json.dumps(_replaced(body, iter(places)), ensure_ascii=False)
    text = re.sub(r"([\\$`])", r"\\\1", text)
    for place, data in places.items():
        text = text.replace(place, _read(data))
    return f"<<{_END}\n{text}\n{_END}"


def _read(data: Encoded) -> str:
    if data.path is None:
        return plain_text(data)
    head = data[: data.find(",") + 1] if data.startswith("data:") else ""
    return f"{head}$(base64 < {shlex.quote(data.path)} | tr -d '\\n')"


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


def as_code(text: str) -> Any:
    """Give a value whose repr is this text: a name, or a call."""
    return _Call(text)


def with_calls(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give messages whose repr makes what is attached of its file or of its variable again."""
    return [
        {**message, "content": [_part(part) for part in message["content"]]}
        if isinstance(message.get("content"), list)
        else message
        for message in messages
    ]


def as_arguments(message: dict[str, Any]) -> dict[str, Any] | None:
    """Give a user's text and what is attached to it as arguments of `nbchat.chat`.

    The text is under "". None where the arguments would not make the same message again.
    """
    content = message["content"]
    if not isinstance(content, list):
        return None
    text = content[0].get("text") if content and content[0].keys() == {"type", "text"} else None
    parts = content[1:] if isinstance(text, str) and text.strip() else []
    values = [_value(part) for part in parts]
    if not values or None in values:
        return None
    arguments: dict[str, Any] = {"": text}
    for name, kind in _ARGUMENTS.items():
        of_kind = [v for v, part in zip(values, parts, strict=True) if part["type"] == kind]
        if of_kind:
            arguments[name] = of_kind[0] if len(of_kind) == 1 else of_kind
    details = {part["image_url"].get("detail") for part in parts if part["type"] == "image_url"}
    if details - {None}:
        arguments["detail"] = next(iter(details))
    return arguments if _makes(arguments, message) else None


def _makes(arguments: dict[str, Any], message: dict[str, Any]) -> bool:
    """Tell whether these arguments make the very same; a variable is taken at its word."""
    from nbchat.errors import NbchatError
    from nbchat.media import attach

    known = {data.variable: data for data in base64_in(message)}
    named = dict(arguments)
    prompt = named.pop("")

    def told(value: Any) -> Any:
        if isinstance(value, list):
            return [told(one) for one in value]
        if isinstance(value, _Call):
            return base64.b64decode(known[repr(value)].rpartition(",")[2])
        return value

    try:
        made = attach(prompt, **{name: told(value) for name, value in named.items()})
    except (NbchatError, OSError, ValueError):
        return False
    return bool(made == message)


def _value(part: dict[str, Any]) -> Any:
    """Give what a part is made of: a path, an address, an id or a variable; None: unknown."""
    payload = part.get(part.get("type", ""))
    if part.get("type") not in _MAKERS or not isinstance(payload, dict):
        return None
    data = base64_in(payload)
    if data:
        path, variable = data[0].path, data[0].variable
        return path if path is not None else None if variable is None else _Call(variable)
    address = payload.get("url", payload.get("file_id"))
    is_address = isinstance(address, str) and address.startswith(("http://", "https://", "file-"))
    return address if is_address else None


def _part(part: dict[str, Any]) -> Any:
    data = base64_in(part)
    maker = _MAKERS.get(part.get("type", ""))
    if not data or maker is None:
        return part
    value = _value(part)
    if value is None:
        return json.loads(json.dumps(part))
    detail = part["image_url"].get("detail") if maker == "image" else None
    more = f", detail={detail!r}" if detail else ""
    return _Call(f"nbchat.media.{maker}({value!r}{more})")
