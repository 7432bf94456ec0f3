"""Where the values of a JSON text stand, byte by byte: an exact scanner that gives spans.

A text that was cut off is no error: the values that are whole are given. Source of the grammar:
RFC 8259.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from nbchat.errors import NoObjectError

_BLANKS = b" \t\n\r"
# the quantifiers are possessive, so that a long string is read once
_CHARS = rb'(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+'
_NUMBER = rb"-?+(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][-+]?+[0-9]++)?+"
_TOKEN = re.compile(
    rb"[ \t\n\r]*+(?:"
    rb"(?P<mark>[{}\[\],:])"
    rb'|(?P<string>"' + _CHARS + rb'")'
    rb"|(?P<number>" + _NUMBER + rb"(?![.eE0-9]))"
    rb"|(?P<word>true|false|null)"
    # the beginning of one of these, up to the end of the text
    rb'|(?P<cut>(?:"' + _CHARS + rb"(?:\\(?:u[0-9a-fA-F]{0,3})?)?"
    rb"|-|-?(?:0|[1-9][0-9]*)(?:\.|(?:\.[0-9]+)?[eE][-+]?)"
    rb"|t|tr|tru|f|fa|fal|fals|n|nu|nul)?)\Z"
    rb")"
)
_FENCE = re.compile(rb"[ \t\n\r]*```(?:json)?[ \t]*\r?\n")
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_WORDS = {b"true": "boolean", b"false": "boolean", b"null": "null"}

# what the scanner stands before
_VALUE, _ITEM, _KEY, _NEXT_KEY = "a value", "a value or ]", "a key or }", "a key"
_COLON, _NEXT, _END = "a colon", "a comma or the end", "the end"
_MOST_LEVELS = 500


class Span(NamedTuple):
    """One whole value of a JSON text: the bytes from `start` to `end` are its JSON.

    - `path`: as ``a.b[0].c``, "" for the whole; a key that is no plain name is quoted,
      ``["a b"]``; the second of two equal keys is ``a#2``
    - `key`: its key; None in a list and for the whole
    - `steps`: the keys and places (from 0) that lead to it
    - `type`: string, number, boolean, null, object or array
    - `value`: as text; of a string without quotes and escapes
    """

    path: str
    key: str | None
    steps: tuple[str | int, ...]
    type: str
    value: str
    start: int
    end: int


def spans_of(data: bytes, *, is_cut: bool = False) -> list[Span]:
    """Give the whole values of a JSON text in UTF-8, in the order in which they begin.

    A text in a fence of Markdown (```` ```json ````) is read inside of it. `is_cut` says that
    the text was cut off: then a number at its end may have gone on, and is not whole.

    Raise NoObjectError, with the place, where the text is not the beginning of JSON, or has
    more than 500 levels.
    """
    fence = _FENCE.match(data)
    scanner = _Scanner(data)
    at = fence.end() if fence else 0
    while scanner.state != _END:
        match = _TOKEN.match(data, at)
        kind = match.lastgroup if match else None
        if match is None or kind is None:
            raise _wrong(data, at, scanner.state)
        start, at = match.span(kind)
        may_go_on = kind == "number" and at == len(data) and (is_cut or scanner.is_inside)
        if kind == "cut" or may_go_on:
            break
        scanner.take(kind, start, at)
    rest = data[at:].strip(_BLANKS)
    if scanner.state == _END and rest and not (fence and b"```".startswith(rest)):
        raise _wrong(data, at, _END)
    return sorted(scanner.spans, key=lambda span: (span.start, -span.end))


class _Where(NamedTuple):
    path: str
    key: str | None
    steps: tuple[str | int, ...]


class _Open:
    """An object or a list that is not closed yet."""

    def __init__(self, where: _Where, start: int, *, is_object: bool):
        self.where = where
        self.start = start
        self.is_object = is_object
        self._count = 0
        self._key = ""
        self._counts: dict[str, int] = {}

    def take_key(self, key: str) -> None:
        self._key = key
        self._counts[key] = self._counts.get(key, 0) + 1

    def inside(self) -> _Where:
        """Say where the value is that comes now."""
        path, _, steps = self.where
        if not self.is_object:
            self._count += 1
            place = self._count - 1
            return _Where(f"{path}[{place}]", None, (*steps, place))
        count = self._counts[self._key]
        again = f"#{count}" if count > 1 else ""
        if _PLAIN_KEY.fullmatch(self._key):
            step = f"{'.' if path else ''}{self._key}{again}"
        else:
            step = f"[{json.dumps(self._key, ensure_ascii=False)}{again}]"
        return _Where(path + step, self._key, (*steps, self._key))


class _Scanner:
    """A JSON text on its way: what is open, what is whole, what must come next."""

    def __init__(self, data: bytes):
        self.spans: list[Span] = []
        self.state = _VALUE
        self._data = data
        self._stack: list[_Open] = []

    @property
    def is_inside(self) -> bool:
        return bool(self._stack)

    def take(self, kind: str, start: int, end: int) -> None:
        """Take one token. Raise NoObjectError where it cannot stand here."""
        state, token = self.state, self._data[start:end]
        top = self._stack[-1] if self._stack else None
        if state in (_VALUE, _ITEM) and (kind != "mark" or token in b"{["):
            self._begin(kind, token, start)
        elif top is None:
            raise _wrong(self._data, start, state)
        elif state in (_KEY, _NEXT_KEY) and kind == "string":
            top.take_key(_decoded(token))
            self.state = _COLON
        elif state == _COLON and token == b":":
            self.state = _VALUE
        elif state == _NEXT and token == b",":
            self.state = _NEXT_KEY if top.is_object else _VALUE
        elif state in (_NEXT, _KEY, _ITEM) and token == (b"}" if top.is_object else b"]"):
            self._stack.pop()
            self._whole(top.where, "object" if top.is_object else "array", top.start, end)
        else:
            raise _wrong(self._data, start, state)

    def _begin(self, kind: str, token: bytes, start: int) -> None:
        where = self._stack[-1].inside() if self._stack else _Where("", None, ())
        if kind != "mark":
            self._whole(where, _WORDS.get(token, kind), start, start + len(token))
            return
        if len(self._stack) == _MOST_LEVELS:
            raise NoObjectError(f"The reply is JSON of more than {_MOST_LEVELS} levels.")
        is_object = token == b"{"
        self._stack.append(_Open(where, start, is_object=is_object))
        self.state = _KEY if is_object else _ITEM

    def _whole(self, where: _Where, kind: str, start: int, end: int) -> None:
        token = self._data[start:end]
        text = _decoded(token) if kind == "string" else token.decode("utf-8", "replace")
        self.spans.append(Span(*where, kind, text, start, end))
        self.state = _NEXT if self._stack else _END


def _decoded(token: bytes) -> str:
    """Give the text of a JSON string; as it is written where half a surrogate pair is in it."""
    written = token.decode("utf-8", "replace")
    text: str = json.loads(written)
    return text if text.isascii() or not _SURROGATE.search(text) else written[1:-1]


def _wrong(data: bytes, at: int, state: str) -> NoObjectError:
    at += len(data[at:]) - len(data[at:].lstrip(_BLANKS))
    excerpt = data[at : at + 20].decode("utf-8", "replace")
    return NoObjectError(
        f"The reply is no JSON: byte {at} begins {excerpt!r}, where {state} should be."
    )
