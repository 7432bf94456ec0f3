"""What looks like a key is taken out of everything that is shown."""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

HIDDEN = "•••"

_KEY_LIKE = re.compile(
    r"\b(?:sk|pk|rk)-[A-Za-z0-9_\-]{16,}|\b(?:gsk|hf|xai|csk)[_-][A-Za-z0-9_\-]{16,}"
    r"|(?<=[Bb]earer )[A-Za-z0-9._\-]{16,}"
)
#: one of these is in whatever `_KEY_LIKE` finds; to look for them costs a hundredth of a search
_MARKS = ("sk-", "sk_", "pk-", "rk-", "hf-", "hf_", "xai-", "xai_", "earer ")
_ASSIGNED = re.compile(
    r"""((?:api_?key|key|token|secret|password|authorization)["']?\s*[=:]\s*)(["'])(?:(?!\2).)+\2""",
    re.IGNORECASE,
)


def redact_keys(text: str) -> str:
    """Take out of a text whatever looks like a key."""
    for mark in _MARKS:
        if mark in text:
            return _KEY_LIKE.sub(HIDDEN, text)
    return text


def redact_source(line: str) -> str:
    """Take out of a line of code what looks like a key, or is given to something called one."""
    return _ASSIGNED.sub(rf"\1\2{HIDDEN}\2", redact_keys(line))


_SECRET_NAME = re.compile(
    r"""(?:^|[-_.])(?:(?:api|access|subscription|auth|secret|private)[-_.]?)*
    (?:key|apikey|token|secret|passw(?:or)?d|pwd|sig|signature|credential|authorization|auth|code
    |cookie|session)$""",
    re.IGNORECASE | re.VERBOSE,
)

_LONG_WORD = re.compile(r"[\w.~+/=-]{12,}")


def names_secret(name: str) -> bool:
    """Tell whether a header or a parameter of this name holds something secret, as a rule."""
    return _SECRET_NAME.search(name) is not None


def looks_secret(value: str) -> bool:
    """Tell whether a header's value may be a key of whatever shape: one long word, no address."""
    return looks_like_key(value) or any(_LONG_WORD.fullmatch(word) for word in value.split())


def redact_address(url: str) -> str:
    """Take out of an address who asks, and the values of parameters that hold a key."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return redact_keys(url.partition("?")[0].rpartition("@")[2])
    host = parts.netloc.rpartition("@")[2]
    query, fragment = (
        "&".join(_shown_parameter(each) for each in part.split("&") if each)
        for part in (parts.query, parts.fragment)
    )
    return redact_keys(urlunsplit((parts.scheme, host, parts.path, query, fragment)))


def _shown_parameter(parameter: str) -> str:
    name, is_set, _ = parameter.partition("=")
    return f"{name}={HIDDEN}" if is_set and names_secret(name) else parameter


def looks_like_key(text: str) -> bool:
    """Tell whether a text holds something that looks like a key."""
    return _KEY_LIKE.search(text) is not None
