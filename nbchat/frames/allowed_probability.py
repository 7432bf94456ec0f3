"""How likely a value is among those that a schema allows, where only they could be written.

Under a grammar llama.cpp draws from the allowed tokens alone, and reports what each token had
among all tokens. What it drew from follows: at each position the tokens that lead on to an
allowed value share the whole. A token decides for a value where it leads to that one alone.
"""

from __future__ import annotations

from itertools import takewhile
from math import isnan
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_BLANKS = b" \t\n\r"
_MAY_FOLLOW = (b"", b",", b"}", b"]")


class Row(NamedTuple):
    """One position: `token` stands there; `listed` has all tokens whose probability is known.

    `listed` has pairs of bytes and probability, the token that stands there among them;
    `unseen` is the probability of all others together at most, what rounding leaves included.
    """

    token: bytes
    prob: float
    listed: Iterable[tuple[bytes, float]]
    unseen: float


class _Masses(NamedTuple):
    """What the listed tokens of one position have, by what they lead to."""

    written: float
    others: float
    undecided: float
    maybe_written: float
    maybe_others: float
    maybe_undecided: float


def allowed_share(
    value: bytes, allowed: Sequence[bytes], rows: Iterable[Row], lead: bytes, after: bytes
) -> tuple[float, float] | None:
    """Give the interval of a value's probability among the values allowed, given what is before.

    - `value`, `allowed`: JSON as the grammar writes it, the value among the allowed
    - `rows`: the positions from the one that has the value's first byte on; read until one
      decides
    - `lead`: the bytes of the first position's token that stand before the value
    - `after`: the text that follows the value

    What all allowed values begin with, such as a quote, is taken as given. The probability is
    that of the value as text, however it is cut into tokens. It is an interval where tokens
    are unseen, where a token not drawn leads to this value and to others, or where it is not
    known whether a token that runs past a value's end is allowed. None where the value is not
    among those allowed, or the rows do not write it.
    """
    if value not in allowed:
        return None
    if len(allowed) == 1:
        return 1.0, 1.0
    n_common = len(lead) + n_shared(allowed)
    texts = [lead + text for text in allowed]
    whole = lead + value
    written = b""
    decided: list[tuple[Row, _Masses, bool]] = []
    for row in rows:
        before, written = written, written + row.token
        if len(written) <= n_common:
            continue
        certain, _ = reached(written, texts, after)
        if whole not in certain or isnan(row.prob):
            return None
        is_last = certain == [whole]
        decided.append((row, _masses(row, before, texts, whole, after), is_last))
        if is_last:
            break
    lower, upper = 0.0, 1.0
    for row, masses, is_last in reversed(decided):
        drawn = 0.0 if is_last else row.prob
        lower, upper = _share(masses, drawn, row.unseen, lower, upper)
    return lower, upper


def n_shared(texts: Sequence[bytes]) -> int:
    """Count the bytes that all begin with: those that the first and last in order share."""
    pairs = zip(min(texts), max(texts), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _share(
    masses: _Masses, drawn: float, unseen: float, lower: float, upper: float
) -> tuple[float, float]:
    """Give the share of the value at a position. `drawn`, undecided, has the interval after it."""
    known = masses.written + masses.others + masses.undecided
    least = masses.written + drawn * lower
    least_of = known + masses.maybe_others + masses.maybe_undecided + unseen
    more = masses.undecided - drawn + masses.maybe_written + masses.maybe_undecided + unseen
    most = masses.written + drawn * upper + more
    most_of = known + masses.maybe_written + masses.maybe_undecided + unseen
    return least / least_of, min(1.0, most / most_of)


def _masses(
    row: Row, before: bytes, texts: Sequence[bytes], written: bytes, after: bytes
) -> _Masses:
    sums = dict.fromkeys(_Masses._fields, 0.0)
    for token, prob in row.listed:
        if not token:
            continue  # a control token, which a grammar lets through at its end only
        certain, unsure = reached(before + token, texts, after)
        leads_to = {*certain, *unsure}
        if not leads_to:
            continue
        name = (
            "written" if leads_to == {written} else "undecided" if written in leads_to else "others"
        )
        sums[name if certain else f"maybe_{name}"] += prob
    return _Masses(**sums)


def reached(
    written: bytes, texts: Sequence[bytes], after: bytes
) -> tuple[list[bytes], list[bytes]]:
    """Give the values that what is written leads to, and those that it leads to if it may."""
    certain, unsure = [], []
    for text in texts:
        if text.startswith(written):
            certain.append(text)
        elif written.startswith(text):
            beyond = written[len(text) :]
            if after.startswith(beyond):
                certain.append(text)
            elif beyond.lstrip(_BLANKS)[:1] in _MAY_FOLLOW:
                unsure.append(text)
    return certain, unsure
