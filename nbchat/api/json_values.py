"""Values as JSON would have them: numpy's scalars unwrapped, texts of flags read."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from numbers import Integral
from typing import TYPE_CHECKING, Any

import msgspec

from nbchat.api.encoded import Encoded, plain_text
from nbchat.errors import CheckError

if TYPE_CHECKING:
    from nbchat.api.fields import Field

#: levels of lists and objects in a request; what walks them further in has to end, too
MOST_LEVELS = 200
_LONGEST_SHOWN = 80
_ESCAPES = {r"\n": "\n", r"\r": "\r", r"\t": "\t"}


class NotJsonError(CheckError):
    """A value that no JSON text can carry; `path` says where it stands."""

    def __init__(self, path: str, value: object, rule: str):
        sentence = f"{path or 'it'} is {value!r:.60}, but it must be {rule}."
        super().__init__(sentence, field=path, value=value, rule=rule)
        self.path = path


def plain(value: Any, path: str) -> Any:
    """Copy a value into dicts, lists, strings, numbers, booleans and None.

    numpy scalars and arrays become Python's, tuples lists, mappings dicts in their order.
    Raises NotJsonError for NaN, an infinity, what holds itself or is nested more than
    `MOST_LEVELS` deep, and all that JSON does not know.
    """
    try:
        return _plain(value, path, MOST_LEVELS)
    except RecursionError:
        rule = f"a value that does not hold itself and is not nested over {MOST_LEVELS} levels deep"
        raise NotJsonError(path, f"a {type(value).__name__}", rule) from None


def _plain(value: Any, path: str, levels: int) -> Any:
    kind = type(value)
    if value is None or kind is bool or kind is int or kind is Encoded:
        return value
    if isinstance(value, str):
        return _text(value, path)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise NotJsonError(path, float(value), "a finite number")
        return float(value)
    if isinstance(value, int):
        return int(value)
    if levels == 0:
        raise RecursionError
    if isinstance(value, Mapping):
        return {
            _key(key, path): _plain(entry, f"{path}.{key}" if path else str(key), levels - 1)
            for key, entry in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_plain(entry, f"{path}[{place}]", levels - 1) for place, entry in enumerate(value)]
    if isinstance(value, msgspec.Struct):
        return _plain(_built(value, path), path, levels - 1)
    if kind.__module__.partition(".")[0] == "numpy":
        unwrapped = value.tolist()
        if type(unwrapped) is not kind:  # numpy.datetime64 and longdouble can unwrap to themselves
            return _plain(unwrapped, path, levels - 1)
    raise NotJsonError(path, value, "a value that JSON can carry")


def _built(value: msgspec.Struct, path: str) -> Any:
    try:
        return msgspec.to_builtins(value, enc_hook=plain_text)
    except (TypeError, ValueError, OverflowError):
        raise NotJsonError(path, value, "a value that JSON can carry") from None


def _text(value: str, path: str) -> str:
    text = value if type(value) is str else str.__str__(value)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            rule = "text without lone surrogates, which no UTF-8 can carry"
            raise NotJsonError(path, text, rule) from None
    return text


def _key(key: Any, path: str) -> str | int:
    if isinstance(key, str):
        return _text(key, path)
    unwrapped = plain(key, path)
    if type(unwrapped) is not int:
        raise NotJsonError(path, key, "a mapping whose keys are strings")
    return unwrapped


def read_flag(text: str, field: Field) -> Any:
    """Read what stands behind a flag as the field's type; give the text back where it is none.

    ``null`` is None where the field may be null. Structured fields are read as JSON, maps
    as ``key=value`` too, lists of names as ``a,b``. A bare `stop` is one string, in which
    ``\\n``, ``\\r`` and ``\\t`` are read as escapes.
    """
    if text == "null" and field.nullable:
        return None
    match field.kind:
        case "boolean":
            return {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), text)
        case "integer" | "number":
            return _number(text)
        case "list":
            names = text.split(",")
            is_names = bool(field.choices) and not text.startswith("[")
            return [name.strip() for name in names] if is_names else _json(text, text)
        case "mapping":
            return _pairs([text]) if "=" in text and text[:1] != "{" else _json(text, text)
        case "object":
            return _json(text, text)
        case "any":
            if text.startswith(("[", "{", '"')):
                return _json(text, text)
            return text if field.choices else _unescape(text)
        case _:
            return text


def read_flags(texts: list[str], field: Field) -> Any:
    """Read a flag that was repeated: pairs of a map, texts of `stop`, names of a list."""
    if field.kind == "mapping" and all("=" in text for text in texts):
        return _pairs(texts)
    return [_unescape(text) for text in texts] if field.kind == "any" else texts


def _number(text: str) -> int | float | str:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number.is_integer() else number


def _json(text: str, otherwise: Any) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return otherwise


def _pairs(texts: list[str]) -> dict[str, Any]:
    pairs = (text.partition("=") for text in texts)
    return {key.strip(): value for key, _, value in pairs}


def _unescape(text: str) -> str:
    return re.sub(r"\\[nrt]", lambda match: _ESCAPES[match[0]], text)


def is_whole_number(value: object) -> bool:
    """Tell whether a value is a whole number, Python's or numpy's; a boolean is none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def prediction_of(text: str) -> dict[str, str]:
    """Give a predicted text as the `prediction` of a request."""
    return {"type": "content", "content": text}


def shown(value: object) -> str:
    """Give a value as a sentence shows it: as JSON where it can be, shortened where long."""
    try:
        text = msgspec.json.encode(plain(value, ""), enc_hook=plain_text).decode()
    except (NotJsonError, RecursionError, OverflowError):
        text = _repr(value)
    if len(text) <= _LONGEST_SHOWN:
        return text
    return f"{text[:50]}…{text[-10:]} ({len(text):,} characters)"


def _repr(value: object) -> str:
    try:
        return repr(value)
    # nested without end, or a class whose own words fail
    except Exception:  # noqa: BLE001
        return f"a {type(value).__name__}"
