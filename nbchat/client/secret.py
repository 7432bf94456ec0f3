"""Keys, and whatever holds one: they show nowhere."""

from __future__ import annotations

import weakref
from typing import Any

from nbchat.errors import ProfileError
from nbchat.redact import HIDDEN

#: all keys that are in use: none of them is taken from a magic's line
_secrets: weakref.WeakValueDictionary[int, Secret] = weakref.WeakValueDictionary()


class Secret:
    """A key that shows in no repr, no string, no format and no pickle. `reveal()` gives it."""

    __slots__ = ("__weakref__", "_value")

    def __init__(self, value: str):
        self._value = value
        _secrets[id(self)] = self

    def reveal(self) -> str:
        """Give the key itself. For a request's header, and nothing else."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({HIDDEN})"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("A key is not pickled: each process reads it from its own environment.")


def keys_in_use() -> set[str]:
    """Give all keys that this process has made a `Secret` of. For comparing alone."""
    return {secret.reveal() for secret in list(_secrets.values())}


class HeaderText(str):
    """The value of a header that holds a key: it is sent as it is, and shows in no repr."""

    __slots__ = ()

    def __repr__(self) -> str:
        return HIDDEN


def checked_key(value: str, source: str) -> str:
    """Give the key back. Raise `ProfileError` where it has characters that no key can have."""
    # a stray line end or quote would be refused by the HTTP library in words that show the key
    if not value.isascii() or not value.isprintable():
        raise ProfileError(f"{source} holds characters that no key can have. Was it cut?")
    return value
