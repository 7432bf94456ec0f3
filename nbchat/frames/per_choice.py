"""The choices frame: one row for each answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nbchat.frames.assembly import assemble_rows
from nbchat.frames.decoded_text import texts_of
from nbchat.frames.source import runs_of, warn_of_missing_logprobs
from nbchat.frames.token_arrays import positions_of
from nbchat.frames.token_texts import Words
from nbchat.measures import bits_per_byte, perplexity

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from nbchat.api.response import Choice, Completion, Usage
    from nbchat.frames.decoded_text import Texts
    from nbchat.frames.source import Source
    from nbchat.frames.token_arrays import Positions

# the finish reasons of a reply that the model ended by a token
_OF_ITSELF = ("stop", "tool_calls", "function_call")


def choices(source: Source) -> pd.DataFrame:
    """Give one row for each choice of each run.

    `source` is a run, an iterable of runs or anything with `.runs`. The key is run_id,
    choice; `nbchat.frames.columns` declares the columns. The numbers are over all tokens
    of the choice, content and refusal; NA where no logprobs came. Where they were asked
    for, a `MissingLogprobsWarning` says so. Raise TypeError where `source` has no runs.
    """
    runs = runs_of(source)
    warn_of_missing_logprobs(runs)
    positions = positions_of(runs)
    texts = texts_of(positions, Words(positions.codes))
    stretches = _stretches(positions)
    found: list[dict[str, Any]] = []
    for number, run in enumerate(runs):
        completion = run.completion
        if completion is None:
            continue
        own = [stretches.get((number, c.index)) for c in completion.choices]
        n_ends = 0 if run.params.given().get("stop") else _unlisted_ends(completion, own, texts)
        alignment = _alignment(own, completion.usage, run.n_begun, n_ends)
        for choice in sorted(completion.choices, key=lambda c: c.index):
            stretch = stretches.get((number, choice.index))
            found.append(
                {
                    "run_id": run.id,
                    **_facts(choice),
                    **alignment,
                    **({} if stretch is None else _numbers(positions, texts, stretch)),
                }
            )
    return assemble_rows("choices", found)


def _stretches(positions: Positions) -> dict[tuple[int, int], slice]:
    """Give where the positions of each choice are: its tables follow one another."""
    found: dict[tuple[int, int], slice] = {}
    for i, owner in enumerate(positions.owners):
        start, stop = int(positions.borders[i]), int(positions.borders[i + 1])
        key = (owner.run, owner.choice.index)
        found[key] = slice(found[key].start if key in found else start, stop)
    return found


def _facts(choice: Choice) -> dict[str, Any]:
    return {
        "choice": choice.index,
        "finish_reason": choice.finish_reason,
        "text": choice.message.text,
        "refusal": choice.message.refusal,
    }


def _unlisted_ends(completion: Completion, own: list[slice | None], texts: Texts) -> int:
    """Count the choices that ended of themselves and have no row for the token that did it."""
    return sum(
        choice.finish_reason in _OF_ITSELF
        and stretch is not None
        and not texts.is_end[stretch].any()
        for choice, stretch in zip(completion.choices, own, strict=True)
    )


def _alignment(
    stretches: list[slice | None], usage: Usage | None, n_begun: int, n_ends: int
) -> dict[str, Any]:
    """Compare rows and usage. The usage counts all choices of a run together."""
    known = [stretch for stretch in stretches if stretch is not None]
    if not known or usage is None or usage.completion_tokens is None:
        return {}
    # the beginning of a branch was in its prompt
    n_rows = sum(stretch.stop - stretch.start for stretch in known) - n_begun
    n_missing = usage.completion_tokens - n_rows
    # servers differ in whether the tokens of reasoning have logprobs
    hidden = usage.reasoning_tokens or 0
    if n_missing >= hidden:
        n_missing -= hidden
    if n_missing == n_ends:  # llama.cpp counts the end token, and has no row for it in a stream
        n_missing = 0
    return {"n_missing": max(0, n_missing), "is_aligned": n_missing == 0}


def _numbers(positions: Positions, texts: Texts, stretch: slice) -> dict[str, Any]:
    logprobs = positions.logprobs[stretch]
    is_end = texts.is_end[stretch]
    written = logprobs[~is_end]
    n_censored = int(np.isnan(logprobs).sum())
    known = written[~np.isnan(written)]
    return {
        "n_tokens": len(logprobs),
        "sum_logprob": known.sum() if len(known) else np.nan,
        "mean_nll": 0.0 - known.mean() if len(known) else np.nan,
        "perplexity": perplexity(written),
        "perplexity_with_eos": _with_end(logprobs, is_end),
        "bits_per_byte": bits_per_byte(written, int(texts.n_bytes[stretch].sum())),
        "min_prob": np.exp(known.min()) if len(known) else np.nan,
        "n_censored": n_censored,
        "perplexity_is_bound": n_censored > 0,
    }


def _with_end(logprobs: NDArray[np.float64], is_end: NDArray[np.bool_]) -> float:
    has_end = bool((is_end & ~np.isnan(logprobs)).any())
    return perplexity(logprobs) if has_end else float("nan")
