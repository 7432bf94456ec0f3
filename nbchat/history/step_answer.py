"""An answer to a step of an analysis, as a line of a cassette: it is no run of its own.

Tokens of a text, a prompt of a template, a row of probabilities, a reply that goes on from a
token: what is needed to replay `nbchat.score` and its like.
"""

from __future__ import annotations

import zlib
from typing import Any

import msgspec

from nbchat.api.logprobs import jsonable
from nbchat.api.response import Completion
from nbchat.errors import HistoryError
from nbchat.history.redaction import Redaction
from nbchat.stored_error import error_as_dict, error_of

#: what `object` says in its line, as "nbchat.run" does in that of a run
OBJECT = "nbchat.step"
#: characters of an answer that stands in its line as it is; a longer one is compressed
_LONGEST_LEGIBLE = 2_000
#: bytes of an answer that is taken out of a line
_MOST_BYTES = 256 << 20


class StepAnswer(msgspec.Struct, omit_defaults=True, kw_only=True, tag_field="object", tag=OBJECT):
    """What came for one question: a `text`, a `completion`, or an `error` of the server.

    `request_sha256`, `cell` and `number_in_cell` are its place, as those of a run.
    """

    id: str
    request_sha256: str
    cell: str
    number_in_cell: int
    path: str = ""
    text: str | None = None
    packed: bytes | None = None
    completion: dict[str, Any] | None = None
    error: dict[str, Any] | None = None

    def line(self, redaction: Redaction) -> bytes:
        """Give it as one line of JSON, without keys and without the line's end."""
        return msgspec.json.encode(redaction(jsonable(msgspec.to_builtins(self))))

    @property
    def data(self) -> bytes:
        """The bytes that came. Raise the error that came instead, HistoryError for no bytes."""
        self.raise_error()
        if self.text is not None:
            return self.text.encode()
        if self.packed is None:
            raise HistoryError(f"The record of a step, {self.id}, holds no bytes.")
        unpacking = zlib.decompressobj()
        try:
            data = unpacking.decompress(self.packed, _MOST_BYTES)
        except zlib.error as error:
            raise HistoryError(f"The record of a step, {self.id}, is damaged: {error}.") from None
        if unpacking.unconsumed_tail:
            raise HistoryError(f"The record of a step, {self.id}, is larger than one may be.")
        return data

    @property
    def answer(self) -> Completion:
        """The completion that came. Raise the error that came instead."""
        self.raise_error()
        if self.completion is None:
            raise HistoryError(f"The record of a step, {self.id}, holds no completion.")
        return Completion.from_dict(self.completion)

    def raise_error(self) -> None:
        """Raise the error that came in the place of an answer, if one did."""
        if self.error is not None:
            raise error_of(self.error)


def what_came(came: bytes | Completion | BaseException, redaction: Redaction) -> dict[str, Any]:
    """Give the fields of a `StepAnswer` that say what came."""
    if isinstance(came, BaseException):
        return {"error": error_as_dict(came)}
    if isinstance(came, Completion):
        return {"completion": came.to_dict()}
    text = redaction.text(came.decode("utf-8", "backslashreplace"))
    if len(text) <= _LONGEST_LEGIBLE:
        return {"text": text}
    return {"packed": zlib.compress(text.encode(), 9)}


def read_step(line: bytes) -> StepAnswer:
    """Read a line. Raise HistoryError where it is none."""
    try:
        return msgspec.json.decode(line, type=StepAnswer)
    except (msgspec.DecodeError, RecursionError) as error:
        raise HistoryError(f"The record of a step cannot be read: {error}.") from None
