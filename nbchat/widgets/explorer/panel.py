"""The explorer: the panel, and what a notebook can ask of it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
import traitlets

from nbchat import session
from nbchat.api.fields import FIELDS
from nbchat.client import presets
from nbchat.code import Draft, as_call, as_cell, as_curl, as_json, as_openai, draft_of
from nbchat.errors import CheckError, NbchatError
from nbchat.request.describe import attached
from nbchat.request.draft import copied, value_copied
from nbchat.run import Run
from nbchat.session.pool import AT_ONCE, checked_at_once
from nbchat.widgets.controls import controls, groups
from nbchat.widgets.explorer.attached import Attachments
from nbchat.widgets.explorer.entries import Entry, sentence_of
from nbchat.widgets.explorer.form import (
    NO_PROMPT,
    default_model,
    edited,
    form_of,
    is_empty,
    refuse_credentials,
    shown_fields,
)
from nbchat.widgets.explorer.picture import picture
from nbchat.widgets.explorer.pinned_comparison import comparison
from nbchat.widgets.explorer.probabilities import alternatives_record, tokens_record
from nbchat.widgets.explorer.questions import Questions
from nbchat.widgets.explorer.running import Runner
from nbchat.widgets.explorer.screen import Screen
from nbchat.widgets.stand_in import Panel, joined

if TYPE_CHECKING:
    import pandas as pd

    from nbchat.client import Profile

_PARTS = (
    "dom", "temper", "controls", "form", "attached", "messages", "calls", "reply", "vary", "tokens",
    "records", "main",
)  # fmt: skip
_MOST_VALUES = 24
_CODE: Mapping[str, Callable[[Draft], str]] = {
    "cell": as_cell,
    "call": as_call,
    "openai": as_openai,
    "curl": as_curl,
    "json": as_json,
}
_NO_RUNS = "This panel has no run yet: press Run, or call explorer.run()."


class Explorer(Panel):
    """A panel that builds a request, sends it and shows what comes. Made by `nbchat.explore`.

    - `draft`: a copy of the request as it stands, a `nbchat.code.Draft`; set it to anything
      that `nbchat.explore` opens, to show that; ``show()`` does the same
    - ``run()`` sends it, ``vary(name, values)`` once for each value of a field; ``wait()``
      waits for what runs, ``stop()`` stops it
    - `runs`: DataFrame, one row for each run of the panel (see `nbchat.runs`), failed and
      interrupted ones included; ``tokens()``, ``alternatives()``, ``usage()``: of all of them
    - `last`: the latest `Run`

    What runs, runs in threads, and the kernel is idle meanwhile. ``close()`` stops it.
    """

    _esm = joined("stand_in.js", *(f"explorer/{part}.js" for part in _PARTS))
    _css = joined("explorer/explorer.css")
    opening = traitlets.Dict().tag(sync=True)

    def __init__(self, draft: Draft, profiles: Mapping[str, Profile] | None = None):
        self._draft = draft
        self._profiles = {**(profiles or {})}
        self._base: str | None = None
        self._attachments = Attachments()
        # Jupyter hands messages over in threads of its own (subshells)
        self._lock = threading.RLock()
        super().__init__(opening=self._opening())
        self._screen = Screen(self.send)
        self._questions = Questions(self.send)
        self._runner = Runner(
            self._screen.want, self.refresh_stand_in, self._profiles, self._questions
        )
        self.on_msg(self._take)

    @property
    def draft(self) -> Draft:
        """A copy of the request as it stands, right or wrong."""
        return copied(self._draft)

    @draft.setter
    def draft(self, source: Any) -> None:
        self.show(source)

    def show(self, source: Any) -> None:
        """Show a request: of a run (with its reply), params, a mapping, a draft, a cell's text.

        What names no profile is for the panel's own. Raise what `nbchat.code.draft_of` raises.
        """
        found = copied(attached(draft_of(source, notebook_variables())))
        with self._lock:
            if found.profile is None and not isinstance(source, Draft):
                found = msgspec.structs.replace(found, profile=self._draft.profile)
            self._set_draft(found)
            if isinstance(source, Run):
                self._screen.open([self._entry_of(source, found)])
        self.refresh_stand_in()

    def show_reply(self, run: Run) -> None:
        """Show the reply of a run, and leave the request as it stands."""
        with self._lock:
            self._screen.open([self._entry_of(run, copied(attached(draft_of(run))))])
        self.refresh_stand_in()

    def run(self) -> None:
        """Send the request, as the button does; what still runs is stopped, and kept.

        Raise `CheckError` where it breaks a rule.
        """
        sentence = self._run()
        if sentence:
            raise CheckError(sentence)

    def vary(self, name: str, values: Iterable[Any], *, at_once: int = AT_ONCE) -> None:
        """Send the request once for each value of one field, `at_once` of them together.

        Raise `CheckError` where a value breaks a rule; then nothing is sent.
        """
        if isinstance(values, str) or not isinstance(values, Iterable):
            raise CheckError(
                f"{name} varies over a list of values, not over {values!r}.", field=name
            )
        given = [value_copied(value, name) for value in values]
        sentence = self._vary(name, given, checked_at_once(at_once))
        if sentence:
            raise CheckError(sentence, field=name)

    def wait(self) -> None:
        """Wait until nothing runs. An interrupt stops what runs, and keeps what has come."""
        self._runner.wait()
        self.send_stand_in()

    def stop(self) -> None:
        """Stop what runs. What has come is kept."""
        self._runner.stop()

    @property
    def runs(self) -> pd.DataFrame:
        """One row for each run of this panel, in the order of their start (see `nbchat.runs`)."""
        from nbchat import frames

        return frames.runs(self._runs())

    @property
    def last(self) -> Run:
        """The latest run. Raise LookupError where there is none yet."""
        runs = self._runs()
        if not runs:
            raise LookupError(_NO_RUNS)
        return runs[-1]

    def tokens(self) -> pd.DataFrame:
        """Give the tokens of all runs of this panel (see `nbchat.tokens`)."""
        from nbchat import frames

        return frames.tokens(self._runs())

    def alternatives(self) -> pd.DataFrame:
        """Give the alternatives of all runs of this panel (see `nbchat.alternatives`)."""
        from nbchat import frames

        return frames.alternatives(self._runs())

    def usage(self) -> pd.DataFrame:
        """Give the usage of all runs of this panel, a row for each (see `nbchat.usage`)."""
        from nbchat import frames

        return frames.usage(self._runs())

    def close(self) -> None:
        """Stop what runs and take the panel out of the page; runs and picture stay."""
        if hasattr(self, "_runner"):
            self._runner.close()
            self._screen.close()
        super().close()

    def stand_in_html(self) -> str:
        """Give the request and the replies that are shown as static HTML."""
        return picture(self._draft, self._screen.shown)

    def __repr__(self) -> str:
        count = len(self._runs())
        return f"<Explorer, {count} run{'' if count == 1 else 's'}>"

    def _runs(self) -> list[Run]:
        return [entry.run for entry in self._screen.entries if entry.run is not None]

    def _opening(self) -> dict[str, Any]:
        from nbchat.plots.heatmap import SCALE, ink

        return {
            "controls": controls(),
            "open": [group["name"] for group in groups() if group["is_open"]],
            "profiles": [*dict.fromkeys([*self._profiles, *presets.names()])],
            "scale": [[least, colour, ink(colour)] for least, colour in SCALE],
            "form": self._form(),
        }

    def _form(self) -> dict[str, Any]:
        model = default_model(self._draft, self._profiles)
        found = form_of(self._draft, model, self._attachments)
        if self._draft.profile in self._profiles:
            found["problems"].pop("profile", None)
        return found

    def _set_draft(self, draft: Draft, **about: Any) -> None:
        refuse_credentials(draft)
        is_other_profile = draft.profile != self._draft.profile
        self._draft = draft
        self.send({"on": "form", "form": self._form(), **about})
        if is_other_profile:
            self._offer_models()

    def _entry_of(self, run: Run, draft: Draft) -> Entry:
        """Give the entry of a run, a new one where the panel does not have it."""
        for entry in self._screen.entries:
            if entry.run is run:
                return entry
        entry = Entry(draft, self._next_number(), run=run)
        self._screen.entries.append(entry)
        return entry

    def _next_number(self) -> int:
        return len(self._screen.entries) + 1

    def _run(self) -> str:
        """Start the draft; give the sentence that says why it waits, else ""."""
        with self._lock:
            sentence = self._why_not(self._draft)
            return sentence or self._start([Entry(self._draft, self._next_number())])

    def _why_not(self, draft: Draft) -> str:
        if is_empty(draft):
            return NO_PROMPT
        form = form_of(draft, default_model(draft, self._profiles), self._attachments)
        if draft.profile in self._profiles:
            form["problems"].pop("profile", None)
        return next(iter(form["problems"].values()), "")

    def _start(self, entries: list[Entry], *, varies: bool = False, at_once: int = AT_ONCE) -> str:
        try:
            self._runner.start(entries, at_once=at_once)
        except NbchatError as error:
            return sentence_of(error)
        self._screen.entries.extend(entries)
        self._screen.open(entries, varies=varies)
        return ""

    def _vary(self, name: str, values: list[Any], at_once: int = AT_ONCE) -> str:
        """Start the draft at each value; give the sentence that says why it waits, else ""."""
        if name not in FIELDS():
            return f"{name} is not a field of the request."
        if not 0 < len(values) <= _MOST_VALUES:
            return f"{name} takes 1 to {_MOST_VALUES} values at a time, not {len(values)}."
        with self._lock:
            drafts = [
                edited(self._draft, {"fields": {name: value}}, notebook_variables())[0]
                for value in values
            ]
            sentences = [sentence for draft in drafts if (sentence := self._why_not(draft))]
            if sentences:
                return sentences[0]
            first = self._next_number()
            entries = [
                Entry(draft, first + k, f"{name} {_shown(shown_fields(draft).get(name))}")
                for k, draft in enumerate(drafts)
            ]
            return self._start(entries, varies=True, at_once=at_once)

    def _take(self, _panel: Any, content: Any, _buffers: Any) -> None:
        """Do what a page asks for. Jupyter calls it, with JSON that the page has sent."""
        if not isinstance(content, dict) or content.get("do") not in _DOES:
            return
        view = content.get("view")
        try:
            with self._lock:
                _DOES[content["do"]](self, content)
        except Exception as error:  # noqa: BLE001 - the page tells it, and goes on
            self.send(_refused(content["do"], view, sentence_of(error)))
        self.send({"on": "told"})

    def _do_hello(self, content: dict[str, Any]) -> None:
        self.send({"on": "form", "form": self._form(), "by": content["view"], "seq": 0})
        self._screen.tell_all(content["view"])
        self._questions.tell_all()
        self._offer_models()

    def _do_edit(self, content: dict[str, Any]) -> None:
        if "messages" in content:
            content = {**content, "messages": self._attachments.from_page(content["messages"])}
        draft, note = edited(self._draft, content, notebook_variables())
        about = {"by": content["view"], "seq": content.get("seq", 0), "note": note}
        self._set_draft(draft, **about)

    def _do_attach(self, content: dict[str, Any]) -> None:
        part = self._attachments.part_of(content["kind"], content["name"], content["data"])
        messages = [*self._draft.messages] or [{"role": "user", "content": ""}]
        message = messages[content["place"]]
        said = message.get("content")
        own = [{"type": "text", "text": said}] if isinstance(said, str) and said.strip() else said
        messages[content["place"]] = {**message, "content": [*(own or ()), part]}
        draft = msgspec.structs.replace(self._draft, messages=messages)
        self._set_draft(draft, note=f"{content['name']} is attached.")

    def _do_reset(self, _content: dict[str, Any]) -> None:
        model = {name: v for name, v in self._draft.fields.items() if name == "model"}
        draft = msgspec.structs.replace(self._draft, fields=model, extra={})
        self._set_draft(draft, note="All parameters are unset; the model and the messages stay.")

    def _do_run(self, content: dict[str, Any]) -> None:
        sentence = self._run()
        if sentence:
            self.send(_refused("run", content["view"], sentence))

    def _do_stop(self, _content: dict[str, Any]) -> None:
        self.stop()

    def _do_answer(self, content: dict[str, Any]) -> None:
        self._questions.answer(content["id"], is_wanted=content["yes"] is True)

    def _do_vary(self, content: dict[str, Any]) -> None:
        sentence = self._vary(content["name"], content["values"])
        if sentence:
            self.send(_refused("vary", content["view"], sentence))

    def _do_show(self, content: dict[str, Any]) -> None:
        entry = self._found(content)
        self._set_draft(entry.draft, note=f"Back at request #{entry.number}.")
        self._screen.open([entry])
        self.refresh_stand_in()

    def _do_pin(self, content: dict[str, Any]) -> None:
        entry = self._found(content)
        entry.is_pinned = not entry.is_pinned
        self._screen.want()

    def _do_compare(self, content: dict[str, Any]) -> None:
        self._base = content.get("base") or self._base
        pinned = [entry for entry in self._screen.entries if entry.is_pinned]
        self.send(comparison(pinned, self._base))

    def _do_tokens(self, content: dict[str, Any]) -> None:
        entry = self._found(content)
        self.send(tokens_record(entry, content["choice"], self._screen.shown))

    def _do_alternatives(self, content: dict[str, Any]) -> None:
        entry = self._found(content)
        start, count = content["start"], content["count"]
        self.send(alternatives_record(entry, content["choice"], start, count))

    def _do_code(self, _content: dict[str, Any]) -> None:
        self.send({"on": "code", "texts": {name: _written(self._draft, name) for name in _CODE}})

    def _do_models(self, _content: dict[str, Any]) -> None:
        self._offer_models()

    def _found(self, content: dict[str, Any]) -> Entry:
        return next(entry for entry in self._screen.entries if entry.id == content["id"])

    def _offer_models(self) -> None:
        """Tell the pages which models there are; a silent server keeps nobody waiting."""
        name = self._draft.profile
        profile = self._profiles.get(name, name) if name is not None else None

        def ask() -> None:
            try:
                names = session.models(profile, timeout_s=3.0)
            except Exception:  # noqa: BLE001 - the list is a convenience: any name can be typed
                names = []
            if self._draft.profile == name:
                self.send({"on": "models", "names": names})

        threading.Thread(target=ask, name="nbchat-explore-models", daemon=True).start()


_DOES: Mapping[str, Callable[[Explorer, dict[str, Any]], None]] = {
    name.removeprefix("_do_"): function
    for name, function in vars(Explorer).items()
    if name.startswith("_do_")
}


def notebook_variables() -> dict[str, Any]:
    """Give the notebook's variables, for what the text of a cell names."""
    return vars(sys.modules["__main__"])


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _written(draft: Draft, form: str) -> str:
    try:
        return _CODE[form](draft)
    except (NbchatError, ValueError) as error:
        return sentence_of(error)


def _refused(what: str, view: Any, sentence: str) -> dict[str, Any]:
    return {"on": "refused", "what": what, "by": view, "sentence": sentence}
