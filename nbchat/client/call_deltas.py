"""Tool calls of a reply, put together from their pieces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from nbchat.api.deviations import tidy_call

_GROWING = ("arguments", "input")


class FoldedCalls:
    """Tool calls from their pieces: by index and id, else by where a name begins a new one.

    Servers repeat an index, or an id, for calls that are different ones, and change the id of one
    call on its way. What tells them apart is the name: it comes with the first piece of a call.
    """

    def __init__(self) -> None:
        #: the calls in the order in which they began, and the place of each among the others
        self._calls: list[dict[str, Any]] = []
        self._places: list[int] = []
        self._by_index: dict[int, int] = {}
        self._by_id: dict[str, int] = {}
        self._next_place = 0
        self._last: int | None = None

    def add(self, pieces: Sequence[dict[str, Any]]) -> None:
        """Take what one chunk brings."""
        begun: set[int] = set()
        for position, piece in enumerate(map(tidy_call, pieces)):
            key = self._key(piece, position if len(pieces) > 1 else self._last, begun)
            begun.add(key)
            self._last = key
            _add(self._calls[key], piece)

    def calls(self) -> list[dict[str, Any]]:
        """Give the calls as far as they have come, in the shape of the API."""
        order = sorted(range(len(self._calls)), key=lambda key: (self._places[key], key))
        return [_whole_call(self._calls[key]) for key in order]

    def _key(self, piece: dict[str, Any], otherwise: int | None, begun: set[int]) -> int:
        index, call_id = piece.get("index"), piece.get("id") or None
        known = self._known(index, call_id, otherwise)
        if known is None or (_name_of(piece) and self._begins_another(known, piece, begun)):
            known = self._new(index)
        if index is not None:
            self._by_index[index] = known
        if call_id is not None:
            self._by_id[call_id] = known
        return known

    def _known(self, index: int | None, call_id: str | None, otherwise: int | None) -> int | None:
        by_id = None if call_id is None else self._by_id.get(call_id)
        if index is not None:
            has_both = by_id is not None and self._places[by_id] == index
            return by_id if has_both else self._by_index.get(index)
        if call_id is not None:
            return by_id
        return otherwise if otherwise is not None and otherwise < len(self._calls) else None

    def _begins_another(self, known: int, piece: dict[str, Any], begun: set[int]) -> bool:
        """Tell whether a piece with a name is of another call than the one it seems to be of."""
        call, name, call_id = self._calls[known], _name_of(piece), piece.get("id")
        named = _name_of(call)
        if not named:
            return False
        if known in begun:  # in one chunk a call has its name once
            return True
        if call_id and call.get("id") and call_id != call["id"]:
            return name != named or not _arguments(call) or _is_complete(call)
        if not call_id and piece.get("index") is None:
            return True
        # the head of a call may come with each of its pieces, but not after its end
        return bool(_arguments(piece).strip()) and _is_complete(call)

    def _new(self, index: int | None) -> int:
        place = self._next_place if index is None else index
        self._next_place = max(self._next_place, place + 1)
        self._calls.append({})
        self._places.append(place)
        return len(self._calls) - 1


def _add(call: dict[str, Any], piece: dict[str, Any]) -> None:
    for name, value in piece.items():
        if name in ("function", "custom"):
            # Snowflake sends an empty `custom` beside `function`
            if value and isinstance(value, dict):
                call[name] = joined(call.get(name, {}), value)
        elif name != "index" and not call.get(name):
            call[name] = value


def _name_of(piece: dict[str, Any]) -> str:
    body = piece.get("function") or piece.get("custom")
    return (isinstance(body, dict) and body.get("name")) or ""


def _arguments(call: dict[str, Any]) -> str:
    body = call.get("function") or call.get("custom")
    if not isinstance(body, dict):
        return ""
    return "".join(next((body[name] for name in _GROWING if body.get(name)), ()))


def _is_complete(call: dict[str, Any]) -> bool:
    arguments = _arguments(call)
    if not arguments.rstrip().endswith("}"):
        return False
    try:
        msgspec.json.decode(arguments)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    return True


def _whole_call(call: dict[str, Any]) -> dict[str, Any]:
    kind = "custom" if "custom" in call and "function" not in call else "function"
    whole = {"id": call.get("id") or "", "type": call.get("type") or kind}
    rest = {name: value for name, value in call.items() if name not in ("id", "type", kind)}
    body = whole_body(call.get(kind, {}))
    if kind == "function":
        body.setdefault("arguments", "")
    return {**whole, kind: body, **{n: v for n, v in rest.items() if v not in (None, {})}}


def whole_body(body: dict[str, Any]) -> dict[str, Any]:
    """Give the body of a call with the pieces of its arguments joined."""
    return {n: "".join(v) if isinstance(v, list) and n in _GROWING else v for n, v in body.items()}


def joined(body: dict[str, Any], piece: dict[str, Any]) -> dict[str, Any]:
    """Add a piece of a call: `arguments` and `input` grow, the rest is taken once."""
    for name, value in piece.items():
        if name in _GROWING:
            body.setdefault(name, []).append(value)
        elif not body.get(name):
            body[name] = value
    return body
