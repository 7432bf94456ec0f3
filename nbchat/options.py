"""What nbchat itself takes beside the fields of a request: each option declared once.

A field of `Options` and what is annotated to it are the declaration. From it come the flags of
``%%chat``, the arguments of `nbchat.chat` and their part of its docstring, the controls of the
explorer, the fields of a draft, what code keeps, what a run keeps and its columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_type_hints

import msgspec

Takes = Literal["nothing", "text", "name", "seconds", "pair", "schema", "count", "json", "media"]


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """What is declared of an option.

    - `takes`: what its flag takes, `shown` in the help; `short`: the flag's other name
    - `help`: a sentence for the flag and the control; `about`: what the docstring of
      `nbchat.chat` says of it
    - `no_flag`, `no_argument`, `no_control`: why it has none; empty where it has one
    - `in_code`: whether requests as code keep it
    - `is_kept`: whether a run has it in `Run.options`; `dtype`: that of its column in the runs
      frame, None where it has none
    """

    takes: Takes
    help: str
    about: str
    shown: str = ""
    short: str = ""
    no_flag: str = ""
    no_argument: str = ""
    no_control: str = ""
    in_code: bool = True
    is_kept: bool = False
    dtype: str | None = None
    name: str = ""
    flag: str = ""


_MEDIA = "what is attached stands in the messages of the panel"


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How one request is to be made, beside what is sent; None leaves a thing to the settings.

    Nothing in it is checked before the request is prepared.
    """

    profile: Annotated[
        Any,
        Option(
            takes="text",
            shown="NAME",
            help="Where to send it: a name or a base URL.",
            about="where to send it, a name, a base URL or a `Profile`",
            no_control="the panel has a list of profiles",
        ),
    ] = None
    system: Annotated[
        str | None,
        Option(
            takes="text",
            shown="TEXT",
            help="System message.",
            about="str, the system message",
            no_control="it is a message of the panel",
        ),
    ] = None
    thread: Annotated[
        Any,
        Option(
            takes="text",
            shown="NAME",
            short="t",
            help="Conversation that the cell belongs to.",
            about="a name or a `Thread`; what was said there goes before",
            no_control="a panel shows all that it sends",
            in_code=False,
        ),
    ] = None
    fork: Annotated[
        bool,
        Option(
            takes="nothing",
            help="Go on in a copy of the conversation.",
            about="",
            no_argument="Thread.fork() gives the copy",
            no_control="a panel shows all that it sends",
            in_code=False,
        ),
    ] = False
    images: Annotated[
        Any,
        Option(
            takes="media",
            shown="PATH_URL_OR_VAR …",
            help="A picture for the model to look at.",
            about="a path, URL, bytes, PIL image or matplotlib figure, or a list of them",
            no_control=_MEDIA,
            flag="image",
        ),
    ] = None
    detail: Annotated[
        str | None,
        Option(
            takes="text",
            shown="WORD",
            help="How closely: auto, low, high or original.",
            about='how closely images are looked at: "auto", "low", "high" or "original"',
            no_control=_MEDIA,
        ),
    ] = None
    audio_in: Annotated[
        Any,
        Option(
            takes="media",
            shown="PATH_OR_VAR …",
            help="A WAV or MP3 for the model to listen to.",
            about="WAV or MP3, a path or bytes, or a list of them",
            no_control=_MEDIA,
        ),
    ] = None
    files: Annotated[
        Any,
        Option(
            takes="media",
            shown="PATH_ID_OR_VAR …",
            help="A PDF for the model to read.",
            about="PDF, a path, bytes or the id of an uploaded file, or a list of them",
            no_control=_MEDIA,
            flag="file",
        ),
    ] = None
    confirm: Annotated[
        bool | Callable[[Any], object] | None,
        Option(
            takes="nothing",
            help="Ask before each call of a function of --tools.",
            about=(
                "True to be asked before each call of a function, or a function that is given "
                "the `nbchat.tools.Call` and says if it may run"
            ),
        ),
    ] = None
    max_rounds: Annotated[
        int | None,
        Option(
            takes="count",
            shown="NUMBER",
            help="Most rounds of calls; 5 if not given.",
            about="int, how many times in a row functions are called, at most; 5 if not given",
        ),
    ] = None
    timeout: Annotated[
        Any,
        Option(
            takes="seconds",
            shown="SECONDS",
            help="Longest silence of the server.",
            about="the longest silence of the server, in seconds",
        ),
    ] = None
    replay: Annotated[
        str | None,
        Option(
            takes="text",
            shown="WORD",
            help="Answer from the record: off, auto, only or refresh.",
            about='"auto" answers from the record and asks for what is not there, "only" never '
            'asks, "refresh" asks again and records anew, "off" (as set by `configure`) just asks',
            no_control="a panel asks anew each time",
            in_code=False,
        ),
    ] = None
    max_retries: Annotated[
        int | None,
        Option(
            takes="count",
            shown="NUMBER",
            help="Tries after the first one; 4 if not given.",
            about="int, tries after the first one; 4 if not given",
        ),
    ] = None


@cache
def OPTIONS() -> Mapping[str, Option]:  # noqa: N802 - as `nbchat.api.fields.FIELDS`
    """Give the declared options by name, in the order of their declaration."""
    return {
        name: msgspec.structs.replace(option, name=name, flag=option.flag or name.replace("_", "-"))
        for name, hint in get_type_hints(Options, include_extras=True).items()
        for option in get_args(hint)
        if isinstance(option, Option)
    }


@cache
def _kept_names() -> tuple[str, ...]:
    return tuple(name for name, option in OPTIONS().items() if option.is_kept)


def kept_options(options: Options) -> dict[str, Any]:
    """Give the options that are set and kept with a run, by name."""
    values = {name: getattr(options, name) for name in _kept_names()}
    return {name: value for name, value in values.items() if value is not None}


def set_options(options: Options) -> dict[str, Any]:
    """Give the options that are set, by name."""
    values = {name: getattr(options, name) for name in OPTIONS()}
    return {
        name: value for name, value in values.items() if value is not None and value is not False
    }
