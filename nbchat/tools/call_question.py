"""A call as a question shows it, so that nothing of what would run is hidden."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from nbchat.tools.result_text import encodable

#: characters of a call that a question shows as it is; of more, the ends of its values
MOST_SHOWN = 1_000
_MOST_SHORTENED = 4_000
_END = 30
_MOST_ENTRIES = 12
# nothing to see in them, though Python counts them as printable: fillers, selectors, blanks
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_MANY_BLANKS = re.compile(" {17,}")


class CallQuestion(msgspec.Struct, frozen=True):
    """What is asked before a call runs.

    `text` has every name and the end of every value; `whole` is all of it. Both are one line of
    escaped JSON behind the function's name.
    """

    text: str
    whole: str

    @property
    def is_whole(self) -> bool:
        """Whether the text shows all that would run; where not, a yes to it is none."""
        return self.text == self.whole


def call_question(name: str, arguments: str) -> CallQuestion:
    """Give the question whether a function may be called with this text as its arguments.

    The text is read as the call reads it, so that blanks between values and names that come
    twice hide nothing. What nobody can see (controls, marks that turn the direction of the
    writing, exotic blanks, long runs of usual ones) is escaped.
    """
    value = _read(arguments)
    whole = _call(name, value)
    if len(whole) <= MOST_SHOWN:
        return CallQuestion(whole, whole)
    text = _call(name, _shortened(value))
    if len(text) > _MOST_SHORTENED:
        half = _MOST_SHORTENED // 2
        text = f"{text[:half]} … {text[-half:]}"
    return CallQuestion(f"{text} ({len(whole):,} characters in all)", whole)


def escaped(text: str) -> str:
    """Write what is not to be seen in a text as JSON escapes it: ``\\u202e``."""
    if not text.isprintable() or not text.isascii():
        text = "".join(c if c.isprintable() else _escape(c) for c in text)
        text = _INVISIBLE.sub(lambda match: _escape(match[0]), text)
    return _MANY_BLANKS.sub(lambda match: "\\u0020" * len(match[0]), text)


def _escape(character: str) -> str:
    return json.dumps(character)[1:-1] if character != "\x7f" else "\\u007f"


class _Unread(str):
    """Arguments that are no JSON, or a text that is not read as such."""

    __slots__ = ()


def _read(arguments: str) -> Any:
    text = encodable(arguments)
    if not text.strip():
        return None
    try:
        value = msgspec.json.decode(text)
        json.dumps(value)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return _Unread(text)
    return value


def _call(name: str, value: Any) -> str:
    shown = "" if value is None else escaped(json.dumps(value, ensure_ascii=False))
    return f"{escaped(name)}({shown})"


def _shortened(value: Any) -> Any:
    """Give a value with its long texts and lists cut in the middle; all names stay."""
    if isinstance(value, str):
        left_out = len(value) - 2 * _END
        if left_out <= _END:
            return value
        return f"{value[:_END]} … {left_out:,} more characters … {value[-_END:]}"
    if isinstance(value, dict):
        return {_shortened(name): _shortened(entry) for name, entry in value.items()}
    if not isinstance(value, list):
        return value
    entries = [*map(_shortened, value)]
    if len(entries) <= _MOST_ENTRIES:
        return entries
    half = _MOST_ENTRIES // 2
    return [*entries[:half], f"… {len(entries) - 2 * half:,} more …", *entries[-half:]]
