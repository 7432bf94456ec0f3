"""What a panel stands at and what it has run; the faces of it are the page and Python."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from nbchat.code import Draft
from nbchat.code.inline_data import base64_in
from nbchat.errors import CheckError, NbchatError
from nbchat.session.pool import AT_ONCE
from nbchat.widgets.explorer import axes, kept_state, variables
from nbchat.widgets.explorer.attached import Attachments
from nbchat.widgets.explorer.axes import Axis
from nbchat.widgets.explorer.conversation import continued, texts_of
from nbchat.widgets.explorer.entries import Entry, sentence_of
from nbchat.widgets.explorer.form import (
    NO_PROMPT,
    default_model,
    form_of,
    functions_of,
    is_empty,
    refuse_credentials,
)
from nbchat.widgets.explorer.kept_state import Situation
from nbchat.widgets.explorer.lanes import lanes_along, names_of
from nbchat.widgets.explorer.notebook import notebook_variables
from nbchat.widgets.explorer.questions import Questions
from nbchat.widgets.explorer.running import Runner
from nbchat.widgets.explorer.screen import Screen
from nbchat.widgets.explorer.variables import MOST_LANES, Variables

if TYPE_CHECKING:
    from nbchat.client import Profile
    from nbchat.run import Run

_MOST_UNDONE = 50
#: characters of a state that are kept in the notebook
_MOST_KEPT = 2_000_000
#: characters of base64 that are not told again with each letter that is typed
_LARGE = 20_000
_KEPT_AFTER_S = 1.0


class Desk:
    """The request, its variables, and the runs of one panel.

    `send` takes a message for the pages, from whatever thread; `changed` is called when the
    picture has changed.
    """

    def __init__(
        self,
        draft: Draft,
        profiles: Mapping[str, Profile],
        send: Callable[[dict[str, Any]], object],
        changed: Callable[[], None],
    ):
        self.draft = draft
        self.variables = Variables()
        self.literal: set[str] = set()
        self.profiles = profiles
        self.attachments = Attachments()
        # Jupyter hands messages over in threads of its own (subshells)
        self.lock = threading.RLock()
        self.send = send
        self.changed = changed
        self.screen = Screen(self._pass_on)
        self.questions = Questions(self._pass_on)
        self.runner = Runner(self.screen.want, changed, profiles, self.questions)
        #: called when the profile of the request is another one
        self.on_other_profile: Callable[[], None] = lambda: None
        #: names of the fields that only the server in force takes
        self.server_fields: list[str] = []
        #: whether a page keeps the state in the notebook
        self.is_kept = False
        self._past: list[Situation] = []
        self._opened: Situation | None = None
        self._told_kept: Any = None
        self._keeping: threading.Timer | None = None

    @property
    def situation(self) -> Situation:
        """What the panel stands at."""
        return Situation(self.draft, self.variables)

    @property
    def entries(self) -> list[Entry]:
        """All requests of the panel, those that were not sent included."""
        return self.screen.entries

    @property
    def names(self) -> list[str]:
        """The names that the messages ask for."""
        return names_of(self.situation, self.literal)

    def runs(self) -> list[Run]:
        """Give the runs, in the order of their start."""
        return [entry.run for entry in self.entries if entry.run is not None]

    def open_at(self) -> str:
        """Take the state for the one that the cell says; give what tells it from another."""
        self._opened = self.situation
        return kept_state.origin_of(self.situation)

    @property
    def is_as_opened(self) -> bool:
        """Whether nothing was changed or run yet."""
        return _is_same(self.situation, self._opened) and not self.entries

    def form(self) -> dict[str, Any]:
        """Give the request as the page shows it."""
        model = default_model(self.draft, self.profiles)
        form = form_of(self.draft, model, self.attachments)
        if self.draft.profile in self.profiles:
            form["problems"].pop("profile", None)
        notebook = notebook_variables()
        names = variables.names_in(self.draft.messages, self.literal)
        form["variables"] = variables.facts(self.variables, names, notebook)
        form["data"] = self.variables.data
        form["is_raw"] = self.variables.is_raw
        form["lanes"], sentence = self._lane_facts(names)
        if sentence:
            form["problems"].setdefault("variables", sentence)
        form["callable"] = sorted(functions_of(self.draft))
        return form

    def set(
        self,
        draft: Draft | None = None,
        new_variables: Variables | None = None,
        *,
        undo: str = "",
        **about: Any,
    ) -> None:
        """Change the request and tell the pages; with `undo` it can be undone, and that says so."""
        draft = self.draft if draft is None else draft
        refuse_credentials(draft)
        is_other_profile = draft.profile != self.draft.profile
        before = self.situation
        self.draft = draft
        self.variables = self.variables if new_variables is None else new_variables
        if undo and not _is_same(before, self.situation):
            self._past = [*self._past, before][-_MOST_UNDONE:]
            about = {**about, "note": undo, "undo": True}
        self.tell(**about)
        if is_other_profile:
            self.on_other_profile()

    def tell(self, **about: Any) -> None:
        """Tell the pages how the request stands."""
        self.send({"on": "form", "form": self.form(), **about})
        self._keep()

    def undo(self) -> None:
        """Take the last change back that can be undone. Raise CheckError where there is none."""
        if not self._past:
            raise CheckError("There is nothing to undo.")
        situation = self._past.pop()
        self.set(situation.draft, situation.variables, note="Undone.")

    def keep_unsent(self) -> None:
        """Keep what was written and never sent as a row of the history."""
        now = self.situation
        known = [self._opened, *(entry.situation for entry in self.entries)]
        is_new = not any(_is_same(now, other) for other in known)
        if is_empty(self.draft) or not is_new:
            return
        entry = Entry(self.draft, self.next_number(), variables=self.variables)
        entry.state = "unsent"
        self.entries.append(entry)
        self.screen.want()

    def entry(self, entry_id: str) -> Entry:
        """Give the entry of an id."""
        return next(entry for entry in self.entries if entry.id == entry_id)

    def entry_of(self, run: Run, draft: Draft) -> Entry:
        """Give the entry of a run, a new one where the panel does not have it."""
        for entry in self.entries:
            if entry.run is run:
                return entry
        self.take_literally(run)
        entry = Entry(draft, self.next_number(), run=run)
        self.entries.append(entry)
        return entry

    def take_literally(self, run: Run) -> None:
        """Take what a run said and was told for texts, and never for templates."""
        self.literal |= texts_of(run.messages)

    def go_on(self, run: Run, choice: int = 0, text: str = "") -> None:
        """Make a reply a part of the conversation, and say `text` where nothing else is due."""
        messages = continued(run, choice)
        self.keep_unsent()
        self.literal |= texts_of(messages)
        if messages[-1]["role"] == "user":
            messages[-1]["content"] = text
        draft = msgspec.structs.replace(self.draft, messages=messages)
        self.set(draft, undo="The reply is a part of the conversation.")

    def next_number(self) -> int:
        """Give the number of the next request."""
        return max((entry.number for entry in self.entries), default=0) + 1

    def run(self) -> str:
        """Start the request, a lane for each of several values; say why it waits, else ""."""
        return self.vary((), repeats=1)

    def vary(
        self,
        along: Sequence[Axis],
        *,
        repeats: int = 1,
        has_seeds: bool = False,
        at_once: int = AT_ONCE,
    ) -> str:
        """Start a lane for each combination of values; say why it waits, else ""."""
        with self.lock:
            try:
                entries, n_columns = self.lanes(along, repeats=repeats, has_seeds=has_seeds)
            except NbchatError as error:
                return sentence_of(error)
            sentences = (sentence for entry in entries if (sentence := self._why_not(entry.sent)))
            return next(sentences, "") or self.start(
                entries, varies=len(entries) > 1, n_columns=n_columns, at_once=at_once
            )

    def lanes(
        self, along: Sequence[Axis], *, repeats: int = 1, has_seeds: bool = False
    ) -> tuple[list[Entry], int]:
        """Give the requests of all combinations, and how many stand in a row (0: as they fit).

        Raise CheckError where there are none or too many, or one cannot be made.
        """
        self.check_axes(along, repeats)
        return lanes_along(
            self.situation,
            along,
            self.literal,
            first=self.next_number(),
            repeats=repeats,
            has_seeds=has_seeds,
        )

    def check_axes(self, along: Sequence[Axis], repeats: int) -> None:
        """Raise CheckError for an axis that is nothing of the request, or has no values."""
        if not 0 < repeats <= MOST_LANES:
            raise CheckError(f"It is repeated 1 to {MOST_LANES} times, not {repeats}.")
        if len({axis.name for axis in along}) < len(along):
            raise CheckError(f"{along[0].name} cannot be both axes.", field=along[0].name)
        for name, values in along:
            if not self.is_axis(name):
                raise CheckError(f"{name} is not a field of the request.", field=name)
            if not values:
                raise CheckError(
                    f"{name} takes 1 to {MOST_LANES} values at a time, not 0.", field=name
                )

    def is_axis(self, name: str) -> bool:
        """Tell whether something of the request has this name."""
        known = (self.names, self.draft.extra, self.server_fields)
        return axes.is_field(name) or any(name in names for names in known)

    def start(
        self,
        entries: Sequence[Entry],
        *,
        varies: bool = False,
        n_columns: int = 0,
        at_once: int = AT_ONCE,
    ) -> str:
        """Send entries and show them; say why they wait, else ""."""
        try:
            self.runner.start(entries, at_once=at_once)
        except NbchatError as error:
            return sentence_of(error)
        self.entries.extend(entries)
        self.screen.open(entries, varies=varies, n_columns=n_columns)
        return ""

    def _pass_on(self, message: dict[str, Any]) -> None:
        self.send(message)

    def _why_not(self, draft: Draft) -> str:
        if is_empty(draft):
            return NO_PROMPT
        form = form_of(draft, default_model(draft, self.profiles), self.attachments)
        if draft.profile in self.profiles:
            form["problems"].pop("profile", None)
        return next(iter(form["problems"].values()), "")

    def _lane_facts(self, names: Sequence[str]) -> tuple[str, str]:
        """Say how many lanes the variables make, and what is wrong with them."""
        if self.variables.is_raw or not names:
            return "", ""
        notebook = notebook_variables()
        try:
            lanes = variables.lanes_of(self.variables, names, notebook)
            for lane in lanes.first[:1]:
                variables.filled(self.draft, {**notebook, **lane.values}, self.literal)
        except NbchatError as error:
            return "", sentence_of(error)
        if lanes.n_all <= 1:
            return "", ""
        shown = f"{lanes.n_all:,} replies side by side"
        if lanes.n_all > MOST_LANES:
            shown = f"the first {MOST_LANES} of {lanes.n_all:,}"
        return shown, ""

    def _keep(self) -> None:
        """Tell the pages what to keep in the notebook; what is large a moment later, once."""
        n_attached = sum(map(len, base64_in(self.draft.messages)))
        if n_attached <= _LARGE:
            self._keep_now()
        elif n_attached <= _MOST_KEPT and self._keeping is None:
            self._keeping = threading.Timer(_KEPT_AFTER_S, self._keep_now)
            self._keeping.daemon = True
            self._keeping.start()

    def _keep_now(self) -> None:
        self._keeping = None
        try:
            kept = kept_state.as_json(self.situation, self.literal)
        except NbchatError:
            return
        if kept == self._told_kept or len(msgspec.json.encode(kept)) > _MOST_KEPT:
            return
        self._told_kept = kept
        self.send({"on": "keep", "state": kept})


def _is_same(one: Any, other: Any) -> bool:
    try:
        return bool(one == other)
    except (TypeError, ValueError):  # tables and arrays are neither equal nor unequal
        return False
