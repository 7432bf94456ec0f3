"""Keys stay out of what is written: those that are known here, and whatever looks like one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Any

from nbchat.api.encoded import Encoded
from nbchat.redact import HIDDEN, redact_keys

_NAMED_LIKE_KEYS = re.compile(r"(?:_|^)(?:API_?KEY|TOKEN|SECRET|PASSWORD)$")
#: what is shorter stands in ordinary text by chance
_SHORTEST = 8


class _Used:
    keys: frozenset[str] = frozenset()


def keep_out(secrets: Iterable[str]) -> None:
    """Let these appear in nothing that is written from now on."""
    _Used.keys |= {secret for secret in secrets if len(secret) >= _SHORTEST}


def known_secrets() -> list[str]:
    """Give the keys that were used, and what the environment has under the name of one."""
    return [*_Used.keys, *_of_the_environment()]


def _of_the_environment() -> list[str]:
    return [
        value
        for name, value in os.environ.items()
        if len(value) >= _SHORTEST and _NAMED_LIKE_KEYS.search(name.upper())
    ]


class Redaction:
    """Take keys out of builtins. `secrets` are keys that need not look like any."""

    def __init__(self, secrets: Iterable[str] = ()):
        self._secrets = sorted({s for s in secrets if len(s) >= _SHORTEST}, key=len, reverse=True)

    def text(self, text: str) -> str:
        """Give a text without keys, that UTF-8 can write."""
        if not text.isascii():
            text = text.encode("utf-8", "backslashreplace").decode()
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return redact_keys(text)

    def __call__(self, value: Any) -> Any:
        """Copy builtins without keys. Base64 stays as it is: what is in it is no text."""
        if isinstance(value, str):
            is_base64 = isinstance(value, Encoded) or value.startswith("data:")
            return value if is_base64 else self.text(value)
        if isinstance(value, dict):
            return {self.text(str(key)): self(entry) for key, entry in value.items()}
        if isinstance(value, list):
            return [self(entry) for entry in value]
        return value
