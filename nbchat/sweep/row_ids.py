"""By what a row is known: its request and the number of its sample, whatever else changes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from nbchat.history.canonical import canonical


def request_digest(body: Mapping[str, Any], server: str) -> bytes:
    """Give the SHA-256 of a canonical request, 32 bytes."""
    return hashlib.sha256(canonical(body, server)).digest()


def row_id(request: bytes, sample: int, twin: int = 0) -> str:
    """Give the id of a row, 32 hexadecimal digits.

    `sample` counts the repeats of a request from 0. `twin` counts cells of the plan whose
    requests are equal, from 0: items that only differ in what is not asked have answers of
    their own.
    """
    place = f"{sample}" if not twin else f"{sample}/{twin}"
    return hashlib.sha256(request + place.encode()).hexdigest()[:32]
