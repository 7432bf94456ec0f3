"""Tokens and alternatives as columns of bytes, for a page that draws them.

A page in the browser reads such columns as typed arrays, as they are. A token is written once,
as an entry under its code in the vocabulary of this process, and the columns have the codes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nbchat.api.logprobs import VOCABULARY
from nbchat.frames.alternatives_lists import lists_of, with_unlisted
from nbchat.frames.page_columns import figures_of, flags_of, little_endian, types_of
from nbchat.frames.per_alternative import alternatives_at
from nbchat.frames.per_token import tokens_at
from nbchat.frames.token_arrays import CHANNELS, Positions, positions_of
from nbchat.frames.token_texts import Words, visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from nbchat.frames.source import RunLike

#: name and type of each column of the tokens
TOKEN_COLUMNS = little_endian(types_of("tokens"))
TOKEN_FLAGS = flags_of("tokens")
#: the same of the alternatives; "offsets" has one more than there are positions
ALTERNATIVE_COLUMNS = little_endian(types_of("alternatives"))
ALTERNATIVE_FLAGS = flags_of("alternatives")
_MISSING = {f.of: f.missing for f in figures_of("tokens") if f.missing is not None}
#: of a longer token only the beginning is written
MOST_CHARS = 400


class Stretch(NamedTuple):
    """Columns of some positions. `codes`: the codes that they use, each once."""

    columns: dict[str, bytes]
    codes: list[int]


class Table:
    """The tokens of one choice and channel as they stood when it was made.

    `frame` is its tokens frame, `columns` the same as arrays of the types declared above.
    `texts`: position -> the text of a token whose bytes are not whole characters.
    """

    def __init__(self, positions: Positions):
        owner = positions.owners[0]
        self.choice = owner.choice.index
        self.channel = CHANNELS[owner.channel]
        self.frame: pd.DataFrame = tokens_at(positions)
        self._positions = positions
        self.columns = self._as_arrays()
        partial = self.frame.loc[self.frame["is_partial_utf8"], "text"]
        self.texts = {int(at): str(text)[:8] for at, text in partial.items() if text}

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def n_alternatives(self) -> int:
        return len(self._positions.alternative_codes)

    def _as_arrays(self) -> dict[str, np.ndarray[Any, Any]]:
        frame = self.frame
        values: dict[str, Any] = {
            **{name: frame[name] for name in TOKEN_COLUMNS if name in frame},
            **{name: frame[name].fillna(number) for name, number in _MISSING.items()},
            "code": self._positions.codes,
            "flags": sum(frame[name].to_numpy("u1") * n for name, n in TOKEN_FLAGS.items()),
        }
        return {
            name: np.asarray(values[name]).astype(dtype) for name, dtype in TOKEN_COLUMNS.items()
        }

    def tokens(self, start: int = 0) -> Stretch:
        """Give the tokens from this position on."""
        columns = {name: values[start:].tobytes() for name, values in self.columns.items()}
        return Stretch(columns, np.unique(self.columns["code"][start:]).tolist())

    def first_change(self, before: Table) -> int:
        """Give the first position that is not as it was; the length where nothing changed."""
        n = min(len(self), len(before))
        changed = np.zeros(n, dtype=bool)
        for name, values in self.columns.items():
            old, new = before.columns[name][:n], values[:n]
            changed |= (old != new) & ~((old != old) & (new != new))
        for at in self.texts.items() ^ before.texts.items():
            changed[at[0] : at[0] + 1] = True
        places = np.flatnonzero(changed)
        return int(places[0]) if len(places) else n

    def alternatives(self, start: int, stop: int, most: int) -> Stretch:
        """Give the alternatives of the positions from start to stop, from likely to unlikely.

        Of more than `most` at a position the likeliest are given, and the sampled token.
        """
        positions = self._positions.stretch(start, stop)
        words = Words(positions.codes, positions.alternative_codes)
        lists = with_unlisted(lists_of(positions, words), positions, words)
        counts = np.diff(lists.offsets)
        place = np.arange(len(lists.places)) - np.repeat(lists.offsets[:-1], counts)
        kept = (place < most) | lists.is_sampled
        codes = words.codes[lists.places[kept]]
        columns = {
            "offsets": np.concatenate([[0], np.cumsum(kept)])[lists.offsets],
            "code": codes,
            "logprob": lists.logprobs[kept],
            "flags": sum(getattr(lists, name)[kept] * n for name, n in ALTERNATIVE_FLAGS.items()),
        }
        return Stretch(
            {
                name: columns[name].astype(dtype).tobytes()
                for name, dtype in ALTERNATIVE_COLUMNS.items()
            },
            np.unique(codes).tolist(),
        )

    def alternatives_frame(self, position: int) -> pd.DataFrame:
        """Give the alternatives frame of one position."""
        frame = alternatives_at(self._positions.stretch(position, position + 1))
        frame["position"] = np.full(len(frame), position, dtype=np.int32)
        return frame


def tables_of(run: RunLike) -> list[Table]:
    """Give a table for each choice and channel of a run that has tokens."""
    positions = positions_of([run])
    return [
        Table(positions.stretch(int(start), int(stop)))
        for start, stop in zip(positions.borders[:-1], positions.borders[1:], strict=True)
        if stop > start
    ]


def entries_of(codes: Iterable[int]) -> dict[str, list[Any]]:
    """Give the tokens under these codes, as lists that are plain JSON.

    `display` as in the frames, shortened; `chars`: how many characters there are; `bytes`:
    hexadecimal, shortened, null where the server sent none; `id`: a string (it can be larger
    than a number of JavaScript) or null; `breaks`: the line ends in it.
    """
    entries: dict[str, list[Any]] = {
        name: [] for name in ("code", "display", "chars", "bytes", "id", "breaks")
    }
    for code in codes:
        sent = VOCABULARY.bytes[code]
        data = sent or VOCABULARY.tokens[code].encode("utf-8", "replace")
        number = VOCABULARY.ids[code]
        text = data.decode("utf-8", "backslashreplace")
        entries["code"].append(code)
        entries["display"].append(visible(text[:MOST_CHARS]) or "∅")
        entries["chars"].append(len(text))
        entries["bytes"].append(None if sent is None else sent[:MOST_CHARS].hex(" "))
        entries["id"].append(None if number is None else str(number))
        entries["breaks"].append(text.count("\n"))
    return entries
