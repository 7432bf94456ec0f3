"""Base64 in messages: whole for whoever sends it, short for whoever looks at it."""

from __future__ import annotations

import base64
import re
import weakref
from typing import Any, Self

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}\Z")
#: characters of base64 that are shown whole; more are left out where a person looks
MOST_SHOWN = 200
_KEPT = 24


class Encoded(str):
    """Base64, perhaps behind ``data:image/png;base64,``. It is a str whose repr is short.

    - `name`: what it is called where it is shown ("photo.jpg"); "" where nothing says it
    - `path`: the file that it was read from; `variable`: the notebook's name of the value
    - `mime`: str, "" where unknown; `n_bytes`: how many bytes are encoded

    msgspec encodes it only with an `enc_hook` (`nbchat.api.encoded.plain_text`).
    """

    __slots__ = ("__weakref__", "mime", "n_bytes", "name", "path", "variable")
    name: str
    path: str | None
    variable: str | None
    mime: str
    n_bytes: int

    def __new__(
        cls,
        text: str,
        *,
        name: str = "",
        path: str | None = None,
        variable: str | None = None,
        mime: str = "",
        n_bytes: int | None = None,
    ) -> Self:
        made = super().__new__(cls, text)
        made.name, made.path, made.variable, made.mime = name, path, variable, mime
        made.n_bytes = size_of(text) if n_bytes is None else n_bytes
        return made

    def __repr__(self) -> str:
        facts = ", ".join(part for part in (self.mime, size_text(self.n_bytes)) if part)
        return f"<base64 of {self.name}: {facts}>" if self.name else f"<base64: {facts}>"


_known: weakref.WeakValueDictionary[tuple[Any, ...], Encoded] = weakref.WeakValueDictionary()


def encoded(
    data: bytes,
    *,
    mime: str = "",
    is_uri: bool = False,
    name: str = "",
    path: str | None = None,
    variable: str | None = None,
) -> Encoded:
    """Encode bytes; with `is_uri` as a ``data:`` address of this MIME type.

    The same bytes give the same object for as long as somebody holds it, so that a cell
    which is run again, or a conversation of many turns, holds them once.
    """
    import hashlib

    key = (hashlib.sha256(data).digest(), mime, is_uri, name, path, variable)
    existing = _known.get(key)
    if existing is None:
        head = f"data:{mime};base64," if is_uri else ""
        text = f"{head}{base64.b64encode(data).decode()}"
        made = Encoded(text, name=name, path=path, variable=variable, mime=mime, n_bytes=len(data))
        existing = _known.setdefault(key, made)
    return existing


def decoded(text: str) -> bytes:
    """Give the bytes of base64 with or without ``data:…,``. Raise ValueError where it is none."""
    body = _body(text)
    return base64.b64decode(body.encode("ascii"), validate=True)


def mime_of(text: str) -> str:
    """Give the MIME type that a ``data:`` address names; "" where it names none."""
    return text[5:].partition(",")[0].partition(";")[0] if text.startswith("data:") else ""


def size_of(text: str) -> int:
    """Give how many bytes base64 stands for, without decoding it."""
    n_characters = len(text) - (text.find(",", 0, MOST_SHOWN) + 1)
    return n_characters * 3 // 4 - text[-2:].count("=")


def size_text(n_bytes: int) -> str:
    """Say a size in words: "812 bytes", "24 kB", "2.1 MB" (of 1024 each)."""
    if n_bytes < 1024:
        return f"{n_bytes} byte{'' if n_bytes == 1 else 's'}"
    if n_bytes < 1024 * 1000:
        return f"{n_bytes / 1024:.0f} kB"
    megabytes = n_bytes / 1024**2
    return f"{megabytes:.0f} MB" if megabytes == int(megabytes) else f"{megabytes:.1f} MB"


def shortened(value: Any) -> Any:
    """Copy a body for a person to look at: of long base64 the beginning, and how much is left out.

    Only what stands where the API has base64 is shortened: text stays whole.
    """
    if isinstance(value, dict):
        return {key: _shortened_at(key, entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [shortened(entry) for entry in value]
    return value


def _shortened_at(key: Any, entry: Any) -> Any:
    is_base64 = isinstance(entry, Encoded) or (
        isinstance(entry, str)
        and len(entry) > MOST_SHOWN
        and (entry.startswith("data:") or (key in ("data", "file_data") and is_base64_text(entry)))
    )
    if not is_base64 or len(entry) <= MOST_SHOWN:
        return shortened(entry)
    head = entry[: len(entry) - len(_body(entry)) + _KEPT]
    left_out = len(entry) - len(head)
    return f"{head}… [{left_out:,} characters of base64 are left out of this display]"


def is_base64_text(text: str) -> bool:
    """Tell whether a text is base64 and nothing else."""
    return _BASE64.match(text) is not None


def plain_text(value: Any) -> str:
    """Give an `Encoded` as a plain str: the `enc_hook` of msgspec for bodies that hold one."""
    if isinstance(value, Encoded):
        return str.__str__(value)
    raise TypeError(f"{type(value).__name__} has no plain form")


def _body(text: str) -> str:
    return text.partition(",")[2] if text.startswith("data:") else text
