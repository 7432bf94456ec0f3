"""Token tables as compressed columns, exactly as they came.

100 tokens with 20 alternatives each take about 13 kB, where their JSON takes 188 kB. A column
is compressed by what is known of it: codes by the order in which tokens first appear, log
probabilities as the steps between their bit patterns, since most servers send single
precision and lists fall slowly.
"""

from __future__ import annotations

import bz2
import lzma
import sys
from array import array
from itertools import pairwise
from math import isfinite
from typing import Any, Literal

import msgspec

from nbchat.api.logprobs import VOCABULARY, TokenTable
from nbchat.errors import UnreadableRunError

_NOT_LISTED = -1
_NO_ID = -(2**63)
_MOST_BYTES = 1 << 31


class _Columns(msgspec.Struct, array_like=True):
    """What is written. Arrays are little-endian and compressed; `layout` says how to read them."""

    layout: int
    n: int
    n_alternatives: int
    tokens: bytes
    token_bytes: dict[int, bytes | None]
    ids: bytes
    codes: bytes
    counts: bytes
    ranks: bytes
    logprobs_as: Literal["single", "text", "double"]
    logprobs: bytes
    arrivals: bytes


_decode = msgspec.msgpack.Decoder(_Columns)


def packed(table: TokenTable) -> bytes:
    """Give a table as bytes."""
    n = len(table.offsets) - 1  # what is written last, where it still grows
    n_alternatives = table.offsets[n]
    codes = table.codes[:n] + table.alternative_codes[:n_alternatives]
    places: dict[int, int] = {}
    seen = array("I", [places.setdefault(code, len(places)) for code in codes])
    numbers = [VOCABULARY.ids[code] for code in places]
    ranks, values = _ranked(table, n)
    kind, logprobs = _packed_logprobs(values)
    return msgspec.msgpack.encode(
        _Columns(
            layout=1,
            n=n,
            n_alternatives=n_alternatives,
            tokens=_squeezed(msgspec.json.encode([VOCABULARY.tokens[code] for code in places])),
            token_bytes=_unusual_bytes(list(places)),
            ids=_packed_ids(numbers),
            codes=_packed_array(_first_seen(seen)),
            counts=_packed_array(
                array("I", [table.offsets[i + 1] - table.offsets[i] for i in range(n)])
            ),
            ranks=_packed_array(ranks),
            logprobs_as=kind,
            logprobs=logprobs,
            arrivals=_packed_array(table.arrivals[:n]),
        )
    )


def unpacked(data: bytes) -> TokenTable:
    """Give the table again. Raise `UnreadableRunError` for bytes that are none of `packed`."""
    try:
        return _unpacked(_decode.decode(data))
    except (msgspec.MsgspecError, ValueError, LookupError, OverflowError, EOFError, OSError,
            lzma.LZMAError):  # fmt: skip
        raise UnreadableRunError("These token probabilities are damaged.") from None


def _unpacked(columns: _Columns) -> TokenTable:
    if columns.layout != 1:
        raise ValueError("of a later layout")
    n, n_listed = columns.n, columns.n_alternatives
    tokens = msgspec.json.decode(_opened(columns.tokens), type=list[str])
    ids: list[int | None] = [None] * len(tokens)
    if columns.ids:
        numbers = _opened_array("q", columns.ids, len(tokens))
        ids = [None if number == _NO_ID else number for number in numbers]
    known = [
        VOCABULARY.code(token, _bytes_of(place, token, columns.token_bytes), ids[place])
        for place, token in enumerate(tokens)
    ]
    seen = _places(_opened_array("I", columns.codes, n + n_listed))
    codes = array("i", [known[place] for place in seen])
    ranks = _opened_array("i", columns.ranks, n)
    n_values = n_listed + ranks.count(_NOT_LISTED)
    values = _opened_logprobs(columns.logprobs_as, columns.logprobs, n_values)
    table = TokenTable()
    table.codes, table.alternative_codes = codes[:n], codes[n:]
    offsets = [0]
    for count in _opened_array("I", columns.counts, n):
        offsets.append(offsets[-1] + count)
    table.offsets = array("q", offsets)
    table.alternative_logprobs = values[:n_listed]
    rest = iter(values[n_listed:])
    table.logprobs = array(
        "d",
        [
            next(rest) if rank == _NOT_LISTED else values[start + rank]
            for rank, start in zip(ranks, offsets, strict=False)
        ],
    )
    table.arrivals = _opened_array("d", columns.arrivals, n)
    return table


def _ranked(table: TokenTable, n: int) -> tuple[array[int], array[float]]:
    """Give where in its list each token's own log probability stands, and all that are left."""
    listed = table.alternative_logprobs[: table.offsets[n]]
    ranks, rest = array("i"), array("d")
    for i in range(n):
        start, stop = table.offsets[i], table.offsets[i + 1]
        sampled = table.logprobs[i]
        try:
            rank = listed.index(sampled, start, stop) - start
        except ValueError:
            rank = _NOT_LISTED
        if rank != _NOT_LISTED and str(listed[start + rank]) != str(sampled):  # 0.0 and -0.0
            rank = _NOT_LISTED
        ranks.append(rank)
        if rank == _NOT_LISTED:
            rest.append(sampled)
    return ranks, listed + rest


def _packed_logprobs(
    values: array[float],
) -> tuple[Literal["single", "text", "double"], bytes]:
    try:
        singles = array("f", values)
    except OverflowError:
        singles = array("f")
    if singles.tobytes() and array("d", singles).tobytes() == values.tobytes():
        bits = array("I", singles.tobytes())
        steps = [(b - a) & 0xFFFFFFFF for a, b in pairwise(bits)]
        return "single", _packed_array(array("I", [bits[0], *steps]))
    if all(map(isfinite, values)):
        # single precision that was written with a few decimals: digits say it in less
        return "text", bz2.compress(msgspec.json.encode(values.tolist()))
    return "double", _packed_array(values)


def _opened_logprobs(kind: str, data: bytes, n: int) -> array[float]:
    if kind == "double":
        return _opened_array("d", data, n)
    if kind == "text":
        text = bz2.BZ2Decompressor().decompress(data, 32 * n + 32)
        logprobs = array("d", msgspec.json.decode(text, type=list[float]))
        if len(logprobs) != n:
            raise ValueError("of another length")
        return logprobs
    bits, at = array("I"), 0
    for step in _opened_array("I", data, n):
        at = (at + step) & 0xFFFFFFFF
        bits.append(at)
    return array("d", array("f", bits.tobytes()))


def _first_seen(places: array[int]) -> array[int]:
    """Give 0 for a place that is the next new one, else 1 + the place."""
    entries, n_seen = array("I"), 0
    for place in places:
        is_new = place == n_seen
        entries.append(0 if is_new else place + 1)
        n_seen += is_new
    return entries


def _places(first_seen: array[int]) -> list[int]:
    places, n_seen = [], 0
    for entry in first_seen:
        places.append(n_seen if entry == 0 else entry - 1)
        n_seen += entry == 0
    return places


def _packed_ids(numbers: list[int | None]) -> bytes:
    if numbers.count(None) == len(numbers):
        return b""
    return _packed_array(array("q", [_NO_ID if n is None else n for n in numbers]))


def _unusual_bytes(codes: list[int]) -> dict[int, bytes | None]:
    """Give the bytes of those tokens whose bytes are not their text in UTF-8."""
    return {
        place: VOCABULARY.bytes[code]
        for place, code in enumerate(codes)
        if VOCABULARY.bytes[code] != VOCABULARY.tokens[code].encode()
    }


def _bytes_of(place: int, token: str, unusual: dict[int, bytes | None]) -> list[int] | None:
    data = unusual.get(place, token.encode())
    return None if data is None else list(data)


def _packed_array(values: array[Any]) -> bytes:
    """Compress an array, with the first bytes of all its items first, then the second ones."""
    if sys.byteorder == "big":
        values = values[:]
        values.byteswap()
    data, width = values.tobytes(), values.itemsize
    return _squeezed(b"".join(data[k::width] for k in range(width)))


def _opened_array(kind: str, data: bytes, n: int) -> array[Any]:
    values: array[Any] = array(kind)
    planes, width = _opened(data), values.itemsize
    if len(planes) != n * width:
        raise ValueError("of another length")
    together = bytearray(len(planes))
    for k in range(width):
        together[k::width] = planes[k * n : (k + 1) * n]
    values.frombytes(bytes(together))
    if sys.byteorder == "big":
        values.byteswap()
    return values


def _filters(n_bytes: int) -> list[dict[str, Any]]:
    # a dictionary as large as the data is the most that helps, and takes memory
    size = max(4096, min(n_bytes, 1 << 22))
    return [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": size, "pb": 0, "lp": 0}]


def _squeezed(data: bytes) -> bytes:
    n_bytes = len(data).to_bytes(8, "little")
    return n_bytes + lzma.compress(data, lzma.FORMAT_RAW, filters=_filters(len(data)))


def _opened(data: bytes) -> bytes:
    n_bytes = int.from_bytes(data[:8], "little")
    if n_bytes > _MOST_BYTES:
        raise ValueError("larger than any table")
    opener = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_filters(n_bytes))
    # no more than was announced: data from elsewhere may grow without end
    opened = opener.decompress(data[8:], n_bytes)
    if len(opened) != n_bytes:
        raise ValueError("of another length")
    return opened
