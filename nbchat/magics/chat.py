"""``%%chat`` and ``%chat``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from IPython.core.magic import needs_local_scope, no_var_expand
from traitlets import Any as AnyTrait
from traitlets import Dict, Float, Integer, Unicode
from traitlets.config import Configurable

from nbchat import display, session
from nbchat.api.check import check, read_text
from nbchat.api.fields import FIELDS
from nbchat.code import template
from nbchat.code.asked import asked_fields, asked_messages
from nbchat.code.flags import Flags, read_line
from nbchat.code.key_guard import refuse_keys
from nbchat.errors import CheckError, MagicUsageError, NbchatError
from nbchat.session import Thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbchat.api.params import ChatParams
    from nbchat.magics.cells import Cells
    from nbchat.structured import Structure
    from nbchat.tools import Tool


def _traits() -> dict[str, Any]:
    """Give a trait for each declared field; None leaves it out of the request."""
    return {
        field.name: AnyTrait(None, help=f"{field.description} ({field.type_text})").tag(config=True)
        for field in FIELDS().values()
    }


# its name is what users type: %config NbChat.temperature = 0.2
class NbChat(Configurable):
    """Defaults of the magics: each field of the request, and nbchat's own."""

    profile = Unicode(None, allow_none=True, help="Where to send it: a name or a base URL.").tag(
        config=True
    )
    thread = Unicode("main", help="The conversation of cells that name none.").tag(config=True)
    timeout = Float(None, allow_none=True, help="Longest silence of the server, in seconds.").tag(
        config=True
    )
    max_retries = Integer(None, allow_none=True, help="Tries after the first one.").tag(config=True)
    extra = Dict(help="Fields that only this server knows.").tag(config=True)
    locals().update(_traits())


def _usage() -> str:
    from nbchat.magics.usage import usage

    return usage()


class ChatMagic:
    """The magic function, and what it needs to know of the notebook."""

    def __init__(self, shell: Any, names: set[str], cells: Cells):
        self.names = names
        self.defaults = NbChat(parent=shell)
        self._shell = shell
        self._cells = cells

    @needs_local_scope
    @no_var_expand
    def chat(
        self, line: str, cell: str | None = None, local_ns: dict[str, Any] | None = None
    ) -> Any:
        key = self._cells.next_key()
        if cell is None and line.strip() == "explore":
            return self._explorer()
        try:
            with session.shortened():
                self._ask(line, cell, key, {**self._shell.user_ns, **(local_ns or {})})
        except NbchatError as error:
            # the user's code is the line of the magic, which may hold a key
            error.shows_place = False
            raise
        return None

    # IPython asks an object for this before it reads the docstring; making the help takes time
    # that loading the extension does not have
    chat.getdoc = _usage  # type: ignore[attr-defined]

    def models(self, profile: str | None = None) -> list[str]:
        """Name the models of a profile, without one those of the profile that is in force."""
        return session.models(profile or self.defaults.profile)

    def _explorer(self) -> Any:
        """Open the panel with the defaults of the notebook; it is the value of the line."""
        from nbchat.widgets.explorer import explore

        defaults = {name: getattr(self.defaults, name) for name in FIELDS()}
        wanted = {name: value for name, value in defaults.items() if value is not None}
        extra = {**self.defaults.extra}
        return explore(
            profile=self.defaults.profile, **wanted, **({"extra": extra} if extra else {})
        )

    def _ask(self, line: str, cell: str | None, key: Any, variables: dict[str, Any]) -> None:
        refuse_keys(line)
        flags = read_line(line, takes_text=cell is None)
        fill = str if flags.is_set("raw") else partial(template.fill, variables=variables)
        asked = asked_messages(flags, flags.text if cell is None else cell, variables, fill)
        if not asked:
            raise MagicUsageError("There is no prompt to send. %%chat? shows how to write one.")
        params, structure, functions = self._params(flags, variables, fill)
        toolbox = session.toolbox_of(
            functions,
            params,
            max_rounds=flags.max_rounds(fill),
            confirm=flags.is_set("confirm") or None,
        )
        name = flags.name()
        arguments: dict[str, Any] = {
            "profile": flags.one("profile", fill) or self.defaults.profile,
            "system": flags.one("system", fill),
            "thread": self._thread(flags, fill),
            "cell": key,
            "fork": flags.is_set("fork"),
            "structure": structure,
        }
        if flags.is_set("dry-run"):
            self._show_request(asked, params, arguments)
            return
        arguments["timeout"] = flags.timeout(fill) or self.defaults.timeout
        arguments["toolbox"] = toolbox
        arguments["max_retries"] = self.defaults.max_retries
        # what functions print, and a warning, would be cleared away with the frames of the reply
        others_show = toolbox is not None or {"functions", "function_call"} & params.given().keys()
        is_alone = self._cells.is_alone(self.names) and not others_show
        watcher = display.watch(owns_cell=is_alone, sent=asked)
        try:
            with watcher:
                session.run(asked, params, watcher=watcher, **arguments)
        finally:
            if name is not None and watcher.run is not None:
                self._shell.push({name: watcher.run})

    def _params(
        self, flags: Flags, variables: dict[str, Any], fill: Callable[[str], str]
    ) -> tuple[ChatParams, Structure | None, dict[str, Tool]]:
        given, extra, exact = asked_fields(flags, variables, fill)
        extra = {**self.defaults.extra, **extra}
        defaults = {name: getattr(self.defaults, name) for name in FIELDS()}
        wanted = {n: v for n, v in defaults.items() if v is not None and n not in extra}
        fields, functions = session.take_functions({**wanted, **given})
        if "logit_bias" in fields:
            fields = self._with_token_ids(fields, flags, fill)
        if isinstance(fields.get("top_logprobs"), str):
            fields, extra = self._with_whole_rows(fields, extra, flags, fill)
        structure = None
        if flags.is_set("schema") or flags.is_set("no-strict") or "response_format" in fields:
            from nbchat.code.schema_flag import take_structure

            structure = take_structure(flags, fields, variables, fill)
        try:
            params = check(
                {n: v if n in exact else read_text(n, v) for n, v in fields.items()},
                extra=extra or None,
            )
        except CheckError as error:
            name = error.field.split(".")[0].split("[")[0]
            if name not in wanted or name in given:
                raise
            sentence = f"{error} It was set by %config NbChat.{name}."
            raise CheckError(
                sentence, field=error.field, value=error.value, rule=error.rule
            ) from None
        return params, structure, functions

    def _with_whole_rows(
        self,
        fields: dict[str, Any],
        extra: dict[str, Any],
        flags: Flags,
        fill: Callable[[str], str],
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        from nbchat.session.full_vocabulary import is_all, with_whole_rows

        if not is_all(fields):
            return fields, extra
        profile = flags.one("profile", fill) or self.defaults.profile
        say = None if flags.is_set("dry-run") else session.StatusLines().status
        return with_whole_rows(fields, extra, profile, say=say)

    def _with_token_ids(
        self, fields: dict[str, Any], flags: Flags, fill: Callable[[str], str]
    ) -> dict[str, Any]:
        from nbchat.session.logit_bias import with_token_ids

        profile = flags.one("profile", fill) or self.defaults.profile
        say = None if flags.is_set("dry-run") else session.StatusLines().status
        return with_token_ids(fields, profile, say=say)

    def _thread(self, flags: Flags, fill: Callable[[str], str]) -> Thread | None:
        name = flags.one("thread", fill)
        if not flags.is_set("stateless"):
            return Thread(name or self.defaults.thread)
        if name is not None or flags.is_set("fork"):
            raise MagicUsageError("--stateless has no conversation: leave --thread and --fork out.")
        return None

    def _show_request(
        self, asked: list[dict[str, Any]], params: ChatParams, arguments: dict[str, Any]
    ) -> None:
        from nbchat.magics.dry_run import mimebundle

        prepared = session.prepare(asked, params, **arguments)
        self._shell.display_pub.publish(data=mimebundle(prepared), metadata={})
