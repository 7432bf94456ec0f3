"""Values of a notebook as bytes: paths, bytes, pictures and figures.

No library is imported to find out what a value is: pictures and figures are known by what
they can do.
"""

from __future__ import annotations

import base64
import io
import os
import stat
from pathlib import Path
from typing import Any

from msgspec import Struct

from nbchat.api.encoded import decoded, mime_of, size_text
from nbchat.api.explain import Offence, error_of
from nbchat.errors import CheckError
from nbchat.media import formats
from nbchat.media.limits import LIMITS, Kind
from nbchat.regular_file import first_bytes

_VALUES: dict[Kind, str] = {
    "images": "a path, a URL, bytes, a PIL image or a matplotlib figure",
    "audio_in": "a path, bytes or run.audio",
    "files": "a path, bytes or the id of an uploaded file (file-…)",
}
_DRAWN = ("_repr_png_", "_repr_jpeg_")


class Source(Struct, frozen=True):
    """The bytes of an attachment, their MIME type, and where they come from."""

    data: bytes
    mime: str
    name: str = ""
    path: str | None = None


def read(value: Any, kind: Kind, where: str, name: str = "") -> Source:
    """Give the bytes of a value, checked: known by their format, and not too large.

    `where` names the argument in errors (``images[0]``), `name` the value.
    """
    if isinstance(value, str) and value.startswith("data:"):
        return _checked(_decoded(value, where), kind, where, name or _name(kind))
    if isinstance(value, (str, os.PathLike)):
        return _from_path(_expanded(os.fspath(value)), kind, where)
    data = _bytes_of(value, kind, where)
    if data is None:
        raise refusal(where, f"is a {type(value).__name__}", _must_be(kind))
    return _checked(data, kind, where, name or _name(kind))


def _expanded(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:  # nobody of that name has a folder here
        return Path(path)


def refusal(where: str, fact: str, rule: str) -> CheckError:
    """Give the error for an attachment; the value itself, which may be large, stays out of it."""
    rule_text = f"{rule}."
    return error_of(
        Offence(path=where, value=None, rule=rule, sentence=f"{where} {fact}: {rule_text}")
    )


def _must_be(kind: Kind) -> str:
    return f"it must be {_VALUES[kind]}"


def _name(kind: Kind) -> str:
    return LIMITS[kind].noun


def _decoded(address: str, where: str) -> bytes:
    is_base64 = address.partition(",")[0].endswith(";base64")
    try:
        if is_base64:
            return decoded(address)
    except ValueError:
        pass
    mime = mime_of(address) or "no type"
    raise refusal(where, f"is a data: address of {mime}", "what follows ;base64, must be base64")


def _from_path(path: Path, kind: Kind, where: str) -> Source:
    try:
        # the size first: a file too large is not read at all, nor is a device without an end
        _check_size(_size_of(path, where), kind, where, path.name)
        data = first_bytes(path, LIMITS[kind].most_bytes + 1)
    except CheckError:
        raise
    except FileNotFoundError:
        raise refusal(where, f"names {path}", "there is no such file") from None
    except IsADirectoryError:
        raise refusal(where, f"names {path}", "that is a folder") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise refusal(where, f"names {path}", f"it cannot be read ({reason})") from None
    return _checked(data, kind, where, path.name, str(path))


def _size_of(path: Path, where: str) -> int:
    about = path.stat()
    if not (stat.S_ISREG(about.st_mode) or stat.S_ISDIR(about.st_mode)):
        raise refusal(where, f"names {path}", "that is a device or a pipe, and no file")
    return about.st_size


def _checked(data: bytes, kind: Kind, where: str, name: str, path: str | None = None) -> Source:
    limit = LIMITS[kind]
    if not data:
        raise refusal(where, f"({name}) is empty", f"there is no {limit.noun} in it")
    _check_size(len(data), kind, where, name)
    mime = formats.mime_of(data)
    if mime not in limit.takes:
        fact = f"({name}) is {mime}" if mime else f"({name}) is in no format that is known here"
        raise refusal(
            where, fact, f"an attached {limit.noun} must be {limit.formats}{_hint(mime, kind)}"
        )
    return Source(data, mime, name, path)


def _hint(mime: str, kind: Kind) -> str:
    for other, limit in LIMITS.items():
        if other != kind and mime in limit.takes:
            return f"; {other} takes it"
    is_readable = kind == "files" and mime.startswith("text/")
    return "; text goes into the prompt" if is_readable else ""


def _check_size(n_bytes: int, kind: Kind, where: str, name: str) -> None:
    limit = LIMITS[kind]
    if n_bytes > limit.most_bytes:
        most = f"an attached {limit.noun} may have {size_text(limit.most_bytes)} at most"
        raise refusal(where, f"({name}) has {size_text(n_bytes)}", f"{most} (nbchat.media.LIMITS)")


def _bytes_of(value: Any, kind: Kind, where: str) -> bytes | None:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, io.BytesIO):
        return value.getvalue()
    try:
        return _drawn(value) if kind == "images" else _sounding(value)
    except Exception as error:
        # whatever the object of some library raises
        fact = f"is a {type(value).__name__} that gives no {LIMITS[kind].noun}"
        raise refusal(where, fact, f"{type(error).__name__}: {error}".rstrip(".")) from error


def _drawn(value: Any) -> bytes | None:
    """Give the picture that a value shows in a notebook, or saves as a figure does."""
    for method in _DRAWN:
        draw = getattr(value, method, None)
        shown = draw() if callable(draw) and not isinstance(value, type) else None
        picture = shown[0] if isinstance(shown, tuple) else shown
        if isinstance(picture, bytes):
            return picture
        if isinstance(picture, str):  # IPython.display.Image gives base64
            return base64.b64decode(picture)
    # an Axes knows its figure
    for figure in (value, getattr(value, "figure", None)):
        save = getattr(figure, "savefig", None)
        if callable(save) and not isinstance(figure, type):
            buffer = io.BytesIO()
            save(buffer, format="png", bbox_inches="tight")
            return buffer.getvalue()
    return None


def _sounding(value: Any) -> bytes | None:
    """Give the sound of a reply's `Audio` or of IPython's."""
    for attribute in ("wav", "data"):
        data = getattr(value, attribute, None)
        if isinstance(data, bytes):
            return data
    return None
