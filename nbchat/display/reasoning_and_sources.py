"""What is not the reply itself, folded above it or small below it: reasoning and sources."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from nbchat.api.citations import citations_of
from nbchat.display.fragments import escaped, folded, pre

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nbchat.api.response import Choice, ResponseMessage


def reasoning_html(messages: Iterable[ResponseMessage]) -> str:
    """Give reasoning as HTML without line ends, folded; empty where there is none."""
    texts = [message.reasoning for message in messages if message.reasoning]
    return "".join(folded(_summary(text), pre(text)) for text in texts)


def reasoning_plain(messages: Iterable[ResponseMessage]) -> str:
    """Say of reasoning how long it is."""
    return "\n".join(_summary(m.reasoning) for m in messages if m.reasoning)


def reasoning_bundle(message: ResponseMessage) -> dict[str, str]:
    """Give the reasoning before a reply as one output; an empty one where there is none."""
    return {"text/html": reasoning_html([message]), "text/plain": reasoning_plain([message])}


def reasoning_status(choices: Iterable[Choice]) -> str:
    """Say how much reasoning has come; empty where none has."""
    count = sum(len(choice.message.reasoning or "") for choice in choices)
    return f"reasoning… {_characters(count)}" if count else ""


def sources_html(choices: Sequence[Choice]) -> str:
    """Give the numbered links of these choices as HTML without line ends; empty without any."""
    parts = []
    for choice in choices:
        links = [_link(*page) for page in _pages(choice.message)]
        if links:
            head = f"<div>choice {choice.index}</div>" if len(choices) > 1 else ""
            parts.append(head + "".join(links))
    return "".join(parts)


def sources_plain(choices: Sequence[Choice]) -> str:
    """Give the same as lines of text."""
    lines = []
    for choice in choices:
        numbered = [f"[{n}] {title or ''} {url}" for n, url, title, _ in _pages(choice.message)]
        if numbered and len(choices) > 1:
            lines.append(f"choice {choice.index}")
        lines += [" ".join(line.split()) for line in numbered]
    return "\n".join(lines)


def _pages(message: ResponseMessage) -> list[tuple[int, str, str | None, bool]]:
    """Give number, address, title and whether it may be a link, once for each page."""
    pages: dict[int, tuple[int, str, str | None, bool]] = {}
    for cited in citations_of(message):
        known = pages.get(cited.number)
        if known is None or known[2] is None:
            pages[cited.number] = (cited.number, cited.url, cited.title, cited.is_of_the_web)
    return list(pages.values())


def _link(number: int, url: str, title: str | None, is_of_the_web: bool) -> str:  # noqa: FBT001 - private
    words = escaped(" ".join((title or url).split()))
    if is_of_the_web:
        words = (
            f'<a href="{escape(url)}" title="{escape(url)}" rel="noopener noreferrer nofollow" '
            f'target="_blank">{words}</a>'
        )
    elif title:
        words = f"{words} ({escaped(url)})"
    return f"<div>[{number}] {words}</div>"


def _summary(text: str) -> str:
    return f"reasoning · {_characters(len(text))}"


def _characters(count: int) -> str:
    return f"{count:,} character{'' if count == 1 else 's'}"
