"""The sources that a reply names, from the annotations of its message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

if TYPE_CHECKING:
    from nbchat.api.response import ResponseMessage


class Citation(msgspec.Struct, frozen=True):
    """A place of a reply and the page that it rests on.

    `number` counts the pages of one reply, from 1. `start_index` and `end_index` count
    characters of the content, as sent; `text` is what stands there, None where nothing does.
    """

    number: int
    url: str
    title: str | None = None
    start_index: int | None = None
    end_index: int | None = None
    text: str | None = None

    @property
    def is_of_the_web(self) -> bool:
        """Whether the address is one of http or https, which may become a link."""
        return is_of_the_web(self.url)


def citations_of(message: ResponseMessage) -> list[Citation]:
    """Give the citations of a message, in the order in which they came."""
    numbers: dict[str, int] = {}
    citations = []
    for annotation in message.annotations:
        body = _body(annotation)
        url = body.get("url")
        if not isinstance(url, str) or not url:
            continue
        title = body.get("title")
        start, end = _index(body.get("start_index")), _index(body.get("end_index"))
        citations.append(
            Citation(
                numbers.setdefault(url, len(numbers) + 1),
                url,
                title if isinstance(title, str) and title else None,
                start,
                end,
                _span(message.content or "", start, end),
            )
        )
    return citations


def is_of_the_web(url: str) -> bool:
    """Tell whether an address is a plain one of http or https, with a host."""
    if not url.isprintable() or any(char.isspace() for char in url):
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme.lower() in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def _body(annotation: Any) -> dict[str, Any]:
    if not isinstance(annotation, dict) or annotation.get("type") != "url_citation":
        return {}
    # the Responses API, and servers that follow it, send the same keys without the inner object
    body = annotation.get("url_citation", annotation)
    return body if isinstance(body, dict) else {}


def _index(value: Any) -> int | None:
    is_index = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
    return value if is_index else None


def _span(content: str, start: int | None, end: int | None) -> str | None:
    if start is None or end is None or not start < end <= len(content):
        return None
    return content[start:end]
