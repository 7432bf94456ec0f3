"""The fields frame: one row for each value of a reply that is JSON, and how likely it was."""

from __future__ import annotations

from functools import partial
from math import isnan, log, nan
from typing import TYPE_CHECKING, Any

import numpy as np

from nbchat.errors import NoObjectError
from nbchat.frames.allowed_probability import Row, allowed_share, n_shared
from nbchat.frames.assembly import assemble_rows
from nbchat.frames.exact_share import NARROW, exact_share
from nbchat.frames.json_spans import spans_of
from nbchat.frames.json_tokens import tokens_in
from nbchat.frames.per_choice import choices
from nbchat.measures import EventLogprob, event_logprob
from nbchat.measures.rounding import ROUNDING_OF_ROWS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from nbchat.api.response import Choice
    from nbchat.frames.exact_share import WholeRows
    from nbchat.frames.json_spans import Span
    from nbchat.frames.json_tokens import Written
    from nbchat.frames.source import RunLike

    Allowed = Callable[[Sequence[str | int]], list[bytes] | None]

_NO_LOGPROBS = "no token probabilities came"
_NOT_THERE = "the tokens that came do not write this text"
_BEGUN = "begun in the request: the model did not write all of it"
_CENSORED = "a token has no usable log probability"
_SOME_END = "the reply's end is that of the tokens in its row alone, and others end one, too"
_FEWER = "the server sent fewer rows than tokens, and a character here may be of several tokens"


def fields(
    run: RunLike,
    choice: int = 0,
    allowed: Allowed | None = None,
    whole_rows: WholeRows | None = None,
) -> pd.DataFrame:
    """Give one row for each JSON value of a reply, in the order in which they begin.

    Objects and lists have rows too. Of a reply that was cut off the values that are whole
    are given. `nbchat.frames.columns` declares the columns; the bytes from `byte_start` to
    `byte_end` are the value's JSON.

    - `logprob`, `prob`: of the value's own tokens, those wholly inside of it that have more
      of it than a quote. That is how likely its content was once it had begun; nothing is
      said of its end (``12`` could have gone on to ``123``). NA where there is no such token,
      as in a ``""`` of two tokens
    - `logprob_with_boundary`, `prob_with_boundary`: of every token that has a byte of it, and
      of the one that ends it (after a number the next one, the end token too). Such tokens
      may write a neighbour's bytes as well (``",``), so that the figure is that of the value
      together with these: it is at most the probability of the value, and `prob` is at least
      that, both for this way to cut the text into tokens
    - `prob_allowed_lo`, `prob_allowed_hi`: the probability of the value among those that the
      schema allows at its place (an enumeration, a constant, a boolean, null), given the text
      before it. `allowed` tells them, as JSON, for the keys and places that lead to a value;
      without it they are NA. `nbchat.frames.allowed_probability` says how it is found. It is
      that of a draw from the probabilities as reported, with no other sampler than the mask.
      Where it is no point `whole_rows` are asked (`nbchat.frames.exact_share`)

    That a reply ends behind a bare number is the sum over all tokens that end one, where the
    run knows them (`end_tokens`); those that the row does not list are asked for in `whole_rows`,
    else left out, and `note` says so.

    Where tokens and text do not line up the figures are NA and `note` says why. Raise
    NoObjectError where there is no such choice, no text or no JSON.
    """
    reply = _choice(run, choice)
    text = reply.message.content or ""
    if not text.strip():
        raise NoObjectError("The reply is empty.")
    data = text.encode("utf-8", "surrogatepass")
    is_cut = reply.finish_reason in (None, "length")
    spans = spans_of(data, is_cut=is_cut)
    written = tokens_in(run, choice, data)
    chars = np.concatenate([[0], np.cumsum((_bytes(data) & 0xC0) != 0x80)])
    has_fewer = bool(choices(run)["n_missing"].fillna(0).max() > 0)
    rows = [
        {
            "run_id": run.id,
            "choice": choice,
            **{name: getattr(span, name) for name in ("path", "key", "value", "type")},
            "byte_start": span.start,
            "byte_end": span.end,
            "char_start": chars[span.start],
            "char_end": chars[span.end],
            **_figures(span, data, written, allowed, whole_rows, has_fewer=has_fewer),
        }
        for span in spans
    ]
    return assemble_rows("fields", rows)


def nested(run: RunLike, choice: int = 0) -> Any:
    """Give the object of a reply with a probability in the place of each value in it.

    Objects are dicts and lists are lists as in the reply; a string, number, truth value or null
    is `prob` of the fields frame (float), None where that is NA. Of a reply that was cut off the
    values that are whole are given. Raise NoObjectError as `fields` does.
    """
    frame = fields(run, choice)
    data = (_choice(run, choice).message.content or "").encode("utf-8", "surrogatepass")
    is_cut = _choice(run, choice).finish_reason in (None, "length")
    whole: dict[tuple[str | int, ...], Any] = {}
    for span, prob in zip(spans_of(data, is_cut=is_cut), frame["prob"].tolist(), strict=True):
        made: Any = {"object": {}, "array": []}.get(span.type, None if isnan(prob) else prob)
        _put(made, span.steps, whole)
    return whole.get(())


def _put(made: Any, steps: tuple[str | int, ...], whole: dict[tuple[str | int, ...], Any]) -> None:
    """Put a value in its place, and make what is around it where that was cut off."""
    whole[steps] = made
    if not steps:
        return
    *before, last = steps
    around = tuple(before)
    if not isinstance(whole.get(around), list if isinstance(last, int) else dict):
        _put([] if isinstance(last, int) else {}, around, whole)
    if isinstance(last, int):
        whole[around].append(made)
    else:
        whole[around][last] = made  # of two equal keys the last one counts, as in JSON


def _choice(run: RunLike, choice: int) -> Choice:
    there = run.completion.choices if run.completion else []
    match = next((c for c in there if c.index == choice), None)
    if match is None:
        raise NoObjectError(f"This run has no choice {choice}.")
    return match


def _bytes(data: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(data, dtype=np.uint8)


def _figures(
    span: Span,
    data: bytes,
    written: Written | None,
    allowed: Allowed | None,
    whole_rows: WholeRows | None,
    *,
    has_fewer: bool,
) -> dict[str, Any]:
    if written is None:
        return {"note": _NO_LOGPROBS}
    start, end = span.start, span.end
    if written.covered[end] - written.covered[start] < end - start:
        return {"note": _BEGUN if start < written.n_begun else _NOT_THERE}
    # nothing inside a number tells that it has ended
    told = end + 1 if span.type == "number" else end
    among = slice(
        int(np.searchsorted(written.end, start, side="right")),
        int(np.searchsorted(written.start, told, side="left")),
    )
    firsts, lasts, logprobs = written.start[among], written.end[among], written.logprobs[among]
    is_own = (firsts >= start) & (lasts <= end) & (lasts > firsts)
    if span.type == "string":
        is_own &= (firsts < end - 1) & (lasts > start + 1)
    of_value = logprobs[is_own]
    is_ended = told == end or bool(len(lasts) and (lasts[-1] > end or firsts[-1] == len(data)))
    is_merged = written.is_merged[among]
    is_lacking, is_own_lacking = np.isnan(logprobs).any(), np.isnan(of_value).any()
    is_censored = (np.isnan(logprobs) & ~is_merged).any()
    is_fewer = is_merged.any() or (has_fewer and not data[start:end].isascii())
    is_at_end = told > end and bool(len(firsts)) and firsts[-1] == lasts[-1] == len(data)
    if is_at_end and written.ending is not None:
        reply_end = _reply_end(written, whole_rows)
        logprobs = np.append(logprobs[:-1], reply_end.lower)
        is_some_end = reply_end.upper - reply_end.lower > ROUNDING_OF_ROWS
    else:
        is_some_end = False
    share = _allowed_share(span, data, written, among.start, allowed)
    is_open = share[1] - share[0] > NARROW  # not so where nothing is known
    if is_open and whole_rows is not None and allowed is not None:
        share = _share_by_asking(span, data, written, among.start, allowed, whole_rows)
    note = _CENSORED if is_censored else _FEWER if is_fewer else _SOME_END if is_some_end else None
    return {
        "n_tokens": len(of_value),
        **_summed("", of_value),
        **_summed("_with_boundary", logprobs if is_ended else of_value[:0]),
        "min_prob": nan if np.isnan(of_value).all() else float(np.exp(np.nanmin(of_value))),
        "is_censored": bool(is_censored),
        "is_bound": bool(is_own_lacking or is_lacking or is_fewer),
        "prob_allowed_lo": share[0],
        "prob_allowed_hi": share[1],
        "note": note or (whole_rows.note if whole_rows is not None else None),
    }


def _reply_end(written: Written, whole_rows: WholeRows | None) -> EventLogprob:
    """Give the log probability that the reply ends in its last row."""
    known = written.ending or EventLogprob(nan, nan)
    if whole_rows is None or known.upper - known.lower <= NARROW:
        return known
    row = whole_rows.row(int(written.at[-1]) - written.first, ())
    total = event_logprob({t.id: log(t.prob) for t in row if t.prob}, whole_rows.end_tokens)
    return EventLogprob(total.lower, total.lower)


def _summed(suffix: str, logprobs: NDArray[np.float64]) -> dict[str, float]:
    """Give the sum of those that are known; NaN of none."""
    total = nan if np.isnan(logprobs).all() else float(np.nansum(logprobs))
    return {f"logprob{suffix}": total, f"prob{suffix}": float(np.exp(total))}


def _allowed_share(
    span: Span, data: bytes, written: Written, first: int, allowed: Allowed | None
) -> tuple[float, float]:
    values = None if allowed is None else allowed(span.steps)
    if values is None:
        return nan, nan
    lead = written.tokens[first][: max(0, span.start - int(written.start[first]))]
    value, after = data[span.start : span.end], data[span.end :]
    return allowed_share(value, values, _rows(written, first), lead, after) or (nan, nan)


def _share_by_asking(
    span: Span,
    data: bytes,
    written: Written,
    first: int,
    allowed: Allowed,
    whole_rows: WholeRows,
) -> tuple[float, float]:
    lead = written.tokens[first][: max(0, span.start - int(written.start[first]))]
    texts = [lead + value for value in allowed(span.steps) or []]
    n_common, before = n_shared(texts), b""
    for i, _ in enumerate(_rows(written, first), first):
        if len(before + written.tokens[i]) > n_common:
            row = partial(whole_rows.row, int(written.at[i]) - written.first)
            value, after = lead + data[span.start : span.end], data[span.end :]
            return exact_share(value, texts, row, before, after)
        before += written.tokens[i]
    return nan, nan


def _rows(written: Written, first: int) -> Iterator[Row]:
    """Give the positions from one on, as far as they follow one another without a gap."""
    for i in range(first, len(written.at)):
        if i > first and written.start[i] != written.end[i - 1]:
            return
        if written.end[i] > written.start[i]:
            yield written.row(i)
