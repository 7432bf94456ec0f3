"""The distinct tokens of a frame: their bytes, their look, and which of them are the same."""

from __future__ import annotations

import re
import unicodedata
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from nbchat.api.logprobs import VOCABULARY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Codes = NDArray[np.int32]
    Bools = NDArray[np.bool_]

_MARKS = {" ": "␣", "\n": "⏎", "\t": "⇥", "\r": "␍"}
# they join and part the letters beside them, and mean nothing alone
_JOINERS = "\u200c\u200d"
_CONTROL = re.compile(
    r"<\|[^<>]*\|>|<｜[^<>]*｜>|</?s>"
    r"|<(?:eos|bos|pad|unk|end_of_turn|start_of_turn|end_of_text|end_of_sentence)>"
)
#: what servers send in the place of bytes that are no character
REPLACEMENT = "\ufffd".encode()


def is_control(token: str) -> bool:
    """Tell whether a token is written as control tokens are (``<|im_end|>``, ``</s>``)."""
    return _CONTROL.fullmatch(token) is not None


def visible(text: str) -> str:
    """Give a text with its blanks, line ends and invisible characters made visible."""
    if text.isprintable():
        return text.replace(" ", "␣")
    last = len(text) - 1
    return "".join(
        char if char in _JOINERS and 0 < i < last else _visible_char(char)
        for i, char in enumerate(text)
    )


def _visible_char(char: str) -> str:
    if char in _MARKS:
        return _MARKS[char]
    if char.isprintable() or _is_newer(char):
        return char
    number = ord(char)
    if number < 0x80:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def _is_newer(char: str) -> bool:
    """Tell whether it is an emoji of a Unicode newer than this Python's, which pages can draw."""
    return "\U0001f300" <= char <= "\U0001faff" and unicodedata.category(char) == "Cn"


class SentBytes(bytes):
    """The bytes of a token, which a CSV has in hexadecimal."""

    def __str__(self) -> str:
        return self.hex()


class Words:
    """The tokens of some of the vocabulary's codes, each under its place here.

    `tokens`, `sent` (bytes as sent, or None), `ids` and `data` are parallel. `data` are
    the bytes to go by: those sent, else those of the token's text. `codes` are those of the
    vocabulary.
    """

    def __init__(self, *codes: Codes):
        seen = np.zeros(len(VOCABULARY), dtype=bool)
        for some in codes:
            seen[some] = True
        used = np.flatnonzero(seen)
        self._place = np.zeros(len(seen), dtype=np.int32)
        self._place[used] = np.arange(len(used), dtype=np.int32)
        self.codes = used.astype(np.int32)
        numbers = used.tolist()
        self.tokens = [VOCABULARY.tokens[n] for n in numbers]
        self.sent = [VOCABULARY.bytes[n] for n in numbers]
        self.ids = [VOCABULARY.ids[n] for n in numbers]
        self.data = [
            sent or token.encode("utf-8", "replace")
            for sent, token in zip(self.sent, self.tokens, strict=True)
        ]

    def places(self, codes: Codes) -> Codes:
        """Give the place of each of the vocabulary's codes."""
        return self._place[codes]

    @cached_property
    def identities(self) -> Codes:
        """Tokens with one number here are one token: by id where there is one, else by bytes."""
        numbers: dict[int | bytes, int] = {}
        return np.array(
            [
                numbers.setdefault(data if number is None else number, len(numbers))
                for number, data in zip(self.ids, self.data, strict=True)
            ],
            dtype=np.int32,
        )

    @cached_property
    def are_telling(self) -> Bools:
        """Whether equal bytes mean equal tokens.

        Some servers derive bytes from decoded text, and then every half of a character
        reads U+FFFD (or nothing).
        """
        return np.array(
            [
                number is not None or (data != b"" and REPLACEMENT not in data)
                for number, data in zip(self.ids, self.data, strict=True)
            ],
            dtype=bool,
        )

    @cached_property
    def texts(self) -> list[str | None]:
        """The text of each token; None where its bytes are not whole characters."""
        return [_decoded(data) for data in self.data]

    @cached_property
    def displays(self) -> list[str]:
        return [visible(data.decode("utf-8", "backslashreplace")) or "∅" for data in self.data]

    @cached_property
    def look_special(self) -> Bools:
        """Whether a token is written as control tokens are."""
        return np.array([is_control(token) for token in self.tokens], bool)

    def token_ids(self, places: Codes) -> pd.arrays.IntegerArray:
        """Give the tokenizer's numbers as Int64."""
        missing = np.array([number is None for number in self.ids], dtype=bool)
        numbers = np.array([number or 0 for number in self.ids], dtype=np.int64)
        return pd.arrays.IntegerArray(numbers[places], missing[places])


def _decoded(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _is_utf8(text: str) -> bool:
    """Tell whether there is no half of a surrogate pair in it: Arrow's strings hold none."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def categorical(values: Sequence[Any], places: NDArray[np.integer]) -> pd.Categorical[Any]:
    """Give ``values[places]`` as a categorical that has only the categories used.

    `values` are strings or bytes and may repeat; None is missing.
    """
    is_used = np.bincount(places, minlength=len(values)).astype(bool).tolist()
    codes: dict[Any, int] = {}
    code_at = [
        codes.setdefault(value, len(codes)) if used and value is not None else -1
        for value, used in zip(values, is_used, strict=True)
    ]
    narrow = np.min_scalar_type(-max(len(codes), 1))
    is_text = not any(isinstance(value, bytes) or not _is_utf8(value) for value in codes)
    shown = [SentBytes(value) if isinstance(value, bytes) else value for value in codes]
    categories = pd.Index(shown, dtype="string" if is_text else object)
    return pd.Categorical.from_codes(
        np.array(code_at, dtype=narrow)[places],
        dtype=pd.CategoricalDtype(categories),
        validate=False,
    )
