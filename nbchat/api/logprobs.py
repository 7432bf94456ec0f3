"""Token log probabilities, kept as columns.

A reply with 20 alternatives for each of 100,000 tokens has two million rows. They are kept
as numbers in arrays, and each distinct token once, in `VOCABULARY`; nothing is a Python
object for each row. `TokenTable` still reads like the list that the API sends.
"""

from __future__ import annotations

import os
import threading
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import inf, isfinite, isnan, nan
from typing import Any, overload

import msgspec


class Alternative(msgspec.Struct, frozen=True, gc=False):
    """One of the tokens that could have stood at a position, as the server sent it.

    `logprob` is in nats and may be a sentinel (-9999.0, -3.4e38); `bytes` are the token's
    UTF-8 bytes or None where the server sent none; `id` is its number in the tokenizer,
    which only some servers send.
    """

    token: str
    logprob: float
    bytes: tuple[int, ...] | None = None
    id: int | None = None


class TokenLogprob(msgspec.Struct, frozen=True, gc=False):
    """One position of a choice's logprobs: the token that stands there, and its alternatives."""

    token: str
    logprob: float
    bytes: tuple[int, ...] | None = None
    id: int | None = None
    top_logprobs: tuple[Alternative, ...] = ()


_NO_BYTES = msgspec.Raw(b"null")


class WireAlternative(msgspec.Struct, gc=False):
    """An alternative as it is decoded: its bytes stay JSON, since a known token needs no more."""

    token: str
    logprob: float
    bytes: msgspec.Raw = _NO_BYTES
    id: int | None = None


class WireToken(WireAlternative, gc=False):
    """A position as it is decoded."""

    top_logprobs: list[WireAlternative] = []


class Vocabulary:
    """Every distinct token seen by this process, each under a small number (its code).

    Append-only, so that a code stays valid for as long as the process lives. `tokens`,
    `bytes` (None where the server sent none) and `ids` (None likewise) are parallel lists.
    """

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.bytes: list[bytes | None] = []
        self.ids: list[int | None] = []
        #: text to code, JSON of its bytes and id, as they were last: mostly the same again
        self.latest: dict[str, tuple[int, msgspec.Raw, int | None]] = {}
        self._codes: dict[tuple[str, int | None, bytes | None], int] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.tokens)

    def code(self, token: str, data: Sequence[int] | None = None, id: int | None = None) -> int:  # noqa: A002 - the servers' own name
        """Give the code of a token, which is new where its text, bytes or id are."""
        return self.code_of(WireAlternative(token, nan, _as_json(data), id))

    def code_of(self, entry: WireAlternative) -> int:
        """Give the code of a decoded entry."""
        number = entry.id if entry.id is not None and -(2**63) <= entry.id < 2**63 else None
        key = (entry.token, number, _as_bytes(entry.bytes))
        spelling = entry.bytes.copy()  # or it would keep the whole message alive
        with self._lock:
            code = self._codes.get(key)
            if code is None:
                code = len(self.tokens)
                self.tokens.append(entry.token)
                self.bytes.append(key[2])
                self.ids.append(number)
                self._codes[key] = code
            self.latest[entry.token] = (code, spelling, number)
        return code

    def unlock(self) -> None:
        """Take a new lock: in a forked process the old one may be held for ever."""
        self._lock = threading.Lock()


_decode_numbers = msgspec.json.Decoder(list[int] | None).decode


def _as_bytes(spelling: msgspec.Raw) -> bytes | None:
    try:
        numbers = _decode_numbers(spelling)
        return None if numbers is None else bytes(numbers)
    except (msgspec.DecodeError, ValueError):
        return None  # a server that sends numbers outside a byte has sent none to be trusted


def _as_json(numbers: object) -> msgspec.Raw:
    return (
        msgspec.Raw(msgspec.json.encode(numbers))
        if isinstance(numbers, (list, tuple))
        else _NO_BYTES
    )


_UNKNOWN = (-1, msgspec.Raw(b"no bytes are spelled like this"), None)
VOCABULARY = Vocabulary()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=VOCABULARY.unlock)


class TokenTable(Sequence[TokenLogprob]):
    """The positions of one list of logprobs (`content` or `refusal`) as columns.

    Attributes, all as the server sent them, doubles and sentinels included:

    - `codes`: array('i'), the code in `VOCABULARY` of the token at each position
    - `logprobs`: array('d'), nats
    - `arrivals`: array('d'), seconds from sending the request to the token's chunk; NaN
      where the answer was not streamed
    - `offsets`: array('q') of length len(self) + 1; the alternatives of position i are the
      rows offsets[i] to offsets[i + 1] of the two arrays below
    - `alternative_codes`: array('i')
    - `alternative_logprobs`: array('d'), nats
    """

    __slots__ = (
        "alternative_codes",
        "alternative_logprobs",
        "arrivals",
        "codes",
        "logprobs",
        "offsets",
    )

    def __init__(self) -> None:
        self.codes = array("i")
        self.logprobs = array("d")
        self.arrivals = array("d")
        self.offsets = array("q", (0,))
        self.alternative_codes = array("i")
        self.alternative_logprobs = array("d")

    @classmethod
    def build(cls, entries: Iterable[Any], arrival_s: float = nan) -> TokenTable:
        """Make a table of entries in the shape of the API: mappings or `TokenLogprob`."""
        table = cls()
        plain = (msgspec.to_builtins(e) if isinstance(e, TokenLogprob) else e for e in entries)
        table.extend([read_entry(entry) for entry in plain], arrival_s)
        return table

    def extend(self, entries: Iterable[WireToken], arrival_s: float = nan) -> None:
        """Append entries that came `arrival_s` seconds after the request was sent."""
        # a look-up for each alternative: the hottest loop of a stream with logprobs
        latest, code_of = VOCABULARY.latest.get, VOCABULARY.code_of
        codes, logprobs = self.alternative_codes, self.alternative_logprobs
        for entry in entries:
            code, spelling, number = latest(entry.token, _UNKNOWN)
            if entry.bytes != spelling or entry.id != number:
                code = code_of(entry)
            self.codes.append(code)
            self.logprobs.append(entry.logprob)
            self.arrivals.append(arrival_s)
            others = entry.top_logprobs
            # measured: one call for all of them costs less than one for each, and most servers
            # send no ids, which `is` tells sooner than `!=`
            listed: list[int] = []
            add_code = listed.append
            for other in others:
                code, spelling, number = latest(other.token, _UNKNOWN)
                if other.bytes != spelling or (other.id is not number and other.id != number):
                    code = code_of(other)
                add_code(code)
            codes.fromlist(listed)
            logprobs.fromlist([other.logprob for other in others])
            self.offsets.append(len(codes))

    def part(self, start: int, stop: int) -> TokenTable:
        """Give the positions from `start` to `stop` as a table of its own, without arrivals."""
        first, last = self.offsets[start], self.offsets[stop]
        table = TokenTable()
        table.codes = self.codes[start:stop]
        table.logprobs = self.logprobs[start:stop]
        table.arrivals = array("d", [nan]) * (stop - start)
        table.offsets = array("q", [offset - first for offset in self.offsets[start : stop + 1]])
        table.alternative_codes = self.alternative_codes[first:last]
        table.alternative_logprobs = self.alternative_logprobs[first:last]
        return table

    def followed_by(self, other: TokenTable) -> TokenTable:
        """Give a new table of this one's positions and then those of another."""
        table = TokenTable()
        for name in ("codes", "logprobs", "arrivals", "alternative_codes", "alternative_logprobs"):
            setattr(table, name, getattr(self, name) + getattr(other, name))
        start = self.offsets[-1]
        table.offsets = self.offsets + array("q", [start + o for o in other.offsets[1:]])
        return table

    def __len__(self) -> int:
        return len(self.codes)

    @overload
    def __getitem__(self, index: int) -> TokenLogprob: ...
    @overload
    def __getitem__(self, index: slice) -> list[TokenLogprob]: ...
    def __getitem__(self, index: int | slice) -> TokenLogprob | list[TokenLogprob]:
        if isinstance(index, slice):
            return [self._entry(i) for i in range(*index.indices(len(self)))]
        position = index + len(self) if index < 0 else index
        if not 0 <= position < len(self):
            raise IndexError(f"position {index} of {len(self)} tokens")
        return self._entry(position)

    def __iter__(self) -> Iterator[TokenLogprob]:
        return (self._entry(i) for i in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TokenTable):
            return NotImplemented
        return (
            self.codes == other.codes
            and self.logprobs == other.logprobs
            and self.offsets == other.offsets
            and self.alternative_codes == other.alternative_codes
            and self.alternative_logprobs == other.alternative_logprobs
        )

    __hash__ = None  # type: ignore[assignment] # it grows while the answer comes

    def __repr__(self) -> str:
        return f"TokenTable({len(self)} tokens, {len(self.alternative_codes)} alternatives)"

    def __reduce__(self) -> tuple[Any, ...]:
        # codes mean something only in this process
        return (_rebuild, (self.builtins(), self.arrivals))

    def builtins(self) -> list[dict[str, Any]]:
        """Give the entries in the shape of the API."""
        return [msgspec.to_builtins(entry) for entry in self]

    def _entry(self, i: int) -> TokenLogprob:
        token, data, number = _token(self.codes[i])
        rows = range(self.offsets[i], self.offsets[i + 1])
        return TokenLogprob(
            token,
            self.logprobs[i],
            data,
            number,
            tuple(self._alternative(row) for row in rows),
        )

    def _alternative(self, row: int) -> Alternative:
        token, data, number = _token(self.alternative_codes[row])
        return Alternative(token, self.alternative_logprobs[row], data, number)


def _token(code: int) -> tuple[str, tuple[int, ...] | None, int | None]:
    data = VOCABULARY.bytes[code]
    return (
        VOCABULARY.tokens[code],
        None if data is None else tuple(data),
        VOCABULARY.ids[code],
    )


def read_entry(entry: Mapping[str, Any]) -> WireToken:
    """Read one entry of a list of logprobs, whatever a server left out or sent as null.

    Tokens may be numbers, which are ids. The alternatives may be a mapping of tokens to nats, or
    pairs of both.
    """
    by_id = isinstance(entry.get("token"), int)
    others = _alternatives(entry.get("top_logprobs"), by_id=by_id)
    return WireToken(*_read_token(entry), [WireAlternative(*_read_token(o)) for o in others])


def _alternatives(others: Any, *, by_id: bool) -> list[Mapping[str, Any]]:
    if isinstance(others, Mapping):
        others = list(others.items())
    if not isinstance(others, (list, tuple)):
        return []
    pairs = (
        {"token": other[0], "logprob": other[1]}
        if isinstance(other, (list, tuple)) and len(other) == 2
        else other
        for other in others
    )
    return [
        {**pair, "token": int(pair["token"])} if by_id and _is_id(pair.get("token")) else pair
        for pair in pairs
        if isinstance(pair, Mapping)
    ]


def _is_id(token: Any) -> bool:
    # the keys of an object are texts, be they ids or not
    return isinstance(token, str) and token.isascii() and token.isdigit() and len(token) < 19


def _read_token(entry: Mapping[str, Any]) -> tuple[str, float, msgspec.Raw, int | None]:
    token, logprob, number = entry.get("token"), entry.get("logprob"), entry.get("id")
    if number is None and isinstance(token, int) and not isinstance(token, bool):
        number = token
    return (
        token if isinstance(token, str) else "",
        as_number(logprob),
        _as_json(entry.get("bytes")),
        number if isinstance(number, int) else None,
    )


#: how JSON is to have what it has no number for; NaN is null there
_INFINITIES = {"Infinity": inf, "-Infinity": -inf}


def as_number(value: Any) -> float:
    """Read a number of JSON; NaN where there is none."""
    if isinstance(value, str):
        return _INFINITIES.get(value, nan)
    try:
        return float(value) if isinstance(value, (int, float)) else nan
    except OverflowError:
        return nan


#: of what `jsonable` sees most
_AS_THEY_ARE = frozenset((str, int, bool, type(None)))


def jsonable(value: Any) -> Any:
    """Copy builtins with what JSON has no number for as `as_number` reads it back."""
    if type(value) in _AS_THEY_ARE:
        return value
    if isinstance(value, dict):
        return {
            key: entry if type(entry) in _AS_THEY_ARE else jsonable(entry)
            for key, entry in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [entry if type(entry) in _AS_THEY_ARE else jsonable(entry) for entry in value]
    if isinstance(value, float) and not isfinite(value):
        return None if isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return str.__str__(value) if isinstance(value, str) else value  # plain, whatever shows it


def _rebuild(entries: list[dict[str, Any]], arrivals: array[float]) -> TokenTable:
    table = TokenTable.build(entries)
    table.arrivals = arrivals
    return table


class ChoiceLogprobs:
    """The log probabilities of one choice: `content` and `refusal`, each a table or None."""

    __slots__ = ("content", "refusal")

    def __init__(self, content: TokenTable | None = None, refusal: TokenTable | None = None):
        self.content = content
        self.refusal = refusal

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ChoiceLogprobs):
            return NotImplemented
        return self.content == other.content and self.refusal == other.refusal

    __hash__ = None  # type: ignore[assignment] # it grows while the answer comes

    def __repr__(self) -> str:
        return f"ChoiceLogprobs(content={self.content!r}, refusal={self.refusal!r})"
