"""What servers put in the place of an error, whatever its shape, read as one.

The reference has ``{"error": {"message", "type", "param", "code"}}``. Others send it in a list,
bare, under other names, as a text, or in the fields of their own platform.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

_MESSAGES = ("message", "error_msg", "error_message", "errorMessage", "msg", "status_msg", "detail")
_REASONS = ("faultstring", "reason", "description", "title")
_CODES = ("code", "error_code", "errorCode", "status_code", "errcode")
_STATUSES = ("status_code", "http_status", "status", "code")
#: where an object keeps the one that is meant, in this order
_INSIDE = ("error", "errors", "base_resp", "fault")
_SUCCESS = frozenset({"0", "200", "ok", "success", "none", ""})
_MOST_LEVELS = 8


class ErrorFields(NamedTuple):
    """An error object as the reference has it; `status` is an HTTP status, or None."""

    message: str | None = None
    code: str | None = None
    param: str | None = None
    type: str | None = None
    status: int | None = None


def read_error(error: Any) -> ErrorFields:
    """Read an error of any shape: a text, an object, a list of them, one inside another."""
    error = _innermost(error)
    if not isinstance(error, Mapping):
        text = error.strip() if isinstance(error, str) else ""
        return ErrorFields(message=text or None)
    code = next((error[name] for name in _CODES if _is_word(error.get(name))), None)
    status = next((s for s in map(http_status, map(error.get, _STATUSES)) if s is not None), None)
    return ErrorFields(
        message=_message(error),
        code=None if code is None or http_status(code) == status is not None else str(code),
        param=_word(error.get("param")),
        type=_word(error.get("type")),
        status=status,
    )


def error_in(body: Mapping[str, Any]) -> Any:
    """Give the error that an answer without choices is, as it stands there; None for none."""
    for name in ("error", "errors"):
        if body.get(name):
            return body[name]
    base = body.get("base_resp")
    if isinstance(base, Mapping) and not _is_success(base.get("status_code")):
        return base
    if body.get("object") == "error":
        return body
    code = next((body[name] for name in _CODES if _is_word(body.get(name))), None)
    is_failure = body.get("success") is False or "error" in str(body.get("type")).lower()
    if code is not None or is_failure:
        return body if is_failure or (_message(body) and not _is_success(code)) else None
    return body if body.get("detail") and _message(body) else None


def http_status(value: Any) -> int | None:
    """Give an HTTP status of failure, be it a number or a text; None for what is none."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) == 3:
        value = int(value)
    is_status = isinstance(value, int) and 400 <= value <= 599
    return value if is_status else None


def _innermost(error: Any) -> Any:
    for _ in range(_MOST_LEVELS):
        if isinstance(error, list):
            inner = next((item for item in error if item), None)
        elif isinstance(error, Mapping):
            inner = next((error[name] for name in _INSIDE if _holds(error.get(name))), None)
        else:
            inner = None
        if inner is None:
            return error
        error = inner
    return error


def _holds(value: Any) -> bool:
    return bool(value) and isinstance(value, (str, list, Mapping))


def _message(error: Mapping[str, Any]) -> str | None:
    for name in (*_MESSAGES, *_REASONS):
        value = error.get(name)
        if isinstance(value, str) and value.strip():
            return value.strip()
        if name == "detail" and isinstance(value, (list, Mapping)) and value:
            return _as_text(value)  # FastAPI: a list of what is wrong
        if isinstance(value, (list, Mapping)) and value:
            return read_error(value).message or _as_text(value)
    return None


def _as_text(value: Any) -> str:
    import msgspec

    try:
        return msgspec.json.encode(value).decode()
    except (RecursionError, ValueError, TypeError):
        return str(type(value).__name__)


def _is_word(value: Any) -> bool:
    return isinstance(value, (str, int)) and not isinstance(value, bool) and value != ""


def _word(value: Any) -> str | None:
    return str(value) if _is_word(value) else None


def _is_success(code: Any) -> bool:
    return str(code).strip().lower() in _SUCCESS
