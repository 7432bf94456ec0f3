"""Everything that nbchat raises of its own.

NbchatError
├── CheckError (ValueError)          the request breaks a rule; nothing was sent
│   └── UnknownFieldError            no such field; `.nearest` has the likely ones
├── TemplateError                    a prompt template that cannot be filled; nothing was sent
├── MagicUsageError                  a line of %%chat that cannot be read; nothing was sent
├── ProfileError                     no such profile, or no key for it; nothing was sent
├── MissingLibraryError (ImportError) what needs a library of an extra that is not installed
├── LocalModelError                  the embedded model: not installed, broken, died
├── NoObjectError (ValueError)       a reply has no object of the wanted shape to show
├── NotAvailableError                the server cannot do this; nothing was sent
├── BudgetError                      it may cost more than is left; nothing was sent
├── SweepStoppedError                a sweep that cannot go on; what was answered is kept
├── FolderInUseError                 another process writes the folder of a sweep
├── HistoryError                     a record of runs that cannot be read, or is another's
│   ├── RunNotFoundError (LookupError)
│   └── NotRecordedError             a replay has no record of this request; nothing was sent
├── UnreadableRunError (ValueError)  stored data that is no run and no answer
├── RecordedError                    an error of an earlier run, known by name and sentence
├── ApiError                         the server answered with an error
│   ├── BadRequestError              400, 413, 422
│   ├── AuthenticationError          401
│   ├── PermissionDeniedError        403
│   ├── NotFoundError                404
│   ├── ConflictError                409
│   ├── RateLimitError               429
│   ├── ServerError                  500 and above
│   └── StreamError                  an error event in the middle of a stream
└── TransportError                   the answer did not come, or not whole
    ├── ConnectError                 no connection
    ├── StreamCutError               the stream ended before every choice was finished
    ├── AnswerTooLongError           one event, or a whole body, is larger than allowed
    ├── ConnectTimeout (TimeoutError)
    ├── FirstByteTimeout (TimeoutError)
    └── BetweenBytesTimeout (TimeoutError)

An interrupt stays a KeyboardInterrupt. An ApiError or TransportError carries the run it
ended as `.run`, and what had come by then as `.completion`.
"""

from __future__ import annotations

import linecache
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from nbchat.redact import redact_source

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType


_PACKAGE = str(Path(__file__).parent)


class _RunSoFar(Protocol):
    """The run that failed, with what had come; `nbchat.Run` says what it means."""

    @property
    def id(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def messages(self) -> list[dict[str, Any]]: ...
    @property
    def completion(self) -> Any: ...
    @property
    def usage(self) -> Any: ...


class NbchatError(Exception):
    """Base of every error of nbchat's own. In IPython it shows in a few lines.

    `shows_place`: with the user's own lines on the way to it; a magic has none.
    """

    shows_place = True

    def _render_traceback_(self) -> list[str]:
        return short_traceback(self, shows_place=self.shows_place)


class CheckError(NbchatError, ValueError):
    """A request that breaks a rule of the reference. Nothing was sent.

    `field` is the path of the offender (``"messages[2].content"``), `value` what stood
    there, `rule` what would be right.
    """

    def __init__(self, message: str, *, field: str = "", value: object = None, rule: str = ""):
        super().__init__(message)
        self.field = field
        self.value = value
        self.rule = rule


class UnknownFieldError(CheckError):
    """A name that the reference does not have. `nearest` lists the likely ones."""

    def __init__(
        self,
        message: str,
        *,
        field: str = "",
        value: object = None,
        rule: str = "",
        nearest: tuple[str, ...] = (),
    ):
        super().__init__(message, field=field, value=value, rule=rule)
        self.nearest = nearest


class TemplateError(NbchatError):
    """A prompt template that cannot be filled. Nothing was sent."""


class MagicUsageError(NbchatError):
    """A line of ``%chat`` or ``%%chat`` that cannot be read. Nothing was sent."""


class ProfileError(NbchatError):
    """No such profile, or no key for it. Nothing was sent."""


class MissingLibraryError(NbchatError, ImportError):
    """Something needs a library that one of nbchat's extras brings, and it is not installed."""


class LocalModelError(NbchatError):
    """The embedded model is not installed, its weights are broken, or its server died."""


class NoObjectError(NbchatError, ValueError):
    """A reply holds no object of the wanted shape. Its text is there all the same."""


class NotAvailableError(NbchatError):
    """What was asked for is nothing that this server can do. The sentence says what can be done."""


class BudgetError(NbchatError):
    """A request may cost more than is left of the budget. Nothing was sent."""


class SweepStoppedError(NbchatError):
    """A sweep that cannot go on: the sentence says why. What was answered is in its folder."""


class FolderInUseError(NbchatError):
    """Another process writes the folder of a sweep. The sentence says which."""


class HistoryError(NbchatError):
    """A record of runs that cannot be read: damaged, newer than this nbchat, another program's."""


class RunNotFoundError(HistoryError, LookupError):
    """No run, or more than one, goes by this id."""


class NotRecordedError(HistoryError):
    """A replay has no record of this request, and may not ask for it. Nothing was sent."""


class UnreadableRunError(NbchatError, ValueError):
    """Stored data that is no run and no answer. The sentence says where, and what would be."""


class RecordedError(NbchatError):
    """An error of an earlier run whose class is not at hand: its name and sentence are."""

    def __reduce__(self) -> tuple[Any, ...]:
        return recorded_error, (type(self).__name__, str(self))


def recorded_error(name: str, sentence: str) -> RecordedError:
    """Make an error of this class name that says this."""
    is_name = name.isidentifier() and len(name) <= 100
    kind = type(name, (RecordedError,), {"__module__": __name__}) if is_name else RecordedError
    made: RecordedError = kind(sentence)
    return made


class ApiError(NbchatError):
    """The server answered with an error.

    `status` is the HTTP status (None for an error event without one), `code`, `param` and
    `type` are the server's words or None, `request_id` its name for the request, `message`
    its sentence and `body` what it sent: a decoded object, or text.
    """

    run: _RunSoFar | None = None
    completion: Any | None = None  # an `nbchat.api.Completion`
    headers: Mapping[str, str] | None = None

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        param: str | None = None,
        type: str | None = None,  # noqa: A002 - the API's own name
        request_id: str | None = None,
        body: Any = None,
    ):
        self.message = _legible(message)
        self.status = status
        self.code = code
        self.param = param
        self.type = type
        self.request_id = request_id
        self.body = body
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        facts = [
            str(self.status) if self.status is not None else "",
            self.code or "",
            f"param {self.param}" if self.param else "",
            f"request {self.request_id}" if self.request_id else "",
        ]
        known = ", ".join(fact for fact in facts if fact)
        return f"{self.message} ({known})" if known else self.message


class BadRequestError(ApiError):
    """400, 413 or 422: the server does not take this request."""


class AuthenticationError(ApiError):
    """401: the key is missing, wrong or not valid here."""


class PermissionDeniedError(ApiError):
    """403: the key is known but may not do this."""


class NotFoundError(ApiError):
    """404: no such model or path."""


class ConflictError(ApiError):
    """409: the server asks to try again."""


class RateLimitError(ApiError):
    """429: too many requests, or no credit left (`code` says which)."""


class ServerError(ApiError):
    """500 and above: the server failed."""


class StreamError(ApiError):
    """An error event after the stream had begun."""


class TransportError(NbchatError):
    """The answer did not come, or not whole."""

    run: _RunSoFar | None = None
    completion: Any | None = None  # an `nbchat.api.Completion`


class ConnectError(TransportError):
    """No connection to the server."""


class StreamCutError(TransportError):
    """The stream ended before every choice was finished."""


class AnswerTooLongError(TransportError):
    """One event of a stream, or the body of a whole answer, that is larger than allowed."""

    def __init__(self, most_bytes: int):
        super().__init__(
            f"The server sent more than {most_bytes / 1e6:g} MB as one message, and was left. "
            "Where that much is wanted: nbchat.configure(max_message_bytes=...)."
        )
        self.most_bytes = most_bytes

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.most_bytes,), vars(self)


class ConnectTimeout(TransportError, TimeoutError):
    """No connection within the time allowed."""


class FirstByteTimeout(TransportError, TimeoutError):
    """Connected, but not one byte of the answer within the time allowed."""


class BetweenBytesTimeout(TransportError, TimeoutError):
    """The answer began and then stood still for longer than allowed."""


_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_MOST_CHARACTERS = 2_000


def _legible(message: str) -> str:
    """Cut a server's words to a length, without what a terminal would obey."""
    shown = _CONTROLS.sub("\ufffd", message)
    return shown if len(shown) <= _MOST_CHARACTERS else f"{shown[:_MOST_CHARACTERS]}…"


_BY_STATUS: dict[int, type[ApiError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    413: BadRequestError,
    422: BadRequestError,
    429: RateLimitError,
}


def api_error_class(status: int) -> type[ApiError]:
    """Give the class of error for an HTTP status."""
    if status >= 500:
        return ServerError
    return _BY_STATUS.get(status, ApiError)


def short_traceback(error: BaseException, *, shows_place: bool = True) -> list[str]:
    """Give the lines that IPython shows: where the user's own code was, and the sentence."""
    lines = [
        f"{_place(frame_name)}, line {number}: {redact_source(source)}" if source else ""
        for frame_name, number, source in _own_frames(error.__traceback__)
        if shows_place
    ]
    return [*(line for line in lines if line), type_and_sentence(error)]


def type_and_sentence(error: BaseException) -> str:
    """Give an exception's type and what it says, if it can."""
    name = type(error).__name__
    try:
        sentence = str(error)
    except Exception:  # noqa: BLE001 - a __str__ of the user's that fails itself: the name must do
        return name
    return f"{name}: {sentence}" if sentence else name


def _own_frames(traceback: TracebackType | None) -> list[tuple[str, int, str]]:
    frames = []
    while traceback is not None:
        name = traceback.tb_frame.f_code.co_filename
        if _is_users(name):
            source = linecache.getline(name, traceback.tb_lineno).strip()
            frames.append((name, traceback.tb_lineno, source))
        traceback = traceback.tb_next
    return frames[-3:]


def _is_users(filename: str) -> bool:
    if filename.startswith((_PACKAGE, "<frozen")):
        return False
    libraries = ("site-packages", "dist-packages", str(Path(sys.base_prefix) / "lib"))
    return not any(part in filename for part in libraries)


def _place(filename: str) -> str:
    is_cell = "ipykernel" in filename or filename.startswith("<ipython-input")
    return "in this notebook" if is_cell else f"in {Path(filename).name}"
