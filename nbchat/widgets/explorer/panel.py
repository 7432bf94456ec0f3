"""The explorer: the panel, and what a notebook can ask of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import traitlets
from msgspec import UNSET

from nbchat.client import presets
from nbchat.code import Draft, draft_of
from nbchat.errors import CheckError
from nbchat.request.describe import attached
from nbchat.request.draft import copied, value_copied
from nbchat.run import Run
from nbchat.session.pool import AT_ONCE, checked_at_once
from nbchat.widgets.controls import controls, groups
from nbchat.widgets.explorer import session_file, variables
from nbchat.widgets.explorer.answers import Answers
from nbchat.widgets.explorer.axes import Axis
from nbchat.widgets.explorer.desk import Desk
from nbchat.widgets.explorer.notebook import notebook_variables
from nbchat.widgets.explorer.picture import picture
from nbchat.widgets.explorer.variables import Several
from nbchat.widgets.stand_in import Panel, joined

if TYPE_CHECKING:
    import pandas as pd

    from nbchat.client import Profile

_PARTS = (
    "dom", "temper", "notebook", "controls", "large", "builder", "form", "attached", "messages",
    "variables", "calls", "reply", "vary", "tokens", "records", "session", "main",
)  # fmt: skip
_NO_RUNS = "This panel has no run yet: press Run, or call explorer.run()."


class Explorer(Panel):
    """A panel that builds a request, sends it and shows what comes. Made by `nbchat.explore`.

    - `draft`: a copy of the request as it stands, a `nbchat.code.Draft`; set it to anything
      that `nbchat.explore` opens, to show that; ``show()`` does the same
    - `variables`: what ``{{ name }}`` in the messages stands for; set it to a mapping, in which a
      list is several values, a reply for each
    - `data`: the name of a DataFrame of the notebook, for each of whose rows there is a reply
    - ``run()`` sends it, ``vary(name, values)`` once for each value of a field; ``wait()``
      waits for what runs, ``stop()`` stops it
    - ``go_on(text)`` makes the latest reply a part of the conversation
    - `runs`: DataFrame, one row for each run of the panel (see `nbchat.runs`), failed and
      interrupted ones included, with `mark` and `note`; ``tokens()``, ``alternatives()``,
      ``usage()``: of all of them
    - `last`: the latest `Run`
    - ``save("session.json")`` writes request, runs, pins and marks; `nbchat.explore` opens it

    What runs, runs in threads, and the kernel is idle meanwhile. ``close()`` stops it.
    """

    _esm = joined("stand_in.js", *(f"explorer/{part}.js" for part in _PARTS))
    _css = joined("explorer/explorer.css")
    opening = traitlets.Dict().tag(sync=True)

    def __init__(self, draft: Draft, profiles: Mapping[str, Profile] | None = None):
        self._desk = Desk(draft, {**(profiles or {})}, self._tell, self.refresh_stand_in)
        self._origin = self._desk.open_at()
        self._answers = Answers(self._desk, lambda: self._origin)
        super().__init__(opening=self._opening())
        self._is_closed = False
        self.on_msg(self._take)

    @property
    def draft(self) -> Draft:
        """A copy of the request as it stands, right or wrong."""
        return copied(self._desk.draft)

    @draft.setter
    def draft(self, source: Any) -> None:
        self.show(source)

    @property
    def variables(self) -> dict[str, Any]:
        """What the names in the messages stand for; a list is several values."""
        held = self._desk.variables.values
        return {n: [*v.values] if isinstance(v, Several) else v for n, v in held.items()}

    @variables.setter
    def variables(self, values: Mapping[str, Any]) -> None:
        held = self._desk.variables
        read = variables.as_variables(values)
        with self._desk.lock:
            self._desk.set(None, msgspec.structs.replace(held, values=read))

    @property
    def data(self) -> str:
        """The name of the DataFrame whose rows are the replies; "" where there is none."""
        return self._desk.variables.data

    @data.setter
    def data(self, name: Any) -> None:
        name = variables.name_of(name, notebook_variables())
        with self._desk.lock:
            self._desk.set(None, msgspec.structs.replace(self._desk.variables, data=name))

    def show(self, source: Any) -> None:
        """Show a request: of a run (with its reply), params, a mapping, a draft, a cell's text.

        The path of a session that was saved opens that. What names no profile is for the
        panel's own. Raise what `nbchat.code.draft_of` raises, CheckError where a file is none.
        """
        desk = self._desk
        if session_file.is_path(source):
            self.take_session(session_file.load(source, notebook_variables()))
            return
        draft = copied(attached(draft_of(source, notebook_variables())))
        with desk.lock:
            if draft.profile is None and not isinstance(source, Draft):
                draft = msgspec.structs.replace(draft, profile=desk.draft.profile)
            if isinstance(source, Run):
                desk.take_literally(source)
            desk.keep_unsent()
            desk.set(draft)
            if isinstance(source, Run):
                desk.screen.open([desk.entry_of(source, draft)])
        self.refresh_stand_in()

    def show_reply(self, run: Run) -> None:
        """Show the reply of a run, and leave the request as it stands."""
        desk = self._desk
        with desk.lock:
            desk.screen.open([desk.entry_of(run, copied(attached(draft_of(run))))])
        self.refresh_stand_in()

    def take_session(self, session: session_file.Session) -> None:
        """Show a session that was read."""
        with self._desk.lock:
            self._answers.open(session)

    def run(self) -> None:
        """Send the request, as the button does; what still runs is stopped, and kept.

        Where a variable has several values there is a reply for each. Raise `CheckError` where
        it breaks a rule.
        """
        sentence = self._desk.run()
        if sentence:
            raise CheckError(sentence)

    def go_on(self, text: str = "", *, choice: int = 0) -> None:
        """Make the latest reply a part of the conversation, as the button below it does.

        `text` is what the user says next. Calls that the reply asks for are followed by a message
        for the result of each. Raise LookupError where there is no run yet.
        """
        with self._desk.lock:
            self._desk.go_on(self.last, choice, text)

    def vary(
        self,
        name: str,
        values: Iterable[Any],
        by: str | None = None,
        by_values: Iterable[Any] = (),
        *,
        repeats: int = 1,
        seeds: bool = False,
        at_once: int = AT_ONCE,
    ) -> None:
        """Send the request once for each value of a field, `at_once` of them together.

        `name` is a field, ``system``, ``profile``, a variable of the messages or a field of the
        server's own; `msgspec.UNSET` among the values leaves it out. `by` is a second one, for a
        grid. Each is sent `repeats` times, with `seeds` each time with another seed. At most 24
        replies. Raise `CheckError` where a value breaks a rule; then nothing is sent.
        """
        along = [_axis(name, values), *([_axis(by, by_values)] if by is not None else ())]
        sentence = self._desk.vary(
            along, repeats=repeats, has_seeds=seeds, at_once=checked_at_once(at_once)
        )
        if sentence:
            raise CheckError(sentence, field=name)

    def wait(self) -> None:
        """Wait until nothing runs. An interrupt stops what runs, and keeps what has come."""
        self._desk.runner.wait()
        self.send_stand_in()

    def stop(self) -> None:
        """Stop what runs. What has come is kept."""
        self._desk.runner.stop()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write request, variables, runs, pins, marks and notes to a ``.json`` file, without keys.

        `nbchat.explore` and ``show()`` open it. Give its path. Raise CheckError for another
        suffix, and where there is no such folder.
        """
        with self._desk.lock:
            written: Path = self._answers.save(path)
        return written

    @property
    def runs(self) -> pd.DataFrame:
        """One row for each run of this panel, in the order of their start (see `nbchat.runs`).

        Beside that `mark` ("good", "bad" or "") and `note`, the user's own.
        """
        from nbchat import frames

        entries = [entry for entry in self._desk.entries if entry.run is not None]
        frame = frames.runs(self._desk.runs())
        frame["mark"] = [entry.mark for entry in entries]
        frame["note"] = [entry.note for entry in entries]
        return frame

    @property
    def last(self) -> Run:
        """The latest run. Raise LookupError where there is none yet."""
        runs = self._desk.runs()
        if not runs:
            raise LookupError(_NO_RUNS)
        return runs[-1]

    def tokens(self) -> pd.DataFrame:
        """Give the tokens of all runs of this panel (see `nbchat.tokens`)."""
        from nbchat import frames

        return frames.tokens(self._desk.runs())

    def alternatives(self) -> pd.DataFrame:
        """Give the alternatives of all runs of this panel (see `nbchat.alternatives`)."""
        from nbchat import frames

        return frames.alternatives(self._desk.runs())

    def usage(self) -> pd.DataFrame:
        """Give the usage of all runs of this panel, a row for each (see `nbchat.usage`)."""
        from nbchat import frames

        return frames.usage(self._desk.runs())

    def close(self) -> None:
        """Stop what runs and take the panel out of the page; runs and picture stay."""
        self._is_closed = True
        if hasattr(self, "_desk"):
            self._desk.runner.close()
            self._desk.screen.close()
        super().close()

    def stand_in_html(self) -> str:
        """Give the request and the replies that are shown as static HTML."""
        desk = self._desk
        return picture(desk.draft, desk.screen.shown, is_kept=desk.is_kept)

    def __repr__(self) -> str:
        count = len(self._desk.runs())
        return f"<Explorer, {count} run{'' if count == 1 else 's'}>"

    def _take(self, _panel: Any, content: Any, _buffers: Any) -> None:
        if not self._is_closed:  # its page may be there for a moment
            self._answers.take(content)

    def _tell(self, message: dict[str, Any]) -> None:
        self.send(message)

    def _opening(self) -> dict[str, Any]:
        from nbchat.plots.heatmap import SCALE, ink

        return {
            "controls": controls(),
            "open": [group["name"] for group in groups() if group["is_open"]],
            "profiles": [*dict.fromkeys([*self._desk.profiles, *presets.names()])],
            "scale": [[least, colour, ink(colour)] for least, colour in SCALE],
            "form": self._desk.form(),
            "origin": self._origin,
        }


def _axis(name: str, values: Iterable[Any]) -> Axis:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise CheckError(f"{name} varies over a list of values, not over {values!r}.", field=name)
    return Axis(name, [v if v is UNSET else value_copied(v, name) for v in values])
