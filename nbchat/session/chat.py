"""The functions of the public surface that ask: `chat` and `stream`."""

from __future__ import annotations

from typing import Any

from nbchat.request.arguments import draft_of_arguments, with_fields
from nbchat.request.prepare import Prepared
from nbchat.run import Run
from nbchat.session.execution import Execution, execute
from nbchat.session.interrupts import shortened
from nbchat.session.reply_stream import ReplyStream
from nbchat.session.servers import prepare
from nbchat.session.watchers import PrintingWatcher


def chat(prompt: Any = None, *, messages: Any = None, live: bool = False, **fields: Any) -> Run:
    """Ask a model, and give the run: its text, token probabilities, usage and timings.

    `prompt` is the user's text (or a message, or a list of messages; `messages` is the same
    by the API's name). Of nbchat's own:

    {options}
    - `live`: show the reply in the cell while it comes
    - `extra`: mapping of fields that only this server knows

    `tools` takes Python functions too: they are described to the model and run when it asks
    for them.

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
    with shortened():
        prepared = _prepared(prompt, messages, fields)
        if not live:
            return execute(prepared)
        from nbchat.display import watch

        with watch(sent=prepared.new_messages) as watcher:
            done = execute(prepared, watcher=watcher)
        done.is_shown = True
        return done


def stream(prompt: Any = None, *, messages: Any = None, **fields: Any) -> ReplyStream:
    """Ask a model, and give the text piece by piece as it comes.

    Takes what `nbchat.chat` takes. Each piece is a str with the run so far as ``.run`` and
    the index of its choice as ``.choice``; the stream itself has ``.run`` and ``.text``. Leaving
    the loop early closes the connection, and the run counts as interrupted; a stream that you
    keep under a name goes on until its ``.close()``, or the end of its ``with``. Nothing is sent
    before the first piece is asked for.
    """
    return ReplyStream(Execution(_prepared(prompt, messages, fields)))


def _prepared(prompt: Any, messages: Any, fields: dict[str, Any]) -> Prepared:
    draft = draft_of_arguments(prompt, messages, fields)
    return prepare(draft, say=PrintingWatcher().status)


with_fields(chat, more={"live": False})
with_fields(stream)
