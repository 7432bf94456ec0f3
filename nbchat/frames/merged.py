"""Which rows stand for several tokens, and how many tokens have no row.

llama.cpp sends a character that was written in several tokens as one entry with the whole
character and the log probability of its last piece alone. That is no probability of the
character.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nbchat.api.logprobs import VOCABULARY
from nbchat.frames.token_texts import REPLACEMENT, is_control

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nbchat.api.response import Completion
    from nbchat.frames.source import RunLike
    from nbchat.frames.token_arrays import Positions

    Bools = NDArray[np.bool_]

# the finish reasons of a reply that the model ended by a token
_OF_ITSELF = ("stop", "tool_calls", "function_call")


def merged(positions: Positions) -> Bools:
    """Mark the positions whose character was written by several tokens, of which one is here.

    The signs: the alternatives there, or those of the run under the same id, have a piece of what
    stands here in its place; or the usage counts more tokens than there are rows, and the list
    of alternatives does not have the character as a whole.
    """
    marks = np.zeros(len(positions), dtype=bool)
    tables: dict[int, list[int]] = {}
    for table, owner in enumerate(positions.owners):
        tables.setdefault(owner.run, []).append(table)
    for number, numbers in tables.items():
        start, stop = int(positions.borders[numbers[0]]), int(positions.borders[numbers[-1] + 1])
        codes = positions.codes[start:stop]
        candidates = [code for code in np.unique(codes).tolist() if not _data(code).isascii()]
        if candidates:
            where = start + np.flatnonzero(np.isin(codes, candidates))
            _mark(marks, where, slice(start, stop), positions)
            _mark_unlisted(marks, where, positions.runs[number], positions)
    return marks


def _data(code: int) -> bytes:
    return VOCABULARY.bytes[code] or VOCABULARY.tokens[code].encode("utf-8", "replace")


def _mark(marks: Bools, where: NDArray[np.int64], stretch: slice, positions: Positions) -> None:
    """Mark those of which a piece is known by its id in the run, or by all else in their list."""
    offsets, listed = positions.offsets, positions.alternative_codes
    pieces: dict[int, list[bytes]] = {}
    for code in np.unique(listed[offsets[stretch.start] : offsets[stretch.stop]]).tolist():
        number = VOCABULARY.ids[code]
        if number is not None and not _data(code).isascii():
            pieces.setdefault(number, []).append(_data(code))
    for i in where.tolist():
        data, number = _data(int(positions.codes[i])), VOCABULARY.ids[positions.codes[i]]
        known = pieces.get(number, []) if number is not None else _of_one_logprob(i, positions)
        marks[i] = any(_is_piece(piece, data) for piece in known)


def _of_one_logprob(i: int, positions: Positions) -> list[bytes]:
    rows = slice(positions.offsets[i], positions.offsets[i + 1])
    same = positions.alternative_logprobs[rows] == positions.logprobs[i]
    return [_data(code) for code in positions.alternative_codes[rows][same].tolist()]


def _is_piece(piece: bytes, whole: bytes) -> bool:
    """Tell whether a token is the end of this text, and begins inside a character."""
    if piece in (whole, b"") or REPLACEMENT in whole:
        return False
    is_inside = 0x80 <= piece[0] < 0xC0
    return REPLACEMENT in piece or (is_inside and whole.endswith(piece))


def _mark_unlisted(
    marks: Bools, where: NDArray[np.int64], run: RunLike, positions: Positions
) -> None:
    """Mark those that are not in their list as a whole, where the usage counts more tokens."""
    if run.params.given().get("stop"):
        return  # the tokens of a stop string can be what is missing
    unlisted = []
    for i in where.tolist():
        rows = slice(positions.offsets[i], positions.offsets[i + 1])
        listed = positions.alternative_codes[rows].tolist()
        data = _data(int(positions.codes[i]))
        if listed and not marks[i] and not any(_data(code) == data for code in listed):
            unlisted.append(i)
    if unlisted:
        lacking = lacking_rows(run, positions, int(marks[where].sum()))
        marks[unlisted] = lacking is not None and lacking.n > 0


class Lacking(NamedTuple):
    """How many tokens have no row (below 0: rows without a token); with the end at most."""

    n: int
    at_most: int


def lacking_rows(run: RunLike, positions: Positions, at_least: int = 0) -> Lacking | None:
    """Give how many tokens of a run wrote text and have no row.

    The usage counts all choices of a run together. Servers differ in whether it counts the end
    token of a reply and the tokens of reasoning, and whether these have rows: what can be
    explained so is not missing. `at_least` so many rows lack a token, as is known. None where
    the server sent no count or no logprobs.
    """
    completion = run.completion
    tables = [i for i, owner in enumerate(positions.owners) if positions.runs[owner.run] is run]
    if completion is None or completion.usage is None or not tables:
        return None
    usage = completion.usage
    if usage.completion_tokens is None:
        return None
    lengths = positions.lengths
    n_end_rows = sum(_ends_with_its_end(positions, table) for table in tables if lengths[table])
    # the beginning of a branch was in its prompt
    n_written = int(lengths[tables].sum()) - run.n_begun - n_end_rows
    lacking = usage.completion_tokens - (usage.rejected_prediction_tokens or 0) - n_written
    hidden = usage.reasoning_tokens or 0
    if lacking >= hidden:
        lacking -= hidden
    # a stop string can have ended any of them
    n_ended = n_end_rows if run.params.given().get("stop") else _n_ended(completion, n_end_rows)
    is_end_counted = lacking - n_ended >= at_least
    return Lacking(lacking - n_ended if is_end_counted else lacking, lacking)


def _n_ended(completion: Completion, n_end_rows: int) -> int:
    of_itself = [
        choice
        for choice in completion.choices
        if choice.finish_reason in _OF_ITSELF and choice.logprobs is not None
    ]
    return max(len(of_itself), n_end_rows)


def _ends_with_its_end(positions: Positions, table: int) -> bool:
    code = int(positions.codes[positions.borders[table + 1] - 1])
    reason = positions.owners[table].choice.finish_reason
    return reason != "length" and (not _data(code) or is_control(VOCABULARY.tokens[code]))
