"""What looks like a key is taken out of everything that is shown."""

from __future__ import annotations

import re

HIDDEN = "•••"

_KEY_LIKE = re.compile(
    r"\b(?:sk|pk|rk)-[A-Za-z0-9_\-]{16,}|\b(?:gsk|hf|xai|csk)[_-][A-Za-z0-9_\-]{16,}"
    r"|(?<=[Bb]earer )[A-Za-z0-9._\-]{16,}"
)
_ASSIGNED = re.compile(
    r"""((?:api_?key|key|token|secret|password|authorization)["']?\s*[=:]\s*)(["'])(?:(?!\2).)+\2""",
    re.IGNORECASE,
)


def redact_keys(text: str) -> str:
    """Take out of a text whatever looks like a key."""
    return _KEY_LIKE.sub(HIDDEN, text)


def redact_source(line: str) -> str:
    """Take out of a line of code what looks like a key, or is given to something called one."""
    return _ASSIGNED.sub(rf"\1\2{HIDDEN}\2", redact_keys(line))


def looks_like_key(text: str) -> bool:
    """Tell whether a text holds something that looks like a key."""
    return _KEY_LIKE.search(text) is not None
