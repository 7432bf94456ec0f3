"""The tokens frame: one row for each token."""

from __future__ import annotations

from itertools import pairwise
from math import log
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from nbchat.frames.alternatives_lists import lists_of
from nbchat.frames.assembly import assemble
from nbchat.frames.decoded_text import texts_of
from nbchat.frames.source import runs_of, warn_of_missing_logprobs
from nbchat.frames.token_arrays import CHANNELS, Positions, positions_of
from nbchat.frames.token_texts import Words, categorical
from nbchat.measures import top_k_arrays
from nbchat.measures.rounding import rounding_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nbchat.frames.alternatives_lists import Lists
    from nbchat.frames.source import Source


def tokens(source: Source) -> pd.DataFrame:
    """Give one row for each token that came with a log probability.

    `source` is a run, an iterable of runs or anything with `.runs`. The key is run_id,
    choice, channel, position; `nbchat.frames.columns` declares the columns. Runs without
    logprobs have no rows; where they were asked for, a `MissingLogprobsWarning` says so.
    Raise TypeError where `source` has no runs to give.
    """
    runs = runs_of(source)
    warn_of_missing_logprobs(runs)
    return tokens_at(positions_of(runs))


def tokens_at(positions: Positions) -> pd.DataFrame:
    """Give the tokens frame of positions that were collected before."""
    words = Words(positions.codes, positions.alternative_codes)
    places = words.places(positions.codes)
    texts = texts_of(positions, words)
    return assemble(
        "tokens",
        {
            **key_columns(positions, np.ones(len(positions), dtype=np.int64)),
            "token_id": words.token_ids(places),
            "token": categorical(words.tokens, places),
            "bytes": categorical(words.sent, places),
            "text": pd.array(texts.text, dtype="string"),
            "display": categorical(words.displays, places),
            "byte_start": texts.byte_end - texts.n_bytes,
            "byte_end": texts.byte_end,
            "char_start": texts.char_end - texts.n_chars,
            "char_end": texts.char_end,
            "logprob": positions.logprobs,
            "prob": np.exp(positions.logprobs),
            "surprisal_bits": (0.0 - positions.logprobs) / log(2),
            **_list_columns(positions, lists_of(positions, words)),
            "is_special": texts.is_special,
            "is_partial_utf8": texts.is_partial,
            "is_merged": positions.is_merged,
            "censored": np.isnan(positions.logprobs) & ~positions.is_merged,
            "arrival_s": positions.arrivals,
        },
    )


def key_columns(positions: Positions, repeats: NDArray[np.int64]) -> dict[str, Any]:
    """Give run_id, choice, channel and position, each position's `repeats` times."""
    n_rows = top_k_arrays.row_sums(repeats, positions.borders).astype(np.int64)
    owners = positions.owners
    run_ids = [run.id for run in positions.runs]
    return {
        "run_id": _repeated(run_ids, [owner.run for owner in owners], n_rows),
        "choice": np.repeat(np.array([o.choice.index for o in owners], dtype=np.int32), n_rows),
        "channel": _repeated(CHANNELS, [owner.channel for owner in owners], n_rows),
        "position": np.repeat(positions.places(), repeats),
    }


def _repeated(values: Any, codes: list[int], counts: NDArray[np.int64]) -> pd.Categorical:
    narrow = np.min_scalar_type(len(values))
    return categorical(values, np.repeat(np.array(codes, dtype=narrow), counts))


def _list_columns(positions: Positions, lists: Lists) -> dict[str, Any]:
    offsets, logprobs = lists.offsets, lists.logprobs
    top_k = np.diff(offsets)
    in_top = lists.in_top
    probs = np.exp(logprobs)
    mass = top_k_arrays.masses(probs, offsets)
    entropy = top_k_arrays.listed_entropies(logprobs, probs, offsets)
    rank = top_k_arrays.ranks(logprobs, offsets, _own_listed(lists, in_top))
    first, second = top_k_arrays.first_two(logprobs, offsets)
    lower, upper = _entropy_bounds(positions, lists, mass, entropy, in_top)
    listed = top_k > 0
    # a merged row has the rank of a piece, and none of its own
    has_rank = ~np.isnan(rank) & ~positions.is_merged
    likelier = np.where(in_top, top_k_arrays.known_counts(logprobs, offsets), top_k)
    least = 1 + np.where(positions.is_merged, 0, likelier)
    return {
        "rank": pd.arrays.IntegerArray(np.where(has_rank, rank, 0).astype(np.int64), ~has_rank),
        "rank_min": np.where(has_rank, rank, least).astype(np.int64),
        "top_k": top_k,
        "in_top": in_top,
        "top_mass": np.where(listed, mass, np.nan),
        "tail_mass": np.where(listed, np.maximum(0.0, 1.0 - mass), np.nan),
        "margin": np.exp(first) - np.exp(second),
        "log_margin": first - second,
        "entropy_lo": lower,
        "entropy_hi": upper,
        "entropy_top": np.where(listed, entropy, np.nan),
    }


def most_unseen(
    positions: Positions, lists: Lists, in_top: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Give the log probability that no unlisted token exceeds: the smallest of each list.

    A token that was drawn from far below is put behind a full list by some servers (vLLM): it
    says nothing of the others, and the one before it is the last of the likeliest.
    """
    smallest = top_k_arrays.smallest(lists.logprobs, lists.offsets)
    tops = [
        positions.runs[owner.run].params.given().get("top_logprobs") for owner in positions.owners
    ]
    most = np.array([k if isinstance(k, int) else np.inf for k in tops], dtype=np.float64)
    counts = top_k_arrays.known_counts(lists.logprobs, lists.offsets)
    is_behind = in_top & (counts > np.repeat(most, positions.lengths))
    is_behind &= _own_listed(lists, in_top) == smallest
    where = np.flatnonzero(is_behind)
    before = lists.offsets[:-1][where] + counts[where] - 2
    smallest[where] = np.where(counts[where] > 1, lists.logprobs[np.maximum(before, 0)], 0.0)
    return smallest


def _own_listed(lists: Lists, in_top: NDArray[np.bool_]) -> NDArray[np.float64]:
    listed = np.full(len(in_top), np.nan)
    listed[in_top] = lists.logprobs[lists.is_sampled]
    return listed


def _entropy_bounds(
    positions: Positions,
    lists: Lists,
    mass: NDArray[np.float64],
    entropy: NDArray[np.float64],
    in_top: NDArray[np.bool_],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    joins = ~in_top & ~np.isnan(positions.logprobs)
    logprobs = np.where(joins, positions.logprobs, 0.0)
    joined = np.where(joins, np.exp(logprobs), 0.0)
    n_seen = top_k_arrays.known_counts(lists.logprobs, lists.offsets) + joins
    sizes = [positions.runs[owner.run].vocab_size for owner in positions.owners]
    vocab_size = np.array([np.nan if size is None else size for size in sizes], dtype=np.float64)
    return top_k_arrays.entropy_intervals(
        mass + joined,
        entropy - joined * logprobs,
        most_unseen(positions, lists, in_top),
        np.repeat(vocab_size, positions.lengths) - n_seen,
        np.repeat(_roundings(positions, lists), positions.lengths),
    )


def _roundings(positions: Positions, lists: Lists) -> NDArray[np.float64]:
    """Give for each table how far the masses of its lists can be off."""
    borders = lists.offsets[positions.borders]
    tables = pairwise(borders.tolist())
    return np.array([rounding_of(lists.logprobs[start:stop]) for start, stop in tables])
