"""The functions of the public surface: `chat`, `stream` and the frame of all runs."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from nbchat.api.check import check
from nbchat.api.json_values import prediction_of
from nbchat.api.params import ChatParams
from nbchat.api.response import transcript_of
from nbchat.errors import CheckError
from nbchat.run import Run
from nbchat.session.execution import Playing, StatusLines, run, runs
from nbchat.session.full_vocabulary import is_all, with_whole_rows
from nbchat.session.interrupts import shortened
from nbchat.session.logit_bias import with_token_ids
from nbchat.session.prepared import prepare
from nbchat.session.rounds import take_functions, toolbox_of
from nbchat.session.threads import Thread

if TYPE_CHECKING:
    import pandas as pd


class Piece(str):
    """A piece of a reply's text. `run` is the run so far, `choice` the index of its choice."""

    __slots__ = ("choice", "run")
    run: Run
    choice: int


def _thread_of(thread: str | Thread | None) -> Thread | None:
    if thread is None or isinstance(thread, Thread):
        return thread
    if not isinstance(thread, str):
        rule = "must be the name of a conversation or a Thread"
        raise CheckError(
            f"thread is {thread!r}, but it {rule}.", field="thread", value=thread, rule=rule
        )
    return Thread(thread)


def _split(fields: dict[str, Any]) -> tuple[ChatParams, dict[str, Any]]:
    own = {name: fields.pop(name) for name in _OWN if name in fields}
    rounds = {name: own.pop(name) for name in ("max_rounds", "confirm") if name in own}
    fields, functions = take_functions(fields)
    extra = fields.pop("extra", None)
    if fields.get("response_format", msgspec.UNSET) is not msgspec.UNSET:
        fields["response_format"], own["structure"] = _wire_format(fields["response_format"])
    if isinstance(fields.get("prediction"), str):
        fields["prediction"] = prediction_of(fields["prediction"])
    if "logit_bias" in fields:
        fields = with_token_ids(fields, own.get("profile"), say=StatusLines().status)
    if is_all(fields):
        fields, extra = with_whole_rows(fields, extra, own.get("profile"), say=StatusLines().status)
    params = check(fields, extra=extra)
    own["toolbox"] = toolbox_of(functions, params, **rounds)
    return params, own


def _wire_format(wanted: Any) -> tuple[Any, Any]:
    """Give a `response_format` as it is sent, and what the reply is to be read as."""
    from nbchat.structured import structure_of

    structure = structure_of(wanted)
    return (wanted, None) if structure is None else (structure.wire, structure)


_MEDIA = ("images", "detail", "audio_in", "files")
_OWN = (
    *("profile", "system", "thread", "timeout", "max_retries", "max_rounds", "confirm"),
    *_MEDIA,
)


def _asked(prompt: Any, messages: Any, own: dict[str, Any]) -> Any:
    """Give what is asked; what is attached to it is taken out of `own`."""
    media = {name: own.pop(name) for name in _MEDIA if own.get(name) is not None}
    for name in _MEDIA:
        own.pop(name, None)
    if not media:
        return _prompt(prompt, messages)
    from nbchat.media import attach

    # a recording can be the whole question
    is_alone = prompt is None and messages is None
    return attach("" if is_alone else _prompt(prompt, messages), **media)


def _prompt(prompt: Any, messages: Any) -> Any:
    if prompt is None and messages is None:
        raise CheckError("chat() needs a prompt, or messages=[…].", field="messages")
    if prompt is not None and messages is not None:
        raise CheckError("chat() takes a prompt or messages=[…], not both.", field="messages")
    return messages if prompt is None else prompt


def chat(prompt: Any = None, *, messages: Any = None, live: bool = False, **fields: Any) -> Run:
    """Ask a model, and give the run: its text, token probabilities, usage and timings.

    `prompt` is the user's text (or a message, or a list of messages; `messages` is the same
    by the API's name). Of nbchat's own:

    - `system`: str, the system message
    - `thread`: a name or a `Thread`; what was said there goes before
    - `profile`: where to send it, a name, a base URL or a `Profile`
    - `timeout`: the longest silence of the server, in seconds; `max_retries`: int
    - `tools` takes Python functions too: they are described to the model and run when it asks
      for them, at most `max_rounds` (5) times in a row; `confirm`: True to be asked before each
      call, or a function that is given the `nbchat.tools.Call` and says if it may run
    - `images`: a path, URL, bytes, PIL image or matplotlib figure, or a list of them, looked at
      in `detail` ("auto", "low", "high", "original"); `audio_in`: WAV or MP3, a path or bytes;
      `files`: PDF, a path, bytes or the id of an uploaded file
    - `live`: show the reply in the cell while it comes
    - `extra`: mapping of fields that only this server knows

    A spoken reply (`modalities`, `audio`) is ``run.audio``. A stream carries pcm16 alone, so in
    every other format the answer comes whole.

    `prediction` also takes the predicted text itself, which `run.taken_over()` compares.

    `response_format` also takes a type (a msgspec Struct, dataclass, TypedDict or pydantic
    model, or a list of one) or a JSON schema; ``run.parsed`` is then the object.

    All other arguments are fields of the request (`nbchat.parameters()`). On the embedded model
    and other servers of llama.cpp, ``top_logprobs="all"`` gives the log probability of every
    token of the vocabulary, and so the exact entropy; a token of the embedded model then takes
    0.6 MB and some 0.15 s.

    Raise `CheckError` where the request breaks a rule (nothing was sent), `ApiError` where
    the server refuses it, `TransportError` where the answer did not come whole; the last two
    carry the run as ``.run``.
    """
    params, own = _split(fields)
    own["thread"] = _thread_of(own.get("thread"))
    asked = _asked(prompt, messages, own)
    with shortened():
        if not live:
            return run(asked, params, **own)
        from nbchat.display import watch

        with watch(sent=asked) as watcher:
            done = run(asked, params, watcher=watcher, **own)
        done.is_shown = True
        return done


def stream(prompt: Any = None, *, messages: Any = None, **fields: Any) -> Iterator[Piece]:
    """Ask a model, and give the text piece by piece as it comes.

    Takes what `nbchat.chat` takes. Each piece is a str with the run so far as ``.run`` and
    the index of its choice as ``.choice``. Leaving the loop early closes the connection, and
    the run counts as interrupted; a stream that you keep under a name goes on until its
    ``.close()``. Nothing is sent before the first piece is asked for.
    """
    params, own = _split(fields)
    thread = _thread_of(own.pop("thread", None))
    timeout, max_retries = own.pop("timeout", None), own.pop("max_retries", None)
    toolbox = own.pop("toolbox", None)
    prepared = prepare(_asked(prompt, messages, own), params, thread=thread, **own)
    playing = Playing(prepared, own.get("profile"), StatusLines(), timeout, max_retries, toolbox)
    return _texts(playing)


def _texts(playing: Playing) -> Iterator[Piece]:
    for chunk in playing:
        for position, part in enumerate(chunk.choices or ()):
            delta = part.delta or part.message
            text = None if delta is None else delta.content or transcript_of(delta.audio)
            if text:
                piece = Piece(text)
                piece.run = playing.run
                piece.choice = position if part.index is None else part.index
                yield piece


def runs_frame(source: Any = None) -> pd.DataFrame:
    """Give one row for each run: of a run, a list of runs, or, with no argument, of all runs.

    Columns: see `nbchat.frames.columns`. Interrupted and failed runs are included.
    """
    from nbchat import frames

    return frames.runs(runs if source is None else source)


def _with_fields(function: Any, *, has_live: bool) -> None:
    """Give a function the signature that the declaration of the request implies."""
    parameter = inspect.Parameter
    own = [
        parameter("messages", parameter.KEYWORD_ONLY, default=None),
        *(parameter(name, parameter.KEYWORD_ONLY, default=None) for name in _OWN),
        *([parameter("live", parameter.KEYWORD_ONLY, default=False)] if has_live else []),
    ]
    declared = [
        parameter(name, parameter.KEYWORD_ONLY, default=msgspec.UNSET)
        for name in ChatParams.__struct_fields__
        if name != "extra"
    ]
    function.__signature__ = inspect.Signature(
        [
            parameter("prompt", parameter.POSITIONAL_OR_KEYWORD, default=None),
            *own,
            *declared,
            parameter("extra", parameter.KEYWORD_ONLY, default=None),
        ]
    )


_with_fields(chat, has_live=True)
_with_fields(stream, has_live=False)
