"""Token tables as columns in JSON: each distinct token once, and numbers that name it."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from math import isfinite, isnan, nan
from typing import Any

import msgspec

from nbchat.api.logprobs import VOCABULARY, ChoiceLogprobs, TokenTable, as_number, jsonable
from nbchat.errors import UnreadableRunError

CHANNELS = ("content", "refusal")


class _Columns(msgspec.Struct, omit_defaults=True):
    """A table. `codes` and `alternatives` are places in `tokens`; `bytes` has those that differ."""

    tokens: list[str]
    codes: list[int]
    logprobs: list[Any]
    counts: list[int] = []
    alternatives: list[int] = []
    alternative_logprobs: list[Any] = []
    bytes: dict[str, list[int] | None] = {}
    ids: list[int | None] = []
    arrivals: list[Any] = []


def columns_of(logprobs: ChoiceLogprobs | None) -> dict[str, Any] | None:
    """Give the tables of a choice as builtins that JSON takes; None where there are none."""
    if logprobs is None:
        return None
    tables = {name: getattr(logprobs, name) for name in CHANNELS}
    return {name: None if table is None else _columns(table) for name, table in tables.items()}


def logprobs_of(stored: Mapping[str, Any] | None) -> ChoiceLogprobs | None:
    """Give the tables of a choice again. Raise UnreadableRunError for other data."""
    if stored is None:
        return None
    try:
        tables = [
            None if stored.get(name) is None else _table(msgspec.convert(stored[name], _Columns))
            for name in CHANNELS
        ]
    except (msgspec.ValidationError, LookupError, TypeError, ValueError) as error:
        raise UnreadableRunError(f"These token probabilities are damaged: {error}.") from None
    return ChoiceLogprobs(*tables)


def _columns(table: TokenTable) -> _Columns:
    n = len(table.offsets) - 1  # what is written last, where it still grows
    listed = table.alternative_codes[: table.offsets[n]]
    places: dict[int, int] = {}
    seen = [places.setdefault(code, len(places)) for code in table.codes[:n] + listed]
    ids = [VOCABULARY.ids[code] for code in places]
    offsets = table.offsets
    arrivals = table.arrivals[:n]
    return _Columns(
        tokens=[_legible(VOCABULARY.tokens[code]) for code in places],
        codes=seen[:n],
        logprobs=_numbers(table.logprobs[:n]),
        counts=[offsets[i + 1] - offsets[i] for i in range(n)] if listed else [],
        alternatives=seen[n:],
        alternative_logprobs=_numbers(table.alternative_logprobs[: offsets[n]]),
        bytes={
            str(place): None if (data := VOCABULARY.bytes[code]) is None else list(data)
            for code, place in places.items()
            if VOCABULARY.bytes[code] != _utf8(VOCABULARY.tokens[code])
        },
        ids=ids if any(number is not None for number in ids) else [],
        arrivals=[] if all(map(isnan, arrivals)) else _numbers(arrivals),
    )


def _table(columns: _Columns) -> TokenTable:
    known = []
    for place, token in enumerate(columns.tokens):
        data = columns.bytes.get(str(place), list(token.encode()))
        known.append(VOCABULARY.code(token, data, columns.ids[place] if columns.ids else None))
    table = TokenTable()
    n = len(columns.codes)
    table.codes = array("i", [known[code] for code in columns.codes])
    table.logprobs = array("d", map(as_number, columns.logprobs))
    table.arrivals = array("d", map(as_number, columns.arrivals or [nan] * n))
    table.alternative_codes = array("i", [known[code] for code in columns.alternatives])
    table.alternative_logprobs = array("d", map(as_number, columns.alternative_logprobs))
    offsets = array("q", (0,))
    for count in columns.counts or [0] * n:
        offsets.append(offsets[-1] + count)
    table.offsets = offsets
    lengths = {len(table.codes), len(table.logprobs), len(table.arrivals), len(offsets) - 1}
    n_listed = {len(table.alternative_codes), len(table.alternative_logprobs), offsets[-1]}
    if len(lengths) != 1 or len(n_listed) != 1:
        raise ValueError("columns of different length")
    return table


def _numbers(values: array[float]) -> list[Any]:
    numbers = values.tolist()
    return numbers if all(map(isfinite, numbers)) else list(jsonable(numbers))


def _utf8(token: str) -> bytes | None:
    try:
        return token.encode()
    except UnicodeEncodeError:
        return None


def _legible(token: str) -> str:
    return token if _utf8(token) is not None else token.encode("utf-8", "replace").decode()
