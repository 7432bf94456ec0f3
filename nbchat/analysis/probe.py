"""`probe`: what a server supports, found by a few short requests."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from nbchat.analysis.probe_questions import Asking
from nbchat.client.profiles import Profile
from nbchat.display.characters import visible
from nbchat.request.prepare import check_model
from nbchat.run import LogprobBasis
from nbchat.session.in_steps import client_in_steps
from nbchat.session.settings import endpoint, resolved
from nbchat.session.state import STATE
from nbchat.session.watchers import PrintingWatcher

if TYPE_CHECKING:
    import pandas as pd

_MEANINGS: Mapping[str, str] = {
    "streaming": "the reply comes in pieces",
    "stream_usage": "token counts at the end of a stream",
    "logprobs": "log probabilities of the reply's tokens",
    "top_logprobs": "most alternatives sent for a token",
    "logprob_basis": "from before (raw) or after (tempered) temperature",
    "n": "several choices in one answer",
    "tools": "function calls",
    "schema": "replies held to a JSON schema",
    "seed": "a seed repeats a random draw",
    "continuation": "goes on with a reply that was begun",
}


class Probe(msgspec.Struct, kw_only=True):
    """What a server was found to support: True, False, or None where it could not be told.

    - `streaming`, `stream_usage`, `logprobs`, `n`, `tools`, `schema`, `seed`
    - `top_logprobs`: the highest number that is answered, at most 20
    - `logprob_basis`: "raw", "tempered" or "unknown"
    - `continuation`: whether a last message of the assistant is gone on with;
      `continuation_extra`: the fields that the server needs for it, as `nbchat.chat` takes
      them in ``extra``; `continuation_repeats`: whether the reply repeats what was begun
    - `notes`: for each attribute, how it was seen
    - `profile`, `base_url`, `model`: who was asked; `requests`: how many were sent

    `frame()` gives it as a DataFrame.
    """

    profile: str
    base_url: str
    model: str
    requests: int = 0
    streaming: bool | None = None
    stream_usage: bool | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    logprob_basis: LogprobBasis = "unknown"
    n: bool | None = None
    tools: bool | None = None
    schema: bool | None = None
    seed: bool | None = None
    continuation: bool | None = None
    continuation_extra: dict[str, Any] = {}
    continuation_repeats: bool | None = None
    notes: dict[str, str] = {}

    def frame(self) -> pd.DataFrame:
        """Give one row for each question: `feature`, `found`, `meaning`, `note` (all strings)."""
        from nbchat.frames.features import features

        return features(self._rows())

    def _rows(self) -> list[tuple[str, str, str, str]]:
        return [
            (name, _in_words(getattr(self, name)), meaning, visible(self.notes.get(name, "")))
            for name, meaning in _MEANINGS.items()
        ]

    def title(self) -> str:
        """Say who was asked."""
        return visible(f"{self.model or 'the default model'} at {self.base_url}")

    def __repr__(self) -> str:
        rows = [(name, value, note or meaning) for name, value, meaning, note in self._rows()]
        widths = [max(len(row[place]) for row in rows) for place in (0, 1)]
        lines = [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c}".rstrip() for a, b, c in rows]
        return "\n".join([self.title(), *lines])

    def _repr_html_(self) -> str:
        def row(tag: str, cells: tuple[str, ...]) -> str:
            shown = "".join(
                f'<{tag} style="text-align: left">{html.escape(cell)}</{tag}>' for cell in cells
            )
            return f"<tr>{shown}</tr>"

        body = "".join(row("td", cells) for cells in self._rows())
        head = row("th", ("feature", "found", "meaning", "note"))
        return (
            f"<table><caption>{html.escape(self.title())}</caption>"
            f"<thead>{head}</thead><tbody>{body}</tbody></table>"
        )


def _in_words(value: object) -> str:
    if value is None or value == "unknown":
        return "unknown"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def continuation(profile: Profile, model: str | None = None) -> Probe:
    """Tell whether a server goes on with a reply that was begun, and what it needs for that.

    What `probe` found is used where it was asked; else one short request is sent, and a
    second one with the fields that vLLM wants where the first begins a new message. Of the
    result only the attributes `continuation…` mean something.
    """
    name = model or profile.model or ""
    key = (endpoint(profile.name, profile.base_url), name)
    known: Probe | None = STATE.probes.get(key) or STATE.continuations.get(key)
    if known is None:
        # a stream and a whole answer can differ in whether they repeat what was begun
        known = Probe(profile=profile.name, base_url=profile.base_url, model=name, streaming=True)
        watcher = PrintingWatcher()
        watcher.status(f"Asking {known.title()} whether it goes on with a reply.")
        try:
            Asking(client_in_steps(profile), known).ask_continuation()
        finally:
            watcher.status("")
        if known.continuation is not None:
            STATE.continuations[key] = known
    return known


def probe(
    profile: str | Profile | None = None, *, model: str | None = None, again: bool = False
) -> Probe:
    """Ask a server a few short questions, and tell what it supports.

    These are 11 to 20 requests of a few tokens each, and no runs. `profile` is what
    `nbchat.chat` takes, None the one in force; `model` the one to ask, else the profile's.
    What is found is remembered for the server and the model in this process, and asked anew
    only with ``again=True``; runs that come later have their `logprob_basis`. A server that
    ignores the temperature looks like one whose log probabilities are raw.

    Raise `ApiError` or `TransportError` where not even a plain request is answered.
    """
    target = resolved(profile, PrintingWatcher().status)
    check_model(target, {"model": model} if model else {})
    name = model or target.model or ""
    key = (endpoint(target.name, target.base_url), name)
    if key not in STATE.probes or again:
        result = Probe(profile=target.name, base_url=target.base_url, model=name)
        watcher = PrintingWatcher()
        watcher.status(f"Asking {result.title()} what it supports.")
        try:
            Asking(client_in_steps(target), result).ask_all()
        finally:
            watcher.status("")
        STATE.probes[key] = result
        STATE.logprob_bases[key] = result.logprob_basis
    known: Probe = STATE.probes[key]
    return known
