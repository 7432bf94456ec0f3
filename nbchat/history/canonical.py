"""What counts as the same request: what is asked, and of whom."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from nbchat.api.check import is_credential
from nbchat.api.encoded import plain_text

#: fields that say how the answer comes, and not what it is
_LEFT_OUT = {"stream", "stream_options"}


def canonical(body: Mapping[str, Any], server: str) -> bytes:
    """Give a request's body as JSON that equal requests share.

    Without `stream` and its options, and without anything that could be a key; whole numbers
    as integers, fields in the order of their names. Inside of a field the order stays: that of
    a schema's properties is the order in which a model writes them. `server` is what
    `server_name` gives.
    """
    fields = {
        name: _plain(value)
        for name, value in sorted(body.items())
        if name not in _LEFT_OUT and not is_credential(name)
    }
    return msgspec.json.encode({"server": server, "body": fields}, enc_hook=plain_text)


def request_sha256(body: Mapping[str, Any], server: str) -> str:
    """Give the SHA-256 of a canonical request, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical(body, server)).hexdigest()


@functools.lru_cache(maxsize=256)
def server_name(base_url: str, *, engine: str = "", weights_sha256: str = "") -> str:
    """Name a server by its address, without a user, a query or a slash at its end.

    The embedded one, whose port changes, by its engine and its weights.
    """
    if engine or weights_sha256:
        return f"embedded {engine} {weights_sha256}"
    parts = urlsplit(base_url)
    host = parts.netloc.rpartition("@")[2].lower()
    return f"{parts.scheme.lower()}://{host}{parts.path.rstrip('/')}"


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, dict):
        return {key: entry if type(entry) is str else _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return str.__str__(value) if isinstance(value, str) else value
