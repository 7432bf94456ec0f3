"""Where the tokens of a list of logprobs stand in the text that came.

Joined, the tokens are mostly the text. They are not where a stop string, reasoning or a fence
around the reply was cut off, a prefix of the request is repeated, blanks at the border were
trimmed, characters came as U+FFFD or rows are missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray

    Integers = NDArray[np.int64]


class Stretch(NamedTuple):
    """Bytes of the joined tokens, from `start` to `end`, that stand `shift` later in the text."""

    start: int
    end: int
    shift: int


def stretches(joined: bytes, text: bytes, prefix: bytes = b"") -> list[Stretch]:
    """Give what of the joined tokens is certain to stand in the text, and where.

    `prefix` is the beginning of the reply that the request gave. What could stand in two
    places, as in ``aa`` where one ``a`` is missing, is in no stretch.
    """
    if not joined or not text:
        return []
    if joined == text:
        return [Stretch(0, len(joined), 0)]
    if prefix and text.startswith(prefix):
        rest = text[len(prefix) :]
        if rest.startswith(joined) or joined.startswith(rest):
            parts = [Stretch(0, min(len(joined), len(rest)), len(prefix))]
            return parts if rest else []
    at = joined.find(text)
    if at >= 0 and joined.find(text, at + 1) < 0:  # something around it was cut off
        return [Stretch(at, at + len(text), -at)]
    shorter = min(len(joined), len(text))
    alike = _common(joined, text)
    alike_at_end = _common(joined[::-1], text[::-1])
    unsure = max(0, alike + alike_at_end - shorter)
    shift = len(text) - len(joined)
    parts = [
        Stretch(0, alike - unsure, 0),
        Stretch(len(joined) - alike_at_end + unsure, len(joined), shift),
    ]
    return [stretch for stretch in parts if stretch.start < stretch.end]


def token_places(
    starts: Integers, ends: Integers, joined: bytes, text: bytes, prefix: bytes = b""
) -> tuple[Integers, Integers, NDArray[np.bool_]]:
    """Give where each token begins and ends in the text, and whether that is certain.

    `starts` and `ends` are its bytes in the joined tokens. A token at either end of the text
    may stand out of it.
    """
    shift = np.zeros(len(starts), dtype=np.int64)
    is_placed = np.zeros(len(starts), dtype=bool)
    for stretch in stretches(joined, text, prefix):
        first = np.maximum(starts, -stretch.shift)
        last = np.minimum(ends, len(text) - stretch.shift)
        inside = (first >= stretch.start) & (last <= stretch.end) & (first <= last) & ~is_placed
        shift[inside] = stretch.shift
        is_placed |= inside
    return starts + shift, ends + shift, is_placed


def reply_prefix(messages: Sequence[Mapping[str, Any]]) -> str:
    """Give the beginning of the reply that a request ends with; "" where it has none."""
    last = messages[-1] if messages else {}
    content = last.get("content")
    return content if last.get("role") == "assistant" and isinstance(content, str) else ""


def _common(one: bytes, other: bytes) -> int:
    """Count the bytes that two texts have in common at their beginning."""
    size = min(len(one), len(other))
    a, b = (np.frombuffer(data, dtype=np.uint8, count=size) for data in (one, other))
    differ = np.flatnonzero(a != b)
    return int(differ[0]) if len(differ) else size
