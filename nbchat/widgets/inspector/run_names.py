"""What each of several runs is called, so that they can be told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbchat.plots.glyphs import shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbchat.run import Run

_MOST = 60
_OF_GRAMMARS = {"grammar", "max_tokens", "max_completion_tokens"}


def labels_of(runs: Sequence[Run]) -> list[str]:
    """Give a line for each run: its model, the params in which the runs differ, its prompt."""
    params_of_runs = [{**run.params.given(), **run.params.extra} for run in runs]
    names = dict.fromkeys(name for params in params_of_runs for name in params)
    differing = [
        name
        for name in names
        if name != "model" and len({repr(params.get(name)) for params in params_of_runs}) > 1
    ]
    # a text that is scored is forced by a grammar: the text tells more, and how long it may be
    is_forced = "grammar" in differing
    differing = [name for name in differing if not is_forced or name not in _OF_GRAMMARS]
    labels = [
        " · ".join(
            part
            for part in (
                run.model or "",
                *(
                    shortened(f"{name} {_plain(params[name])}", _MOST)
                    for name in differing
                    if name in params
                ),
                _prompt(run),
                _quoted(run.text or "") if is_forced else "",
            )
            if part
        )
        or f"run {run.id}"
        for run, params in zip(runs, params_of_runs, strict=True)
    ]
    if len(set(labels)) == len(labels):
        return labels
    return [f"{number}: {label}" for number, label in enumerate(labels, 1)]


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _prompt(run: Run) -> str:
    for message in reversed(run.messages):
        if message.get("role") == "user":
            return _quoted(_text(message.get("content")))
    return ""


def _quoted(text: str) -> str:
    return f"“{shortened(' '.join(text.split()), _MOST)}”"


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return " ".join(str(part.get("text", "")) for part in parts if isinstance(part, dict))
