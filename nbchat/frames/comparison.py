"""The comparison frame: the tokens of two replies side by side."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, isnan, log, nan
from typing import TYPE_CHECKING, Any

import numpy as np

from nbchat.frames.alternatives_lists import lists_of, with_unlisted
from nbchat.frames.assembly import assemble_rows
from nbchat.frames.decoded_text import texts_of
from nbchat.frames.per_token import most_unseen
from nbchat.frames.token_alignment import paired
from nbchat.frames.token_arrays import positions_of
from nbchat.frames.token_texts import REPLACEMENT, Words, visible
from nbchat.measures import divergence_bounds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from nbchat.frames.alternatives_lists import Lists
    from nbchat.frames.source import RunLike
    from nbchat.frames.token_alignment import Pair
    from nbchat.frames.token_arrays import Positions

_BOUNDS = ("kl_lo", "jsd_lo", "tv_lo", "jsd_hi", "tv_hi")


def comparison(a: RunLike, b: RunLike, choice: int = 0) -> pd.DataFrame:
    """Give one row for each token that two replies share, and for each that one has alone.

    `a` and `b` are runs with log probabilities; of each the choice with this index is taken,
    its content, or its refusal where it has none. `nbchat.frames.columns` declares the
    columns. Texts are put side by side by the bytes of their tokens; where the two were cut at
    different places a row has several tokens, and the surprisal is their sum.

    The divergences are lower (`_lo`) and upper bounds (`_hi`) of those of the two distributions
    from which the next token was drawn (`nbchat.measures.divergence_bounds`). They are
    given where both are those after the same reply so far (`has_same_prefix`) and both have
    alternatives, also at the first token in which the replies differ; from there on two
    distributions are of different texts and tell nothing of prompts, params or models.

    Raise ValueError where one of them has no token probabilities in that choice.
    """
    positions = positions_of([a, b])
    words = Words(positions.codes, positions.alternative_codes)
    texts = texts_of(positions, words)
    listed = lists_of(positions, words)
    caps = np.exp(most_unseen(positions, listed, listed.in_top))
    lists = with_unlisted(listed, positions, words)
    sides = []
    for number, run in enumerate((a, b)):
        stretch = _stretch_of(positions, number, run, choice)
        data = [words.data[place] for place in words.places(positions.codes[stretch])]
        hidden = texts.is_special[stretch]
        tokens = [b"" if is_hidden else d for d, is_hidden in zip(data, hidden, strict=True)]
        starts = (texts.byte_end - texts.n_bytes)[stretch]
        sides.append(_Side(stretch.start, tokens, data, starts, positions.logprobs[stretch]))
    left, right = sides
    rows = [
        _row(pair, left, right) | _bounds(partners, lists, words, caps)
        for pair, partners in _with_prefixes(paired(left.tokens, right.tokens), left, right)
    ]
    return assemble_rows("comparison", rows)


@dataclass(frozen=True)
class _Side:
    """The tokens of one reply: `tokens` are its text, `data` what they are called by."""

    first: int
    tokens: Sequence[bytes]
    data: Sequence[bytes]
    starts: NDArray[np.int64]
    logprobs: NDArray[np.float64]

    def facts(self, tokens: range, suffix: str) -> dict[str, Any]:
        if not tokens:
            return {f"n_tokens_{suffix}": 0, f"surprisal_bits_{suffix}": nan}
        shown = b"".join(self.data[tokens.start : tokens.stop])
        logprob = self.logprobs[tokens.start : tokens.stop].sum()
        return {
            f"position_{suffix}": tokens.start,
            f"n_tokens_{suffix}": len(tokens),
            f"display_{suffix}": visible(shown.decode("utf-8", "backslashreplace")) or "∅",
            f"byte_start_{suffix}": int(self.starts[tokens.start]),
            f"surprisal_bits_{suffix}": (0.0 - float(logprob)) / log(2),
        }


def _stretch_of(positions: Positions, number: int, run: RunLike, choice: int) -> slice:
    """Find the positions of a run's choice: the content, else the refusal."""
    for table, owner in enumerate(positions.owners):
        if (owner.run, owner.choice.index) == (number, choice) and positions.lengths[table]:
            return slice(int(positions.borders[table]), int(positions.borders[table + 1]))
    raise ValueError(
        f"run {run.id} has no token probabilities in choice {choice}: "
        "ask with logprobs=True and top_logprobs=20"
    )


_Partners = tuple[int, int] | None


def _with_prefixes(
    pairs: Iterator[Pair], a: _Side, b: _Side
) -> Iterator[tuple[tuple[Pair, bool], _Partners]]:
    """Add whether the reply before is the same, and then the two positions to compare."""
    is_same = True  # up to here, or up to where the two part
    is_parted = False
    at_a = at_b = 0
    for pair in pairs:
        if pair.op == "same":
            has_prefix = is_same and not is_parted
            is_token = len(pair.a) == len(pair.b) == 1
            here = (a.first + pair.a.start, b.first + pair.b.start)
            yield (pair, has_prefix), here if has_prefix and is_token else None
            is_same = has_prefix and is_token
            at_a, at_b = pair.a.stop, pair.b.stop
        else:
            is_parted = True
            has_prefix = is_same and (pair.a.start == at_a if pair.a else pair.b.start == at_b)
            has_both = at_a < len(a.tokens) and at_b < len(b.tokens)
            here = (a.first + at_a, b.first + at_b)
            yield (pair, has_prefix), here if has_prefix and has_both else None


def _row(aligned: tuple[Pair, bool], a: _Side, b: _Side) -> dict[str, Any]:
    pair, has_prefix = aligned
    row = {"op": pair.op, "has_same_prefix": has_prefix} | a.facts(pair.a, "a")
    row |= b.facts(pair.b, "b")
    return row | {"delta_bits": row["surprisal_bits_b"] - row["surprisal_bits_a"]}


def _bounds(
    partners: _Partners, lists: Lists, words: Words, caps: NDArray[np.float64]
) -> dict[str, float]:
    if partners is None:
        return {}
    p, q = (_distribution(position, lists, words) for position in partners)
    if not p or not q:
        return {}
    most = [_cap(position, lists, words, float(caps[position])) for position in partners]
    bounds = divergence_bounds(p, q, most_unseen=(most[0], most[1]))
    return dict(zip(_BOUNDS, bounds, strict=True))


def _cap(position: int, lists: Lists, words: Words, cap: float) -> float:
    """Give what no token has that is not told by its bytes: one that lost them may be listed."""
    rows = slice(lists.offsets[position], lists.offsets[position + 1])
    return cap if all(map(_is_told, (words.data[n] for n in lists.places[rows]))) else 1.0


def _is_told(data: bytes) -> bool:
    return bool(data) and REPLACEMENT not in data


def _distribution(position: int, lists: Lists, words: Words) -> dict[bytes, float]:
    """Map the bytes of the tokens known here to probabilities; {} where none were listed.

    Ids mean the same token only in the same tokenizer, so bytes name it. Tokens that share
    theirs are taken together, which keeps a lower bound one.
    """
    rows = slice(lists.offsets[position], lists.offsets[position + 1])
    logprobs: dict[bytes, float] = {}
    if not lists.is_listed[rows].any():
        return logprobs
    columns = (lists.places[rows], lists.logprobs[rows], lists.is_listed[rows])
    for place, logprob, is_listed in zip(*(c.tolist() for c in columns), strict=True):
        data = words.data[place]
        # where bytes were lost nothing tells two tokens apart: they stay in the rest
        is_told = _is_told(data) and not isnan(logprob)
        if is_told and (is_listed or data not in logprobs):
            logprobs[data] = logprobs.get(data, 0.0) + exp(logprob)
    return logprobs
