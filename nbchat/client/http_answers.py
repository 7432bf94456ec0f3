"""HTTP answers read with requests: their bytes as they come, and their errors."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import requests
import urllib3

from nbchat.api.deviations import decode_error, decode_json
from nbchat.api.error_objects import ErrorFields, read_error
from nbchat.client.connections import HttpAnswer
from nbchat.client.incoming import Patience, SlowHeadError
from nbchat.client.plain_answers import PlainAnswer
from nbchat.client.presets import LOCAL
from nbchat.client.profiles import Profile
from nbchat.client.retry import RETRIED_STATUS
from nbchat.client.waiting import SlowHandshakeError, was_reused
from nbchat.errors import (
    AnswerTooLongError,
    ApiError,
    ConnectError,
    ConnectTimeout,
    FirstByteTimeout,
    NbchatError,
    TransportError,
    api_error_class,
)

#: what the HTTP libraries raise, of their own and of Python's, where no answer comes
FAILED = (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError)
_PIECE = 65_536
#: how far the end of a wait and its noticing may lie apart
_MOMENT_S = 0.5
_TITLE = re.compile(r"<title[^>]*>([^<]*)", re.IGNORECASE)
_MOST_TITLE = 10_000
_MOST_ERROR_BYTES = 1_000_000
#: seconds in which an error's body has to come, in all
_ERROR_WITHIN_S = 10.0
#: a way there and back: what shows later is no connection that was closed before
_STALE_WITHIN_S = 0.3


def pieces(response: HttpAnswer, between_bytes_s: float | None = None) -> Iterator[bytes]:
    """Give the bytes of an answer at once as they come, unpacked 64 kB at a time.

    `between_bytes_s` is the longest silence, in seconds, after the first piece; None: as before it.
    """
    source = (
        _unpacked(response.raw)
        if isinstance(response, requests.Response)
        else response.pieces(_PIECE)
    )
    is_first = between_bytes_s is not None
    for piece in source:
        if is_first:
            is_first = False
            incoming_of(response).silence_s = between_bytes_s
        yield piece


def _unpacked(raw: Any) -> Iterator[bytes]:
    # read_chunked is the cheapest where the body is chunked; where it is not, stream() would
    # wait for a whole read, and read1 gives what there is
    if getattr(raw, "chunked", False):
        yield from raw.stream(_PIECE, decode_content=True)
        return
    while piece := raw.read1(_PIECE, decode_content=True):
        yield piece


def whole_body(response: HttpAnswer, within_s: float, most_bytes: int) -> bytes:
    """Give the body of an answer that comes within so many seconds, in all.

    Raise what the HTTP libraries raise where it does not, `AnswerTooLongError` where it is longer.
    """
    incoming_of(response).end_in(within_s)
    data = bytearray()
    for piece in pieces(response):
        data += piece
        if len(data) > most_bytes:
            raise AnswerTooLongError(most_bytes)
    return bytes(data)


def incoming_of(response: HttpAnswer) -> Patience:
    """Give what tells how long the bytes of an answer are waited for."""
    if isinstance(response, PlainAnswer):
        return response.incoming
    raw: Any = response.raw
    incoming: Patience = raw._original_response.incoming  # noqa: SLF001 - as requests does
    return incoming


def request_id(response: HttpAnswer) -> str | None:
    """Give the server's name for a request."""
    headers = response.headers
    return headers.get("x-request-id") or headers.get("apim-request-id")


def limit_headers(response: HttpAnswer) -> dict[str, str]:
    """Give the headers that say how much may be asked, their names in small letters."""
    return {
        name.lower(): value
        for name, value in response.headers.items()
        if "ratelimit" in name.lower()
    }


def token_pieces(data: bytes) -> list[tuple[int, str]]:
    """Read the tokens that llama.cpp's /tokenize gives, with or without their texts.

    Raise `ApiError` where it is another answer.
    """
    return [
        (number, piece.decode("utf-8", "backslashreplace")) for number, piece in token_bytes(data)
    ]


def token_bytes(data: bytes) -> list[tuple[int, bytes]]:
    """Read the same with the bytes of each token; empty where the server sent none."""
    try:
        listed = msgspec.json.decode(data)["tokens"]
        return [
            (token, b"") if isinstance(token, int) else (int(token["id"]), _piece(token["piece"]))
            for token in listed
        ]
    except (ValueError, TypeError, KeyError):
        pass  # its error may hold what the server sent
    raise ApiError("The server did not answer with tokens.")


def _piece(piece: str | list[int]) -> bytes:
    return piece.encode() if isinstance(piece, str) else bytes(piece)


def api_error(response: HttpAnswer, profile: Profile) -> ApiError:
    """Make the exception for an error status, whatever its body looks like."""
    status = response.status_code
    body = _body(response)
    fields = read_error(body)
    message = profile.redact(_message(status, body, fields))
    if 300 <= status < 400:
        target = profile.redact(response.headers.get("location", "elsewhere"))
        message = f"The server redirects to {target}: set the base URL to where it is."
    if fields.type == "exceed_context_size_error":
        message = _ended(message) + _context_hint(profile)
    if status == 401:
        message = _ended(message)
        source = f" The key comes from {profile.key_variable}." if profile.key_variable else ""
        why = f" {profile.withheld}" if profile.withheld else source
        message += source if profile.key is not None else f" No key was sent.{why}"
    made = api_error_class(status)(
        message,
        status=status,
        code=fields.code,
        param=fields.param,
        type=fields.type,
        request_id=request_id(response),
        body=_redacted(body.get("error", body) if isinstance(body, dict) else body, profile),
    )
    kept = ("retry-after", "retry-after-ms", "x-should-retry")
    redact(made, profile)
    made.headers = {
        **limit_headers(response),
        **{name: response.headers[name] for name in kept if name in response.headers},
    }
    return made


def redact(error: NbchatError, profile: Profile) -> None:
    """Take the key out of an error, wherever a server may have repeated it."""
    for name, value in vars(error).items():
        if name not in ("run", "completion", "headers"):
            setattr(error, name, _redacted(value, profile))
    error.args = tuple(_redacted(argument, profile) for argument in error.args)
    # a library's error holds the request, and with it the header; a decoder's, the document;
    # and the frames on the way here, what the server has sent
    error.__cause__ = error.__context__ = error.__traceback__ = None


def model_names(answer: bytes) -> list[str]:
    """Read a list of models; empty where it is none."""
    try:
        listed = decode_json(answer)
    except ValueError:
        return []
    rows = listed.get("data") if isinstance(listed, dict) else listed
    if not isinstance(rows, list):
        return []
    return [str(row["id"]) for row in rows if isinstance(row, dict) and row.get("id")]


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."


def _context_hint(profile: Profile) -> str:
    serve = ", or nbchat.local.serve(context=8192)" if profile.name == LOCAL else ""
    return f" A new conversation is shorter (--thread NEW or --stateless){serve}."


def headers_of(error: ApiError) -> Mapping[str, str]:
    """Give the headers that an error came with."""
    return error.headers or {}


def _message(status: int, body: Any, fields: ErrorFields) -> str:
    if isinstance(body, str) and body.lstrip().startswith("<"):
        return _of_page(status, body)
    if fields.message:
        return fields.message if isinstance(body, dict) else _shortened(fields.message)
    return f"The server answered {status} and gave no reason."


def _of_page(status: int, page: str) -> str:
    """Say what an HTML page means: it is a proxy's or a website's, never the API's."""
    match = _TITLE.search(page[:_MOST_TITLE])
    title = " ".join(match[1].split()) if match else ""
    called = f" titled “{_shortened(title)}”" if title else ""
    answered = f"answered {status} with an HTML page{called}"
    if status == 413:
        return f"The request is too large for the server, or a proxy before it, which {answered}."
    if status >= 500 or status in RETRIED_STATUS:
        return f"The server, or a proxy before it, failed: it {answered}."
    return f"The server {answered}: is the base URL right?"


def _body(response: HttpAnswer) -> Any:
    incoming_of(response).end_in(_ERROR_WITHIN_S)
    data = b""
    # what came of it says more than that it did not come whole
    with contextlib.suppress(*FAILED):
        for piece in pieces(response):
            data += piece
            if len(data) >= _MOST_ERROR_BYTES:
                break
    if data.lstrip().startswith(b"data:"):  # an event in the place of the object
        data = data.lstrip().removeprefix(b"data:").strip()
    return decode_error(bytes(data))


def _redacted(value: Any, profile: Profile) -> Any:
    if isinstance(value, str):
        return profile.redact(value)
    if isinstance(value, list):
        return [_redacted(item, profile) for item in value]
    if isinstance(value, dict):
        return {_redacted(key, profile): _redacted(item, profile) for key, item in value.items()}
    return value


def _shortened(text: str) -> str:
    return text if len(text) <= 500 else text[:499] + "…"


def is_timeout(error: Exception) -> bool:
    """Tell whether an error of reading is a time-out."""
    return isinstance(
        error, (TimeoutError, requests.Timeout, urllib3.exceptions.TimeoutError)
    ) or "Read timed out" in str(error)


def is_stale_connection(error: Exception, waited_s: float) -> bool:
    """Tell whether a kept-alive connection was found closed before any answer.

    The server had closed it while it was idle, which shows only when it is used again, and
    then at once. That is no failed request, so it is sent again at once on a new connection.
    One that was cut after `waited_s` seconds of work, or that was new, may have cost something,
    and is a failed request like any other.
    """
    if waited_s > _STALE_WITHIN_S or not isinstance(error, requests.ConnectionError):
        return False
    reason = error.args[0] if error.args else None
    return isinstance(reason, urllib3.exceptions.ProtocolError) and was_reused()


def transport_error(
    error: Exception, profile: Profile, waited_s: float, timeout: tuple[float, float]
) -> TransportError:
    """Make the exception for a request that got no answer in the seconds that were waited.

    `timeout` is what was allowed, to connect and then to begin.
    """
    where = profile.base_url
    connecting, after = (duration(waited_s, allowed_s) for allowed_s in timeout)
    if _is_caused_by(error, SlowHandshakeError):
        return ConnectTimeout(
            f"{where} took the connection, but its TLS handshake was not done after {connecting}."
        )
    if isinstance(error, requests.ConnectTimeout):
        return ConnectTimeout(f"No connection to {where} within {connecting}.")
    if _is_caused_by(error, SlowHeadError):
        return FirstByteTimeout(
            f"The server at {where} began an answer, but its headers were not whole after {after}."
        )
    if isinstance(error, requests.Timeout) or is_timeout(error):
        return FirstByteTimeout(f"The server at {where} sent nothing for {after}.")
    if "Missing dependencies for SOCKS" in str(error):
        return ConnectError(
            "The proxy of the environment speaks SOCKS, for which the package PySocks is missing: "
            'pip install "requests[socks]".'
        )
    if isinstance(error, requests.exceptions.ProxyError):
        return ConnectError(f"The proxy on the way to {where} did not answer.")
    if isinstance(error, requests.exceptions.SSLError):
        return ConnectError(f"The certificate of {where} was not accepted: {_cause(error)}.")
    if isinstance(error, ValueError) or "proxy" in type(error).__name__.lower():
        # InvalidURL, InvalidProxyURL and the like; their words may show a proxy's password
        return ConnectError(f"The address {where}, or that of the proxy, cannot be used.")
    if "NameResolutionError" in repr(error) or "getaddrinfo" in repr(error):
        return ConnectError(
            f"The host of {where} is not known here: is there a network? The embedded model needs "
            'none: profile="local".'
        )
    return ConnectError(f"No connection to {where}: {_cause(error)}. Is the server running there?")


def duration(waited_s: float, allowed_s: float) -> str:
    """Say how long was waited: what was allowed, where it was that but for a moment."""
    is_that = abs(waited_s - allowed_s) <= max(_MOMENT_S, allowed_s / 20)
    return f"{allowed_s if is_that else round(waited_s, 1):g} s"


def _is_caused_by(error: BaseException, kind: type[Exception]) -> bool:
    link: BaseException | None = error
    while link is not None and not isinstance(link, kind):
        link = link.__cause__ or link.__context__
    return link is not None


def _cause(error: BaseException) -> str:
    """Give the words of the operating system, without the libraries that carried them."""
    reason = error.args[0] if error.args else error
    reason = getattr(reason, "reason", reason)
    innermost: BaseException | Any = reason
    while isinstance(innermost, BaseException) and (innermost.__cause__ or innermost.__context__):
        innermost = innermost.__cause__ or innermost.__context__
    if isinstance(innermost, OSError) and innermost.strerror:
        return str(innermost.strerror).lower()
    return "the connection was closed" if "RemoteDisconnected" in repr(error) else str(innermost)
