"""One request of the panel and what came of it, and the words in which the panel tells it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from nbchat.code import changed_fields
from nbchat.display.characters import visible
from nbchat.display.grey_line import cost_text, grey_line, seconds_text
from nbchat.display.reply import has_something, shown_text
from nbchat.errors import NbchatError
from nbchat.redact import redact_keys
from nbchat.widgets.explorer.kept_state import Situation
from nbchat.widgets.explorer.variables import Variables

if TYPE_CHECKING:
    from nbchat.code import Draft
    from nbchat.run import Run

State = Literal["unsent", "waiting", "running", "complete", "interrupted", "error"]
Verdict = Literal["", "good", "bad"]
_HEAD = 160
_FEW = 4
_ENDINGS = {
    "length": "The reply is empty: it came to its greatest length before it said anything.",
    "content_filter": "The reply is empty: the content filter withheld it.",
}


class Entry:
    """A request that was asked for. `run` is None until it is sent.

    `draft` is the request as it was written, `sent` the same with its names filled in.
    `label` says what sets it apart from those that were asked with it ("temperature 0.5").
    `line` is what is waited for; `problem` why it never became a run. `mark` and `note` are
    the user's.
    """

    def __init__(
        self,
        draft: Draft,
        number: int,
        label: str = "",
        run: Run | None = None,
        *,
        sent: Draft | None = None,
        variables: Variables | None = None,
    ):
        self.id = f"entry-{next(_ids)}"
        self.draft = draft
        self.sent = draft if sent is None else sent
        self.variables = variables or Variables()
        self.number = number
        self.label = label
        self.run = run
        self.state: State = "waiting"
        self.line = ""
        self.problem = ""
        self.is_pinned = False
        self.mark: Verdict = ""
        self.note = ""
        if run is not None and run.status != "running":
            self.state = run.status

    @property
    def situation(self) -> Situation:
        """What the panel stood at."""
        return Situation(self.draft, self.variables)

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes."""
        return self.state not in ("waiting", "running")

    @property
    def sentence(self) -> str:
        """Say what went wrong; empty where nothing did."""
        if self.problem or self.run is None or self.run.error is None:
            return self.problem
        return sentence_of(self.run.error)

    @property
    def facts(self) -> str:
        """The grey line of a run that is over."""
        return grey_line(self.run) if self.run is not None and self.is_over else ""

    @property
    def blank(self) -> str:
        """Say why there is nothing to see of a reply that is over; empty where there is."""
        if not self.is_over or self.sentence:
            return ""
        if self.state == "unsent":
            return "This request was not sent."
        completion = self.run.completion if self.run is not None else None
        choices = completion.choices if completion is not None else []
        if any(has_something(choice.message) for choice in choices):
            return ""
        if self.run is not None and self.run.rounds:
            return "Nothing came after the calls."
        if self.state == "interrupted":
            return "Stopped before the first token."
        return blank_word(next((c.finish_reason for c in choices), None))


_ids = itertools.count(1)


def blank_word(finish_reason: str | None) -> str:
    """Say of a choice that it is empty, and why where that is known."""
    return _ENDINGS.get(finish_reason or "", "The reply is empty.")


def sentence_of(error: BaseException) -> str:
    """Say an error in a sentence, without a key that may stand in it."""
    text = str(error) if isinstance(error, NbchatError) else f"{type(error).__name__}: {error}"
    return visible(redact_keys(text)).strip() or type(error).__name__


def row_of(entry: Entry, before: Entry | None) -> dict[str, Any]:
    """Give an entry as a row of the history; `before` is the one that was asked before it.

    Keys: id, number, state, pinned, changes, text, error, tokens, time, cost, mark, note, all
    JSON.
    """
    run = entry.run
    usage = run.usage if run is not None else None
    text = shown_text(run.message) if run is not None else ""
    if entry.state == "unsent":
        text = _last_text(entry.draft)
    return {
        "id": entry.id,
        "number": entry.number,
        "state": entry.state,
        "pinned": entry.is_pinned,
        "changes": _changes(entry, before),
        "text": visible(" ".join(text[: 2 * _HEAD].split())[:_HEAD]) or entry.blank,
        "error": entry.sentence,
        "tokens": usage.completion_tokens if usage is not None else None,
        "time": seconds_text(run.elapsed_s) if run is not None and run.elapsed_s else "",
        "cost": cost_text(run.cost_usd) if run is not None else "",
        "mark": entry.mark,
        "note": entry.note,
    }


def spent_text(entries: Sequence[Entry]) -> str:
    """Say what runs cost together; empty where there are not two, or none is known to cost."""
    runs = [entry.run for entry in entries if entry.run is not None and entry.is_over]
    known = [run.cost_usd for run in runs if run.cost_usd is not None]
    if len(runs) < 2 or not sum(known):
        return ""
    n_unknown = len(runs) - len(known)
    together = f"{len(runs)} runs {'at least ' if n_unknown else ''}{cost_text(sum(known))}"
    return f"{together}, {n_unknown} of unknown cost" if n_unknown else together


def _last_text(draft: Draft) -> str:
    content = draft.messages[-1].get("content") if draft.messages else ""
    return content if isinstance(content, str) else ""


def _changes(entry: Entry, before: Entry | None) -> str:
    one = _blank(entry) if before is None else before.sent
    changes = changed_fields([one, entry.sent])[1]
    parts = [name if name == "messages" else f"{name} {value}" for name, value in changes.items()]
    more = f" +{len(parts) - _FEW}" if len(parts) > _FEW else ""
    if entry.state == "unsent":
        return "not sent"
    return visible(", ".join(parts[:_FEW])) + more if parts else "" if before is None else "again"


def _blank(entry: Entry) -> Draft:
    return msgspec.structs.replace(entry.sent, fields={}, extra={})
