"""The frames with one row for each run: what was asked, and what it took."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

import pandas as pd

from nbchat.api.fields import FIELDS
from nbchat.frames.assembly import assemble, with_na
from nbchat.frames.columns import LAST_OF_HEAD, columns_of, columns_of_requests
from nbchat.frames.source import runs_of
from nbchat.options import OPTIONS

if TYPE_CHECKING:
    from nbchat.frames.source import RunLike, Source

_COUNTS = (
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "text_tokens",
    "image_tokens",
    "audio_tokens",
    "accepted_prediction_tokens",
    "rejected_prediction_tokens",
)
_FACTS = (
    "ttft_s",
    "elapsed_s",
    "tokens_per_s",
    "cost_usd",
    "cost_source",
    "model",
    "model_asked",
    "logprob_basis",
)
_FACTS_OF_COMPLETION = ("service_tier", "system_fingerprint")


def runs(source: Source, *, all_columns: bool = False) -> pd.DataFrame:
    """Give one row for each run: time, conversation, model, status, text, tokens, cost; then more.

    `source` is a run, an iterable of runs or anything with `.runs`. What was asked for follows:
    a column for each field of the request and option of nbchat's own that one of the runs has
    set, NA where another has not; with `all_columns` those that none has set come last. `model`
    is the one that answered, and `model_asked` the one that was asked for. Interrupted and
    failed runs are included. `nbchat.frames.columns` declares the columns. Raise TypeError
    where `source` has no runs to give.
    """
    all_runs = runs_of(source)
    sent = [run.params.given() for run in all_runs]
    counts = [_counts(run) for run in all_runs]
    values: dict[str, list[Any]] = {
        "run_id": [run.id for run in all_runs],
        "created_at": [run.created_at for run in all_runs],
        "thread": [getattr(run, "thread", None) for run in all_runs],
        "turn": with_na([getattr(run, "turn", None) for run in all_runs], "Int64"),
        "model": with_na([run.model for run in all_runs], "category"),
        "profile": [run.profile or None for run in all_runs],
        "status": [run.status for run in all_runs],
        "text": [_first_text(run) for run in all_runs],
        "prompt_tokens": [_get(usage, "prompt_tokens") for usage in counts],
        "completion_tokens": [_get(usage, "completion_tokens") for usage in counts],
        "cost_usd": [getattr(run, "cost_usd", None) for run in all_runs],
        "elapsed_s": [getattr(run, "elapsed_s", None) for run in all_runs],
        "error": [_sentence(run.error) for run in all_runs],
        "model_asked": with_na([getattr(run, "model_asked", None) for run in all_runs], "category"),
        "is_replayed": [bool(getattr(run, "is_replayed", False)) for run in all_runs],
    }
    for name, option in OPTIONS().items():
        if option.dtype is not None:
            kept = [getattr(run, "options", {}).get(name) for run in all_runs]
            values[name] = with_na(kept, option.dtype)
    fields = FIELDS()
    for column in columns_of("runs"):
        if (
            column.name in fields and column.name not in values
        ):  # any other column is filled above, or assemble misses it
            settings = [params.get(column.name) for params in sent]
            values[column.name] = with_na(settings, column.dtype)
    return arranged(assemble("runs", values), all_columns=all_columns)


def newest_first(first: pd.DataFrame, second: pd.DataFrame, limit: int | None) -> pd.DataFrame:
    """Give the rows of two runs frames as one, the newest first, at most so many."""
    if first.empty or second.empty:
        return second if first.empty else first
    both = pd.concat([first, second], ignore_index=True)
    both = both.sort_values("created_at", ascending=False, kind="stable", ignore_index=True)
    return both if limit is None else both.head(limit)


def arranged(frame: pd.DataFrame, *, all_columns: bool = False) -> pd.DataFrame:
    """Give the runs frame in its order: the head, what was asked for, the rest, what is empty."""
    return frame[_ordered(frame, all_columns=all_columns)]


def _ordered(frame: pd.DataFrame, *, all_columns: bool) -> list[str]:
    names = [column.name for column in columns_of("runs")]
    request_columns = columns_of_requests()
    n_head = names.index(LAST_OF_HEAD) + 1
    head, rest = names[:n_head], names[n_head:]
    is_filled = frame[rest].notna().any()
    filled = [name for name in rest if is_filled[name]]
    unset = [name for name in rest if not is_filled[name] and name in request_columns]
    return [
        *head,
        *(name for name in filled if name in request_columns),
        *(name for name in filled if name not in request_columns),
        *(name for name in rest if not is_filled[name] and name not in request_columns),
        *(unset if all_columns else ()),
    ]


def usage(source: Source) -> pd.DataFrame:
    """Give one row for each run: token counts, times, cost and what the server said of itself.

    `source` is a run, an iterable of runs or anything with `.runs`. What is unknown is NA.
    `nbchat.frames.columns` declares the columns. Raise TypeError where `source` has no runs
    to give.
    """
    all_runs = runs_of(source)
    counts = [_counts(run) for run in all_runs]
    return assemble(
        "usage",
        {
            "run_id": [run.id for run in all_runs],
            **{name: [_get(usage, name) for usage in counts] for name in _COUNTS},
            **{name: [getattr(run, name, None) for run in all_runs] for name in _FACTS},
            **{name: [_get(r.completion, name) for r in all_runs] for name in _FACTS_OF_COMPLETION},
        },
    )


def _counts(run: RunLike) -> Any:
    # a run with rounds of tool calls knows the sum of its requests
    if getattr(run, "rounds", None):
        return getattr(run, "usage", None)
    return run.completion.usage if run.completion else None


def _get(thing: object, name: str) -> Any:
    return None if thing is None else attrgetter(name)(thing)


def _first_text(run: RunLike) -> str | None:
    completion = run.completion
    if completion is None or not completion.choices:
        return None
    return min(completion.choices, key=lambda choice: choice.index).message.text


def _sentence(error: BaseException | None) -> str | None:
    if error is None:
        return None
    sentence = str(error)
    return f"{type(error).__name__}: {sentence}" if sentence else type(error).__name__
