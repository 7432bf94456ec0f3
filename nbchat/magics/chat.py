"""``%%chat`` and ``%chat``."""

from __future__ import annotations

import re
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from IPython.core.magic import needs_local_scope, no_var_expand
from traitlets import Any as AnyTrait
from traitlets import Dict, Float, Integer, Unicode, observe
from traitlets.config import Configurable

from nbchat import display, session
from nbchat.api.fields import FIELDS
from nbchat.code import template
from nbchat.code.flags import read_line
from nbchat.code.key_guard import refuse_keys
from nbchat.code.line_draft import draft_of_line
from nbchat.display.characters import write
from nbchat.errors import CheckError, MagicUsageError, NbchatError
from nbchat.magics.commands import command_of, refuse_near, show_help
from nbchat.magics.input import WANTED
from nbchat.request.draft import Draft

if TYPE_CHECKING:
    from nbchat.magics.cells import Cells
    from nbchat.request.prepare import Prepared
    from nbchat.run import Run


class SharedSetting(AnyTrait):
    """A default that is the session's: `nbchat.configure` and ``%config`` set the same thing."""

    def get(self, obj: Any, cls: Any = None) -> Any:  # noqa: ARG002 - traitlets' own signature
        return getattr(session.settings, self.name or "")

    def set(self, obj: Any, value: Any) -> None:  # noqa: ARG002 - the same
        if self.name == "profile":
            session.configure(profile=value)
            if value is None:
                session.choose_profile(None)
        elif value is None:
            session.settings.model = None
        else:
            session.configure(model=value)


_PROFILE_HELP = "Where to send it: a name or a base URL. As nbchat.configure(profile=...)."


def _traits() -> dict[str, Any]:
    """Give a trait for each declared field; None leaves it out of the request."""
    kinds = {"model": SharedSetting}
    return {
        field.name: kinds.get(field.name, AnyTrait)(
            None, help=f"{field.description} ({field.type_text})"
        ).tag(config=True)
        for field in FIELDS().values()
    }


# its name is what users type: %config NbChat.temperature = 0.2
class NbChat(Configurable):
    """Defaults of the magics: each field of the request, and nbchat's own."""

    profile = SharedSetting(None, help=_PROFILE_HELP).tag(config=True)
    thread = Unicode("main", help="The conversation of cells that name none.").tag(config=True)
    timeout = Float(None, allow_none=True, help="Longest silence of the server, in seconds.").tag(
        config=True
    )
    max_retries = Integer(None, allow_none=True, help="Tries after the first one.").tag(config=True)
    replay = Unicode(
        None, allow_none=True, help="Answer from the record: off, auto, only or refresh."
    ).tag(config=True)
    history = Unicode(None, allow_none=True, help="Where runs are kept; off for nowhere.").tag(
        config=True
    )
    cassette = Unicode(None, allow_none=True, help="A .jsonl that is recorded and replayed.").tag(
        config=True
    )
    extra = Dict(help="Fields that only this server knows.").tag(config=True)
    locals().update(_traits())

    @observe("history")
    def _move_history(self, change: Any) -> None:
        session.configure(history=change.new or "on")

    @observe("cassette")
    def _take_cassette(self, change: Any) -> None:
        session.configure(cassette=change.new or "off")


def _defaults_of(shell: Any) -> NbChat:
    """Give the defaults as IPython's configuration has them; what is in force already stays."""
    profile, model = session.settings.profile, session.settings.model
    try:
        defaults = NbChat(parent=shell)
    except NbchatError as error:
        write(sys.stderr, f"{error} (It stands in IPython's configuration of NbChat.)\n")
        defaults = NbChat()
    if profile is not None:
        session.settings.profile, session.settings.model = profile, model
    return defaults


def _usage() -> str:
    from nbchat.magics.usage import usage

    return usage()


class ChatMagic:
    """The magic function, and what it needs to know of the notebook."""

    def __init__(self, shell: Any, names: set[str], cells: Cells):
        self.names = names
        self.defaults = _defaults_of(shell)
        self._shell = shell
        self._cells = cells

    @needs_local_scope
    @no_var_expand
    def chat(
        self, line: str, cell: str | None = None, local_ns: dict[str, Any] | None = None
    ) -> Any:
        text = line.removeprefix(WANTED)
        variables = {**self._shell.user_ns, **(local_ns or {})}
        try:
            with session.shortened():
                return self._answer(text, cell, variables, is_wanted=text != line)
        except NbchatError as error:
            # the user's code is the line of the magic, which may hold a key
            error.shows_place = False
            raise

    def _answer(
        self, line: str, cell: str | None, variables: dict[str, Any], *, is_wanted: bool
    ) -> Any:
        """Do what a line asks for; give the run only where its value is wanted: it was shown."""
        if cell is not None and line.split(maxsplit=1)[:1] in (["--help"], ["-h"]):
            show_help()
            return None
        command = None if cell else command_of(line, self.defaults.thread, self._explorer)
        if command is not None:
            return command()
        run = self._ask(line, cell, self._cells.next_key(), variables)
        return run if is_wanted else None

    # IPython asks an object for this before it reads the docstring; making the help takes time
    # that loading the extension does not have
    chat.getdoc = _usage  # type: ignore[attr-defined]

    def models(self, profile: str | None = None) -> list[str]:
        """Name the models of a profile, without one those of the profile that is in force."""
        return session.models(profile)

    def _explorer(self) -> Any:
        """Open the panel with the defaults of the notebook; it is the value of the line."""
        from nbchat.widgets.explorer import explore

        defaults = msgspec.structs.replace(self._defaults(), thread=None)
        return explore(None if defaults == Draft() else defaults)

    def _defaults(self) -> Draft:
        """Give what ``%config NbChat`` sets as a draft."""
        settings = self.defaults
        fields = {name: getattr(settings, name) for name in FIELDS() if name != "model"}
        return Draft(
            fields={name: value for name, value in fields.items() if value is not None},
            extra={**settings.extra},
            thread=settings.thread,
            timeout=settings.timeout,
            max_retries=settings.max_retries,
            replay=settings.replay,
        )

    def _ask(self, line: str, cell: str | None, key: Any, variables: dict[str, Any]) -> Run | None:
        refuse_keys(line)
        flags = read_line(line, takes_text=cell is None)
        if cell is None and not flags.is_ended:
            refuse_near(flags.text)
        notes: list[str] = []
        is_raw = flags.is_set("raw")
        fill = str if is_raw else partial(template.fill, variables=variables, notes=notes)
        defaults = self._defaults()
        text = flags.text if cell is None else cell
        draft = draft_of_line(flags, text, variables, fill, defaults)
        name = flags.name()
        if not (draft.messages or draft.images or draft.audio_in or draft.files):
            raise MagicUsageError("There is no prompt to send. %%chat? shows how to write one.")
        is_dry = flags.is_set("dry-run")
        prepared = self._prepared(draft, defaults, key, is_dry=is_dry)
        prepared.notes.extend(notes)
        if isinstance(prepared.thread, session.Thread):
            order = self._cells.after(prepared.thread.before(key))
            prepared.notes.extend([order] if order else [])
        if is_dry:
            from nbchat.magics.dry_run import mimebundle

            self._shell.display_pub.publish(data=mimebundle(prepared), metadata={})
            return None
        if prepared.thread is not None and (unknown := self._cells.what_is_unknown()):
            prepared.notes.append(unknown)
        if flags.is_set("background"):
            from nbchat.magics.in_background import begin_in_background

            run = begin_in_background(prepared, name)
            if name is not None:
                self._shell.push({name: run})
            return run
        if key in session.STATE.background:
            from nbchat.magics.in_background import stop_earlier

            stop_earlier(key)
        # what functions print, and a warning, would be cleared away with the frames of the reply
        is_noisy = prepared.toolbox or {"functions", "function_call"} & draft.fields.keys()
        is_alone = self._cells.is_alone(self.names) and not is_noisy
        watcher = display.watch(owns_cell=is_alone, sent=prepared.new_messages)
        try:
            with watcher:
                return session.execute(prepared, watcher=watcher)
        finally:
            if name is not None and watcher.run is not None:
                self._shell.push({name: watcher.run})

    def _prepared(self, draft: Draft, defaults: Draft, key: Any, *, is_dry: bool) -> Prepared:
        say = None if is_dry else session.PrintingWatcher().status
        try:
            return session.prepare(draft, cell=key, say=say, is_dry=is_dry)
        except CheckError as error:
            if (missing := _NEEDS.match(error.rule)) and draft.fields.get(error.field) is not None:
                raise _longer(error, f"Add --{missing[1]} to the line.") from None
            name = error.field.split(".")[0].split("[")[0]
            unset = object()
            default = defaults.fields.get(name, unset)
            if default is unset or draft.fields.get(name) is not default:
                raise
            raise _longer(error, f"It was set by %config NbChat.{name}.") from None


_NEEDS = re.compile(r"needs (logprobs|tools)\b")


def _longer(error: CheckError, sentence: str) -> CheckError:
    return CheckError(f"{error} {sentence}", field=error.field, value=error.value, rule=error.rule)
