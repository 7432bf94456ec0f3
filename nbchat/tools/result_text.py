"""What a function gave, as the text that the model gets."""

from __future__ import annotations

import dataclasses
import datetime as dt
import inspect
import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec

_WITH_LISTS = ("array", "numpy", "pandas", "polars", "torch")
_OF_PYTHON = ("builtins", "collections")
_NO_FORM: Any = object()
_BEYOND = (TypeError, ValueError, OverflowError, RecursionError)


class _OwnWordsError(Exception):
    """The result itself is an object that nothing but its str describes."""


def result_text(value: Any) -> str:
    """Give text as it is, all else as JSON; what JSON has no word for stands in it as its str.

    A result that is such an object is its str. Raise TypeError for what can be read only once,
    such as a generator.
    """
    if isinstance(value, str):
        return encodable(str.__str__(value))
    if inspect.isgenerator(value) or inspect.isasyncgen(value):
        raise TypeError("the function yields, and a tool must return its result, such as a list")
    if isinstance(value, Iterator) and type(value).__str__ is object.__str__:
        kind = type(value).__name__
        raise TypeError(f"the function returns a {kind}, and a tool must return a list of it")

    def plain(inner: Any) -> Any:
        form = _form(inner)
        if form is _NO_FORM and inner is value:
            raise _OwnWordsError
        return _words(inner) if form is _NO_FORM else form

    try:
        return msgspec.json.encode(value, enc_hook=plain).decode()
    except _OwnWordsError:
        return encodable(str(value))
    except _BEYOND:
        pass
    try:  # keys that JSON does not know, or halves of characters, somewhere in it
        return msgspec.json.encode(_mended(value), enc_hook=_inside).decode()
    except _BEYOND:  # it holds itself
        return encodable(str(value))


def encodable(text: str) -> str:
    """Replace lone surrogates, which no request can carry."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _form(value: Any) -> Any:
    """Give what msgspec does not know in builtins; `_NO_FORM` where it has no such form."""
    kind = type(value)
    library = kind.__module__.partition(".")[0]
    if hasattr(kind, "__pydantic_validator__") and hasattr(value, "model_dump"):
        return value.model_dump()
    for table in ("to_csv", "write_csv"):
        if library in ("pandas", "polars") and hasattr(value, table):
            return getattr(value, table)()
    if library in _WITH_LISTS and hasattr(value, "tolist"):
        plain = value.tolist()
        # numpy.datetime64 and longdouble can unwrap to themselves
        return _NO_FORM if type(plain) is kind else plain
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Collection) and kind.__module__ in _OF_PYTHON:
        return [*value]
    return _NO_FORM


def _inside(value: Any) -> Any:
    form = _form(value)
    return _words(value) if form is _NO_FORM else form


def _words(value: Any) -> str:
    if value is None or isinstance(value, bool):  # as a key
        return json.dumps(value)
    try:
        return encodable(str(value))
    except Exception:  # noqa: BLE001 - a __str__ of the user's that fails: the rest is there all the same
        return f"<{type(value).__name__}>"


def _mended(value: Any) -> Any:
    """Copy a value with keys that are texts, and texts that can be encoded."""
    if isinstance(value, str):
        return encodable(str.__str__(value))
    if isinstance(value, Mapping):
        return {_key(key): _mended(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_mended(entry) for entry in value]
    if isinstance(value, msgspec.Struct):
        return {name: _mended(getattr(value, name)) for name in value.__struct_fields__}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: _mended(getattr(value, field.name)) for field in fields}
    form = _form(value)
    return value if form is _NO_FORM else _mended(form)


def _key(key: Any) -> str:
    return encodable(str.__str__(key)) if isinstance(key, str) else _words(key)
