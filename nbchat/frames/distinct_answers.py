"""The frame of one question asked many times: its distinct answers, and where they part."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nbchat.api.response import Choice
    from nbchat.frames.source import RunLike


def distinct(runs: Iterable[RunLike]) -> pd.DataFrame:
    """Give one row for each distinct answer by `system_fingerprint`, the most frequent first.

    An answer is the text of a run's first choice, else its refusal, else its tool calls as
    JSON. Runs that are not complete are left out. Columns:

    - `system_fingerprint` (category): as sent, NA where the server sent none
    - `text` (string), `count` (int64), `share` (float64, of the runs counted)
    - `first_difference_char` (Int64, characters from 0): where it parts from the most frequent
      answer of all; NA where it is the same
    - `first_difference_token` (Int64, tokens from 0): the same, by the tokens of the logprobs;
      NA also where the server sent none
    - `run_ids` (object, list of str), `runs` (object, list of the runs)
    """
    counted = [run for run in runs if run.status == "complete" and run.completion is not None]
    texts = [answer_of(run) for run in counted]
    groups: dict[tuple[str | None, str], list[RunLike]] = {}
    for run, text in zip(counted, texts, strict=True):
        fingerprint = run.completion.system_fingerprint if run.completion else None
        groups.setdefault((fingerprint, text), []).append(run)
    # a sort and a Counter keep the order of appearance among equals
    rows = sorted(groups.items(), key=lambda group: -len(group[1]))
    reference = Counter(texts).most_common(1)[0][0] if texts else ""
    reference_tokens = _tokens(
        next((r for r, t in zip(counted, texts, strict=True) if t == reference), None)
    )
    differing = [text != reference for (_, text), _ in rows]
    return pd.DataFrame(
        {
            "system_fingerprint": pd.Categorical([fingerprint for (fingerprint, _), _ in rows]),
            "text": pd.array([text for (_, text), _ in rows], dtype="string"),
            "count": pd.array([len(group) for _, group in rows], dtype="int64"),
            "share": pd.array([len(group) / len(counted) for _, group in rows], dtype="float64"),
            "first_difference_char": pd.array(
                [
                    _first_difference(text, reference) if differs else None
                    for ((_, text), _), differs in zip(rows, differing, strict=True)
                ],
                dtype="Int64",
            ),
            "first_difference_token": pd.array(
                [
                    _first_difference(_tokens(group[0]), reference_tokens) if differs else None
                    for (_, group), differs in zip(rows, differing, strict=True)
                ],
                dtype="Int64",
            ),
            "run_ids": _objects([[run.id for run in group] for _, group in rows]),
            "runs": _objects([group for _, group in rows]),
        }
    )


def _first_choice(run: RunLike) -> Choice | None:
    choices = run.completion.choices if run.completion else []
    return min(choices, key=lambda choice: choice.index, default=None)


def answer_of(run: RunLike) -> str:
    """Give the text of a run's first choice, else its refusal, else its tool calls as JSON."""
    choice = _first_choice(run)
    if choice is None:
        return ""
    message = choice.message
    if message.text or message.refusal:
        return message.text or message.refusal or ""
    # ids of calls are made anew each time: they are no part of the answer
    calls: list[Any] = [
        {name: value for name, value in call.items() if name not in ("id", "index")}
        for call in message.tool_calls
    ]
    if message.function_call:
        calls.append(message.function_call)
    return json.dumps(calls, ensure_ascii=False, sort_keys=True) if calls else ""


def _tokens(run: RunLike | None) -> list[str] | None:
    choice = None if run is None else _first_choice(run)
    if choice is None or choice.logprobs is None:
        return None
    listed = choice.logprobs.content or choice.logprobs.refusal
    return [entry.token for entry in listed] if listed else None


def _first_difference(one: Sequence[str] | None, other: Sequence[str] | None) -> int | None:
    """Give the first place where two sequences differ; None where one is not known."""
    if one is None or other is None:
        return None
    pairs = enumerate(zip(one, other, strict=False))
    shorter = min(len(one), len(other))
    return next((place for place, (a, b) in pairs if a != b), shorter)


def _objects(values: list[list[Any]]) -> Any:
    return pd.Series(values, dtype=object).array
