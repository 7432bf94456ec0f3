"""The tokens of a run and their alternatives, as the page draws them."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Any

from nbchat.frames.token_texts import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from nbchat.run import Run
    from nbchat.widgets.explorer.entries import Entry

_MOST = 10_000
_NOT_ASKED = (
    "This reply has no token probabilities: logprobs was not asked for. With logprobs on, run "
    "again; top_logprobs says how many alternatives come with each token."
)
_NOT_SENT = "Token probabilities were asked for, and the server sent none."


def tokens_record(entry: Entry, choice: int, shown: Sequence[Entry]) -> dict[str, Any]:
    """Give the tokens of one choice: lists of one length, JSON.

    `display`, `spoken`: texts; `prob`: from 0 to 1, None where not known; `breaks`: line ends
    in the token. `temperature`, `top_p`: those of the request (1 where unset). `is_tempered`:
    whether the log probabilities are taken to be those after the temperature; `basis` says
    what is known of that. `why`: the sentence where there are none. `others` are the replies
    that can be chosen beside it, ``[id, choice, label]``.
    """
    run = entry.run
    rows = _tokens_of(run, choice)
    fields = {} if run is None else run.params.given()
    has_logprobs = bool(fields.get("logprobs"))
    temperature = _number(fields.get("temperature"))
    return {
        "on": "tokens",
        "id": entry.id,
        "choice": choice,
        "display": [] if rows is None else rows["display"].tolist(),
        "spoken": [] if rows is None else [_spoken(text) for text in rows["text"]],
        "prob": [] if rows is None else [_known(p) for p in rows["prob"]],
        "breaks": [] if rows is None else [text.count("\n") for text in rows["text"]],
        "why": _why(entry, has_logprobs=has_logprobs),
        "can_ask": not has_logprobs,
        "temperature": temperature,
        "top_p": _number(fields.get("top_p")),
        "vocab_size": None if run is None else run.vocab_size,
        "is_tempered": run is not None and run.logprob_basis == "tempered",
        "basis": "" if run is None else _basis(run, fields.get("temperature")),
        "others": [*_others(shown)],
    }


def alternatives_record(entry: Entry, choice: int, start: int, count: int) -> dict[str, Any]:
    """Give the alternatives of a stretch of tokens: ``[display, logprob, is_sampled]`` each.

    The likeliest come first; a log probability that is not known is None.
    """
    place = {"id": entry.id, "choice": choice, "start": start}
    record: dict[str, Any] = {"on": "alternatives", **place, "rows": []}
    if entry.run is None or not has_tokens(entry.run):
        return record
    frame = _of(entry.run.alternatives(), choice)
    stretch = frame[(frame["position"] >= start) & (frame["position"] < start + count)]
    rows: dict[int, list[Any]] = {}
    for position, display, logprob, is_sampled, is_listed in zip(
        stretch["position"].tolist(),
        stretch["display"].tolist(),
        stretch["logprob"].tolist(),
        stretch["is_sampled"].tolist(),
        stretch["is_listed"].tolist(),
        strict=True,
    ):
        entries = rows.setdefault(position, [])
        # a token that alone is known has no alternatives
        entries.append([display, _known(logprob), bool(is_sampled), bool(is_listed)])
    n_tokens = 1 + max(rows, default=start - 1) - start
    record["rows"] = [_listed(rows.get(start + k, [])) for k in range(n_tokens)]
    return record


def _listed(entries: list[Any]) -> list[Any]:
    return [entry[:3] for entry in entries] if any(entry[3] for entry in entries) else []


def has_tokens(run: Run | None) -> bool:
    """Tell whether token probabilities have come."""
    completion = run.completion if run is not None else None
    choices = completion.choices if completion is not None else []
    return any(c.logprobs is not None and c.logprobs.content for c in choices)


def _tokens_of(run: Run | None, choice: int) -> pd.DataFrame | None:
    return _of(run.tokens(), choice).head(_MOST) if run is not None and has_tokens(run) else None


def _of(frame: pd.DataFrame, choice: int) -> pd.DataFrame:
    return frame[(frame["choice"] == choice) & (frame["channel"] == "content")]


def _why(entry: Entry, *, has_logprobs: bool) -> str:
    if not entry.is_over:
        return "The tokens come when the reply is whole."
    return _NOT_SENT if has_logprobs else _NOT_ASKED


def _basis(run: Run, temperature: float | None) -> str:
    if run.logprob_basis == "tempered":
        return (
            "This server's log probabilities are those after the temperature (nbchat.probe): "
            "other temperatures are reckoned from there."
        )
    if run.logprob_basis == "raw":
        return "This server's log probabilities are those before the temperature (nbchat.probe)."
    if temperature == 1:
        return "The request had temperature 1, where raw and tempered log probabilities agree."
    # the reference's default is 1, and servers have others
    which = "the server's own" if temperature is None else f"{temperature:g}"
    return (
        f"Assumed: the log probabilities are those before the temperature ({which}). "
        "Servers differ; nbchat.probe finds it out."
    )


def _others(shown: Sequence[Entry]) -> list[list[Any]]:
    others: list[list[Any]] = []
    for entry in shown:
        completion = entry.run.completion if entry.run is not None else None
        for choice in completion.choices if completion is not None else []:
            name = entry.label or f"#{entry.number}"
            many = len(completion.choices) > 1 if completion is not None else False
            others.append(
                [entry.id, choice.index, f"{name} · choice {choice.index}" * many or name]
            )
    return others


def _spoken(text: str) -> str:
    return visible(text.strip()).replace("␣", " ") or "blank"


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else 1.0


def _known(value: float) -> float | None:
    return None if isnan(value) else float(value)
