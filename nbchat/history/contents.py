"""What repeats in requests, each once: a message, its media, a schema, known by its SHA-256.

In what refers to it, an object with the one key ``$content`` stands in its place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

Kind = Literal["message", "data", "schema"]
KEY = "$content"
#: a schema of fewer characters stands where it is
_LEAST_SCHEMA = 200
#: and so does base64 of fewer
_LEAST_DATA = 1_000
_SCHEMAS = ("response_format", "tools", "functions")


class Contents:
    """What some runs refer to: `texts` has SHA-256 to kind and JSON."""

    def __init__(self) -> None:
        self.texts: dict[str, tuple[Kind, str]] = {}

    def of_message(self, message: Any) -> Any:
        """Give a reference to a message."""
        return self._reference("message", self._apart(message))

    def of_params(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give the params with references to the schemas in them that are long."""
        return {
            name: self.of_schema(value) if name in _SCHEMAS else escaped(value)
            for name, value in params.items()
        }

    def of_schema(self, schema: Any) -> Any:
        """Give a reference to a schema, or a short one itself."""
        return self._reference("schema", escaped(schema), _LEAST_SCHEMA)

    def _apart(self, value: Any) -> Any:
        """Copy a message with references to the base64 in it."""
        if isinstance(value, dict):
            return {_key(key): self._apart(entry) for key, entry in value.items()}
        if isinstance(value, list):
            return [self._apart(entry) for entry in value]
        if isinstance(value, str) and len(value) >= _LEAST_DATA and _is_base64(value):
            return self._reference("data", value)
        return value

    def _reference(self, kind: Kind, value: Any, least: int = 0) -> Any:
        text = msgspec.json.encode(value)
        if len(text) < least:
            return value
        sha256 = hashlib.sha256(text).hexdigest()
        self.texts[sha256] = (kind, text.decode())
        return {KEY: sha256}


def whole(value: Any, content: Callable[[str], Any]) -> Any:
    """Put what is referred to in its place again; `content` gives it by its SHA-256."""
    if isinstance(value, dict):
        if len(value) == 1 and isinstance(value.get(KEY), str):
            return whole(content(value[KEY]), content)
        return {_without_escape(key): whole(entry, content) for key, entry in value.items()}
    if isinstance(value, list):
        return [whole(entry, content) for entry in value]
    return value


def escaped(value: Any) -> Any:
    """Copy builtins so that no key of theirs is taken for a reference."""
    if isinstance(value, dict):
        return {_key(key): escaped(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [escaped(entry) for entry in value]
    return value


def _key(key: str) -> str:
    return f"${key}" if key.startswith("$") and key.endswith(KEY) else key


def _without_escape(key: str) -> str:
    return key[1:] if key.startswith("$$") and key.endswith(KEY) else key


def _is_base64(text: str) -> bool:
    from nbchat.api.encoded import is_base64_text

    return text.startswith("data:") or is_base64_text(text)
