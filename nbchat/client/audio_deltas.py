"""The sound of a streamed reply, put together from its pieces."""

from __future__ import annotations

import base64
import re
from typing import Any

from nbchat.api.encoded import Encoded

_STRAY = re.compile(r"[^A-Za-z0-9+/=]+")
_SEGMENTS = re.compile(r"[^=]+=*|=+")
_QUANTUM = 4  # characters of base64, which are 3 bytes


class FoldedSound:
    """The `audio` of a message while it comes: constant work for each character.

    Servers cut the base64 anywhere, inside a quantum or a sample too, or encode each piece for
    itself, padded: joining the texts would then be wrong, so the bytes are joined.
    """

    def __init__(self) -> None:
        self._facts: dict[str, Any] = {}
        self._transcript: list[str] = []
        self._has_data = False
        self._carry = ""
        self._rest = bytearray()
        self._texts: list[str] = []

    def add(self, piece: dict[str, Any]) -> None:
        """Take what one chunk brings."""
        for name, value in piece.items():
            if name == "transcript":
                if isinstance(value, str):
                    self._transcript.append(value)
            elif name == "data":
                if isinstance(value, str):
                    self._add_data(value)
            elif value is not None:
                self._facts[name] = value

    def whole(self) -> dict[str, Any]:
        """Give the audio object as far as it has come, in the shape of the API."""
        whole = dict(self._facts)
        if self._transcript:
            whole["transcript"] = "".join(self._transcript)
        if self._has_data:
            whole["data"] = self._encoded()
        return whole

    def _add_data(self, text: str) -> None:
        self._has_data = True
        text = text.replace("-", "+").replace("_", "/")
        text = self._carry + _STRAY.sub("", text)
        self._carry = ""
        for segment in _SEGMENTS.findall(text):
            body = segment.rstrip("=")
            is_padded = len(body) < len(segment)
            end = len(body) if is_padded else len(body) // _QUANTUM * _QUANTUM
            self._rest += _bytes_of(body[:end])
            self._carry = body[end:]
        self._encode()

    def _encode(self) -> None:
        """Encode what has come, but for one or two bytes that the next ones belong to."""
        end = len(self._rest) // 3 * 3
        if end:
            self._texts.append(base64.b64encode(self._rest[:end]).decode())
            del self._rest[:end]

    def _encoded(self) -> Encoded:
        last = base64.b64encode(bytes(self._rest) + _bytes_of(self._carry)).decode()
        return Encoded("".join([*self._texts, last]))


def _bytes_of(body: str) -> bytes:
    """Decode base64 without its padding; a single character at the end is no byte yet."""
    if len(body) % _QUANTUM == 1:
        body = body[:-1]
    return base64.b64decode(body + "=" * (-len(body) % _QUANTUM))
