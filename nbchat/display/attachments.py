"""What was sent with a prompt, shown small: thumbnails of pictures, a line for all else."""

from __future__ import annotations

import base64
import importlib.util
import io
import re
import warnings
import weakref
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from msgspec import Struct

from nbchat.api.encoded import Encoded, decoded, size_of, size_text
from nbchat.api.encoded import mime_of as uri_mime_of
from nbchat.display.fragments import escaped
from nbchat.media.formats import mime_of

#: a picture of at most so many bytes is its own thumbnail
MOST_BYTES = 16 * 1024
#: pixels of a thumbnail, twice of what is shown, for fine screens
_PIXELS = (384, 192)
_MOST_THUMBNAILS = 20
_SHOWN = ("PNG", "JPEG", "WEBP", "GIF")
_OPAQUE = 255
_FAST_OCTREE = 2  # PIL's name: of its ways to 256 colours the one that keeps transparency
_WEB = re.compile(r"https?://", re.IGNORECASE)
_LONGEST_ADDRESS = 80
_ROW = "display: flex; flex-wrap: wrap; gap: 0.8em; align-items: flex-end; margin: 0 0 0.4em"
_FACTS = "color: #7f7f7f; font-size: 85%; overflow-wrap: anywhere"
_THUMBNAIL = "max-height: 96px; max-width: 192px; border: 1px solid #7f7f7f; border-radius: 3px"


class Item(Struct, frozen=True):
    """One attachment: its facts in words, its thumbnail as a data: address, its address."""

    facts: str
    thumbnail: str = ""
    address: str = ""


def attached_bundle(messages: Sequence[Any]) -> dict[str, str] | None:
    """Give what is attached to the last thing that the user said; None where nothing is."""
    items = list(_items(messages))
    if not items:
        return None
    shown = [*items[:_MOST_THUMBNAILS], *(Item(item.facts) for item in items[_MOST_THUMBNAILS:])]
    return {
        "text/html": f'<div style="{_ROW}">{"".join(map(_html, shown))}</div>',
        "text/plain": "\n".join(f"[{item.facts}]" for item in items),
    }


def item_of(part: Any) -> Item | None:
    """Give a content part as it is shown small; None for one that is no attachment."""
    kind = str(part.get("type")) if isinstance(part, Mapping) else ""
    payload = part.get(kind) if kind in _SHOWN_AS else None
    return _SHOWN_AS[kind](payload) if isinstance(payload, Mapping) else None


def _items(messages: Sequence[Any]) -> Iterator[Item]:
    for message in _last_of_user(messages):
        content = message.get("content")
        items = map(item_of, content if isinstance(content, list) else ())
        yield from (item for item in items if item is not None)


def _last_of_user(messages: Sequence[Any]) -> list[Mapping[str, Any]]:
    """Give the user's messages that no reply stands between, the last ones of all."""
    last: list[Mapping[str, Any]] = []
    for message in reversed(messages):
        role = message.get("role") if isinstance(message, Mapping) else None
        if role == "user":
            last.insert(0, message)
        elif last:
            break
    return last


def _image(payload: Mapping[str, Any]) -> Item:
    url = str(payload.get("url") or "")
    detail = f"detail {payload['detail']}" if payload.get("detail") else ""
    if not url.startswith("data:"):
        shown = url if len(url) <= _LONGEST_ADDRESS else f"{url[:_LONGEST_ADDRESS]}…"
        return Item(_joined(shown, detail), address=url if _WEB.match(url) else "")
    address = payload["url"]
    thumbnail, pixels = _thumbnail(address)
    name = address.name if isinstance(address, Encoded) else "image"
    return Item(_joined(name, uri_mime_of(url), pixels, size_text(size_of(url)), detail), thumbnail)


def _recording(payload: Mapping[str, Any]) -> Item:
    return _bytes_item(payload.get("data"), "recording", str(payload.get("format") or ""))


def _file(payload: Mapping[str, Any]) -> Item:
    if payload.get("file_id"):
        return Item(_joined(str(payload["file_id"]), "file on the server"))
    data = payload.get("file_data")
    kind = uri_mime_of(data) if isinstance(data, str) else ""
    return _bytes_item(data, str(payload.get("filename") or "file"), kind)


def _bytes_item(data: Any, name: str, kind: str) -> Item:
    if isinstance(data, Encoded):
        is_file = data.path is not None or "." in data.name
        name, kind = (data.name if is_file else data.variable) or name, data.mime or kind
    return Item(_joined(name, kind, size_text(size_of(data)) if isinstance(data, str) else ""))


_SHOWN_AS = {"image_url": _image, "input_audio": _recording, "file": _file}


def _joined(*parts: str) -> str:
    return " · ".join(part for part in parts if part)


def _html(item: Item) -> str:
    facts = escaped(item.facts)
    if item.address:
        facts = (
            f'<a href="{escape(item.address)}" rel="noopener noreferrer nofollow" '
            f'target="_blank">{facts}</a>'
        )
    if not item.thumbnail:
        return f'<div style="{_FACTS}">{facts}</div>'
    # no src but a data: address that was made here
    picture = f'<img src="{item.thumbnail}" alt="{facts}" style="{_THUMBNAIL}">'
    return f'<div>{picture}<div style="{_FACTS}">{facts}</div></div>'


_thumbnails: weakref.WeakKeyDictionary[Encoded, tuple[str, str]] = weakref.WeakKeyDictionary()


def _thumbnail(url: str) -> tuple[str, str]:
    """Give a data: address of a small picture, "" where there is none, and the pixels in words."""
    if isinstance(url, Encoded) and url in _thumbnails:
        return _thumbnails[url]
    try:
        thumbnail = _scaled(decoded(url))
    except ValueError:
        thumbnail = ("", "")
    if isinstance(url, Encoded):
        _thumbnails[url] = thumbnail
    return thumbnail


def _scaled(data: bytes) -> tuple[str, str]:
    mime = mime_of(data)
    address = _as_address(data, mime) if len(data) <= MOST_BYTES and mime in _EMBEDDED else ""
    if importlib.util.find_spec("PIL") is None:
        return address, ""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=_SHOWN) as picture:
                pixels = f"{picture.width} × {picture.height}"
                return address or _smaller(picture), pixels
    except Exception:  # noqa: BLE001 - a picture that cannot be shown small was sent all the same
        return address, ""


def _smaller(picture: Any) -> str:
    picture.draft("RGB", _PIXELS)  # a JPEG need not be decoded in full
    has_alpha = "A" in picture.getbands() or "transparency" in picture.info
    small = picture.convert("RGBA" if has_alpha else "RGB")
    small.thumbnail(_PIXELS)
    # figures have an alpha channel, and nothing in them is transparent
    is_clear = has_alpha and small.getextrema()[3][0] < _OPAQUE
    buffer = io.BytesIO()
    if is_clear:
        small.quantize(method=_FAST_OCTREE).save(buffer, format="PNG", optimize=True)
    else:
        small.convert("RGB").save(buffer, format="JPEG", quality=80)
    return _as_address(buffer.getvalue(), "image/png" if is_clear else "image/jpeg")


def _as_address(data: bytes, mime: str) -> str:
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


_EMBEDDED = frozenset({"image/png", "image/jpeg", "image/webp", "image/gif"})
