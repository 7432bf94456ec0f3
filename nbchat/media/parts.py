"""Content parts of a request, as the reference (1.3) has them: image_url, input_audio, file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from nbchat.api.encoded import Encoded, encoded, size_text
from nbchat.api.explain import error_of, wrong_value
from nbchat.api.messages import LITERALS
from nbchat.errors import CheckError
from nbchat.media.formats import SUFFIXES
from nbchat.media.limits import LIMITS, Kind
from nbchat.media.sources import Source, read, refusal

Part = dict[str, Any]
_WEB = re.compile(r"https?://\S+\Z", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_FILE_ID = re.compile(r"file-[A-Za-z0-9_-]+\Z")


class Named(Struct, frozen=True):
    """A value, the name that the notebook has for it, and what its place is called in errors."""

    value: Any
    variable: str | None = None
    where: str = ""


def image(value: Any, *, detail: str | None = None) -> Part:
    """Give a picture as a part of a user's message.

    `value` is a path, an http(s) or data: URL (which goes out as it is and is not fetched),
    bytes, a PIL image, a matplotlib figure, or anything that a notebook shows as a picture.
    `detail` is "auto", "low", "high" or "original". Raise `CheckError` where it is none of
    these, or breaks `LIMITS`.
    """
    return _image(value, "image", detail)


def audio(value: Any) -> Part:
    """Give a recording, WAV or MP3, as a part of a user's message: a path, bytes or `run.audio`."""
    return _audio(value, "audio")


def file(value: Any) -> Part:
    """Give a PDF as a part of a user's message: a path, bytes, or the id of an uploaded file."""
    return _file(value, "file")


def attach(
    prompt: Any,
    *,
    images: Any = None,
    detail: str | None = None,
    audio_in: Any = None,
    files: Any = None,
) -> Any:
    """Give a prompt with these behind its text; without any the prompt as it is.

    Each is one value or a list of values. Where the prompt is a list of messages, they go to
    the last one, which must be the user's. Raise `CheckError`, before anything is sent, for a
    value that is not what it should be.
    """
    media: dict[Kind, Any] = {"images": images, "audio_in": audio_in, "files": files}
    parts = [
        part
        for kind, values in media.items()
        for place, (value, is_one) in enumerate(_listed(values))
        for part in [_MAKERS[kind](value, kind if is_one else f"{kind}[{place}]")]
    ]
    if detail is not None:
        _set_detail(parts, detail)
    return _joined(prompt, parts) if parts else prompt


def check_totals(messages: Sequence[Mapping[str, Any]]) -> None:
    """Raise `CheckError` where a request has more attachments, or larger ones, than may be."""
    for kind, limit in LIMITS.items():
        sizes = [_size(part, limit.part) for part in _parts(messages) if part["type"] == limit.part]
        of_all = f"The {limit.noun}s of the whole conversation"
        begin_anew = "a new conversation begins without them"
        if limit.most_a_request is not None and len(sizes) > limit.most_a_request:
            fact = f"{of_all} are {len(sizes)}, and a request may have {limit.most_a_request}"
            raise CheckError(f"{fact}: {begin_anew}.", field=kind)
        if sum(sizes) > limit.most_bytes_a_request:
            most = size_text(limit.most_bytes_a_request)
            fact = f"{of_all} have {size_text(sum(sizes))}, and a request may have {most}"
            raise CheckError(f"{fact}: {begin_anew}.", field=kind)


def _listed(values: Any) -> list[tuple[Any, bool]]:
    """Give the values of an argument, each with whether it stands alone."""
    if values is None:
        return []
    if isinstance(values, Named) and isinstance(values.value, (list, tuple)):
        return [
            (Named(value, f"{values.variable}[{place}]", values.where), False)
            for place, value in enumerate(values.value)
        ]
    if not isinstance(values, (list, tuple)):
        return [(values, True)]
    return [
        (entry, False)
        for value in values
        for entry, _ in (_listed(value) if isinstance(value, Named) else [(value, False)])
    ]


def _opened(value: Any, where: str) -> tuple[Any, str | None, str]:
    if isinstance(value, Named):
        return value.value, value.variable, value.where or where
    return value, None, where


def _image(value: Any, where: str, detail: str | None = None) -> Part:
    value, variable, where = _opened(value, where)
    url: str
    if isinstance(value, str) and _WEB.match(value):
        url = value
    else:
        _refuse_addresses(value, where, "a web address begins with http:// or https://")
        source = read(value, "images", where, variable or "")
        url = (
            Encoded(value, name=source.name, mime=source.mime, variable=variable)
            if isinstance(value, str) and value.startswith("data:")
            else _encoded(source, variable, is_uri=True)
        )
    part: Part = {"type": "image_url", "image_url": {"url": url}}
    if detail is not None:
        _set_detail([part], detail)
    return part


def _audio(value: Any, where: str) -> Part:
    value, variable, where = _opened(value, where)
    _refuse_addresses(value, where, "the API takes no addresses of recordings: download it first")
    source = read(value, "audio_in", where, variable or "")
    kind = LIMITS["audio_in"].takes[source.mime]
    data = _encoded(source, variable, is_uri=False)
    return {"type": "input_audio", "input_audio": {"data": data, "format": kind}}


def _file(value: Any, where: str) -> Part:
    value, variable, where = _opened(value, where)
    if isinstance(value, str) and _FILE_ID.match(value):
        return {"type": "file", "file": {"file_id": value}}
    _refuse_addresses(value, where, "the API takes no addresses of files: download it first")
    source = read(value, "files", where, variable or "")
    name = source.name if source.path else f"{source.name}{SUFFIXES.get(source.mime, '')}"
    data = _encoded(source, variable, is_uri=True)
    return {"type": "file", "file": {"filename": name, "file_data": data}}


_MAKERS: dict[Kind, Callable[[Any, str], Part]] = {
    "images": _image,
    "audio_in": _audio,
    "files": _file,
}


def _encoded(source: Source, variable: str | None, *, is_uri: bool) -> Encoded:
    return encoded(
        source.data,
        mime=source.mime,
        is_uri=is_uri,
        name=source.name,
        path=source.path,
        variable=variable if source.path is None else None,
    )


def _refuse_addresses(value: Any, where: str, rule: str) -> None:
    if isinstance(value, str) and not value.startswith("data:") and _SCHEME.match(value):
        raise refusal(where, f"is {value[:60]}", rule)


def _set_detail(parts: list[Part], detail: str) -> None:
    if detail not in LITERALS["detail"]:
        rule = f"one of {', '.join(LITERALS['detail'])}"
        raise error_of(wrong_value("detail", detail, rule))
    pictures = [part["image_url"] for part in parts if part["type"] == "image_url"]
    if not pictures:
        raise CheckError("detail says how images are looked at: give images.", field="detail")
    for picture in pictures:
        picture["detail"] = detail


def _joined(prompt: Any, parts: list[Part]) -> Any:
    if isinstance(prompt, str):
        return {"role": "user", "content": [*_text_part(prompt), *parts]}
    messages = [prompt] if isinstance(prompt, Mapping) else prompt
    last = messages[-1] if isinstance(messages, (list, tuple)) and messages else None
    if not isinstance(last, Mapping) or last.get("role") != "user":
        raise CheckError(
            "Images, audio and files go to the last message, and that must be the user's.",
            field="messages",
        )
    content = last.get("content")
    parts_before = _text_part(content) if isinstance(content, str) else list(content or ())
    return [*messages[:-1], {**last, "content": [*parts_before, *parts]}]


def _text_part(text: str) -> list[Part]:
    return [{"type": "text", "text": text}] if text.strip() else []


def _parts(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    contents = [message.get("content") for message in messages]
    return [
        part
        for content in contents
        if isinstance(content, list)
        for part in content
        if isinstance(part, Mapping) and isinstance(part.get("type"), str)
    ]


def _size(part: Mapping[str, Any], payload: str) -> int:
    body = part.get(payload)
    values = body.values() if isinstance(body, Mapping) else ()
    return sum(value.n_bytes for value in values if isinstance(value, Encoded))
