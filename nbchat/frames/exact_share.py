"""How likely a value is among those that a schema allows, out of whole rows that are asked for.

`nbchat.frames.allowed_probability` says what it is, and gives an interval from the lists that came
with a reply. Here each token that leads on to several values, drawn or not, is followed: the row
behind it is asked for, the likeliest first, until the values part.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, Protocol

from nbchat.frames.allowed_probability import reached

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

#: an interval as narrow as this is a point: rows off the beaten path are worth no more
NARROW = 1e-4
_MOST_ROWS = 24
# what llama.cpp's grammar of a schema takes between the parts of an object
_BLANKS = re.compile(rb"(?: |\n{1,2}[ \t]{0,20})?")
_BLANK = b" \t\n\r"


class ListedToken(NamedTuple):
    """A token of a row: its number, its bytes and its probability."""

    id: int
    data: bytes
    prob: float


class WholeRows(Protocol):
    """Whole rows of the model that wrote a reply, asked for one by one.

    `end_tokens`: the ids of all tokens that end a generation; `note`: what is to be said of the
    rows, None where all is well.
    """

    @property
    def end_tokens(self) -> Collection[int]: ...
    @property
    def note(self) -> str | None: ...

    def row(self, position: int, path: tuple[int, ...]) -> Sequence[ListedToken]:
        """Give the row behind the reply's rows before a position, and then these ids."""


def exact_share(
    value: bytes,
    allowed: Sequence[bytes],
    row_after: Callable[[tuple[int, ...]], Sequence[ListedToken]],
    before: bytes,
    after: bytes,
) -> tuple[float, float]:
    """Give the interval of a value's probability among the values allowed, given what is before.

    - `value`, `allowed`: as `allowed_share` takes them, with what stands before them in the same
      token; the value is among the allowed
    - `row_after`: gives the whole row behind the tokens before, and then these
    - `before`: what of the values is written there already
    - `after`: the text that follows the value

    It is no point where it takes too many rows, or where it is not known whether a token that
    runs past a value's end is allowed.
    """
    root = _Place(row_after(()), before, allowed, value, after)
    n_rows = 1
    while n_rows < _MOST_ROWS:
        low, high = root.interval()
        likeliest = max(root.open(), key=lambda opened: opened[0], default=None)
        if high - low <= NARROW or likeliest is None:
            break
        _, path, branch = likeliest
        row = row_after(tuple(path))
        branch.place = _Place(row, branch.written, allowed, value, after)
        n_rows += 1
    return root.interval()


class _Branch:
    """A token that leads on to the value and to others; `is_sure`: it is certainly allowed."""

    def __init__(self, token: ListedToken, written: bytes, *, is_sure: bool):
        self.token = token
        self.written = written
        self.is_sure = is_sure
        self.place: _Place | None = None

    def interval(self) -> tuple[float, float]:
        return (0.0, 1.0) if self.place is None else self.place.interval()


class _Place:
    """What the tokens of one row lead to: sums of their probabilities, and those that branch."""

    def __init__(
        self,
        row: Sequence[ListedToken],
        before: bytes,
        allowed: Sequence[bytes],
        value: bytes,
        after: bytes,
    ):
        self.written = self.others = self.maybe_written = self.maybe_others = 0.0
        self.branches: list[_Branch] = []
        rests = [text[len(before) :] for text in allowed if text.startswith(before)]
        firsts = {rest[:1] for rest in rests}
        for token in row:
            # a value that is whole can be followed by what ends it
            if not token.data or (token.data[:1] not in firsts and b"" not in firsts):
                continue
            written = before + token.data
            certain, unsure = _reached(written, allowed, after)
            leads_to = {*certain, *unsure}
            if value in leads_to and len(leads_to) > 1:
                self.branches.append(_Branch(token, written, is_sure=bool(certain)))
            elif value in leads_to:
                self.written += token.prob if certain else 0.0
                self.maybe_written += 0.0 if certain else token.prob
            elif leads_to:
                self.others += token.prob if certain else 0.0
                self.maybe_others += 0.0 if certain else token.prob

    @property
    def mass(self) -> float:
        maybe = self.maybe_written + self.maybe_others
        return self.written + self.others + maybe + sum(b.token.prob for b in self.branches)

    def interval(self) -> tuple[float, float]:
        sure = [(b.token.prob, b.interval()) for b in self.branches if b.is_sure]
        unsure = [(b.token.prob, b.interval()) for b in self.branches if not b.is_sure]
        known = self.written + self.others + sum(prob for prob, _ in sure)
        maybe = sum(prob for prob, _ in unsure)
        least = self.written + sum(prob * low for prob, (low, _) in sure)
        most = self.written + sum(prob * high for prob, (_, high) in sure) + self.maybe_written
        most += sum(prob * high for prob, (_, high) in unsure)
        least_of, most_of = known + self.maybe_others + maybe, known + self.maybe_written + maybe
        return (
            least / least_of if least_of else 0.0,
            min(1.0, most / most_of) if most_of else 1.0,
        )

    def open(self, share: float = 1.0) -> Iterator[tuple[float, list[int], _Branch]]:
        """Give the branches that were not followed: their weight, and the ids that lead there."""
        for branch in self.branches:
            weight = share * branch.token.prob / self.mass if self.mass else 0.0
            if branch.place is None:
                yield weight, [branch.token.id], branch
            else:
                for inner, path, leaf in branch.place.open(weight):
                    yield inner, [branch.token.id, *path], leaf


def _reached(
    written: bytes, allowed: Sequence[bytes], after: bytes
) -> tuple[list[bytes], list[bytes]]:
    """Give the values that what is written leads to, and those that it leads to if it may."""
    certain, unsure = reached(written, allowed, after)
    known = [text for text in unsure if _goes_on_as(written[len(text) :], after)]
    return [*certain, *known], [text for text in unsure if text not in known]


def _goes_on_as(beyond: bytes, after: bytes) -> bool:
    """Tell whether a text begins another one, whatever blanks both have between their parts."""
    i = j = 0
    is_in_string = False
    while i < len(beyond):
        if not is_in_string and beyond[i] in _BLANK:
            stop = i
            while stop < len(beyond) and beyond[stop] in _BLANK:
                stop += 1
            if not _BLANKS.fullmatch(beyond, i, stop):
                return False
            i = stop
            continue
        while not is_in_string and j < len(after) and after[j] in _BLANK:
            j += 1
        if j >= len(after) or beyond[i] != after[j]:
            return False
        if beyond[i] == ord('"') and not _is_escaped(beyond, i):
            is_in_string = not is_in_string
        i, j = i + 1, j + 1
    return True


def _is_escaped(text: bytes, place: int) -> bool:
    n_before = len(text[:place]) - len(text[:place].rstrip(b"\\"))
    return n_before % 2 == 1
