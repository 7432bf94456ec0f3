"""One request of the panel and what came of it, and the words in which the panel tells it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from nbchat.code import changed_fields
from nbchat.display.characters import visible
from nbchat.display.grey_line import grey_line
from nbchat.display.reply import shown_text
from nbchat.errors import NbchatError
from nbchat.redact import redact_keys

if TYPE_CHECKING:
    from nbchat.code import Draft
    from nbchat.run import Run

State = Literal["waiting", "running", "complete", "interrupted", "error"]
_HEAD = 160
_FEW = 4


class Entry:
    """A request that was asked for. `run` is None until it is sent.

    `label` says what sets it apart from those that were asked with it ("temperature 0.5").
    `line` is what is waited for; `problem` why it never became a run.
    """

    def __init__(self, draft: Draft, number: int, label: str = "", run: Run | None = None):
        self.id = f"entry-{next(_ids)}"
        self.draft = draft
        self.number = number
        self.label = label
        self.run = run
        self.state: State = "waiting"
        self.line = ""
        self.problem = ""
        self.is_pinned = False
        if run is not None and run.status != "running":
            self.state = run.status

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


_ids = itertools.count(1)


def sentence_of(error: BaseException) -> str:
    """Say an error in a sentence, without a key that may stand in it."""
    text = str(error) if isinstance(error, NbchatError) else f"{type(error).__name__}: {error}"
    return visible(redact_keys(text)).strip() or type(error).__name__


def row_of(entry: Entry, before: Entry | None) -> dict[str, Any]:
    """Give an entry as a row of the history; `before` is the one that was asked before it.

    Keys: id, number, state, pinned, changes, text, error, tokens, time, all JSON.
    """
    run = entry.run
    usage: Any = run.usage if run is not None else None
    text = shown_text(run.message) if run is not None else ""
    return {
        "id": entry.id,
        "number": entry.number,
        "state": entry.state,
        "pinned": entry.is_pinned,
        "changes": _changes(entry, before),
        "text": visible(" ".join(text[: 2 * _HEAD].split())[:_HEAD]),
        "error": entry.sentence,
        "tokens": usage.completion_tokens if usage is not None else None,
        "time": f"{run.elapsed_s:.2f} s" if run is not None and run.elapsed_s is not None else "",
    }


def _changes(entry: Entry, before: Entry | None) -> str:
    one = _blank(entry) if before is None else before.draft
    changes = changed_fields([one, entry.draft])[1]
    parts = [name if name == "messages" else f"{name} {value}" for name, value in changes.items()]
    more = f" +{len(parts) - _FEW}" if len(parts) > _FEW else ""
    return visible(", ".join(parts[:_FEW])) + more if parts else "" if before is None else "again"


def _blank(entry: Entry) -> Draft:
    return msgspec.structs.replace(entry.draft, fields={}, extra={})
