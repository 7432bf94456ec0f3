"""A run as a notebook shows it: all of its replies, rounds and facts as one output."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nbchat.api.inline_reasoning import parted
from nbchat.display.attachments import attached_bundle
from nbchat.display.blocks import MarkdownBlocks
from nbchat.display.characters import visible
from nbchat.display.fragments import as_it_is, grey_html
from nbchat.display.grey_line import facts_bundle
from nbchat.display.inline_reasoning import without_inline_reasoning
from nbchat.display.object_reply import json_of
from nbchat.display.reasoning_and_sources import reasoning_html, reasoning_plain
from nbchat.display.reply import caption, has_something, player_bundle, reply_markdown, shown_text
from nbchat.display.sanitise import as_html, is_harmless, json_html
from nbchat.display.tool_calls import rounds_html, rounds_plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nbchat.api.response import Choice
    from nbchat.display.shown_run import ShownRun


_LONGEST_WHY = 200


class _Section(NamedTuple):
    """A round of calls or a choice: `head` and `tails` are HTML that can stand in Markdown."""

    head: str
    text: str
    tails: list[str]
    tail_html: str
    plain: str
    json: str | None = None

    @property
    def html(self) -> str:
        """Its text as HTML that cannot act."""
        return as_html(self.text) if self.json is None else json_html(self.json)


def mimebundle(run: ShownRun) -> dict[str, str]:
    """Give a run as a notebook shows it: the reply and the grey line (MIME type to text)."""
    try:
        return _whole(run)
    except Exception as error:  # noqa: BLE001 - whatever a server sent, a reply is shown
        return plain_bundle(run, error)


def plain_bundle(run: ShownRun, error: Exception) -> dict[str, str]:
    """Give the text of a run alone, and why no more of it is shown (MIME type to text)."""
    why = f"{type(error).__name__}: {error}"
    line = f"shown as plain text, since it could not be shown otherwise ({why[:_LONGEST_WHY]})"
    return {"text/html": as_it_is(run.text, line), "text/plain": f"{visible(run.text)}\n\n{line}"}


def _whole(run: ShownRun) -> dict[str, str]:
    above, sections, below = attached_bundle(run.messages), [*_sections(run)], facts_bundle(run)
    bundle = {
        "text/markdown": "\n\n".join(
            [
                *_in_grey(above),
                *(_stacked(part.head, _sealed(part.text), *part.tails) for part in sections),
                below["text/html"],
            ]
        ),
        "text/plain": _stacked(
            _plain_of(above), *(part.plain for part in sections), below["text/plain"]
        ),
    }
    # pictures and sound stand in the HTML alone, which front ends prefer: once is enough
    has_media = above is not None or any(part.tail_html != "".join(part.tails) for part in sections)
    has_json = any(part.json is not None for part in sections)
    if has_media or has_json or not all(is_harmless(part.text) for part in sections):
        shown = (f"{part.head}{part.html}{part.tail_html}" for part in sections)
        html = above["text/html"] if above else ""
        bundle["text/html"] = "".join([html, *shown, below["text/html"]])
    return bundle


def _sections(run: ShownRun) -> Iterator[_Section]:
    for tool_round in run.rounds:
        calls, plain = rounds_html([tool_round]), rounds_plain([tool_round])
        thought = _thought(without_inline_reasoning(tool_round.completion.choices))
        _, text = parted(tool_round.text)
        yield _Section(thought, text, [calls], calls, _stacked(visible(text), plain))
    choices = [] if run.ends_in_calls or run.completion is None else run.completion.choices
    choices = without_inline_reasoning(choices)
    shown = [c for c in choices if has_something(c.message) or c.message.reasoning]
    for choice in shown:
        name = caption(choice.index) if len(shown) > 1 else ""
        message, sound = choice.message, player_bundle(run, choice.message)
        yield _Section(
            (grey_html(name) if name else "") + _thought([choice]),
            reply_markdown(message),
            _in_grey(sound),
            sound["text/html"] if sound else "",
            _stacked(
                name, reasoning_plain([message]), visible(shown_text(message)), _plain_of(sound)
            ),
            json_of(run, choice.index),
        )


def _plain_of(bundle: dict[str, str] | None) -> str:
    return bundle["text/plain"] if bundle else ""


def _in_grey(bundle: dict[str, str] | None) -> list[str]:
    """Give a bundle's words alone, as HTML that can stand in Markdown."""
    return [grey_html(line) for line in _plain_of(bundle).splitlines()]


def _stacked(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)


def _thought(choices: Iterable[Choice]) -> str:
    return reasoning_html(choice.message for choice in choices)


def _sealed(markdown: str) -> str:
    """Close a code block that the reply left open, or the grey line would stand in it."""
    blocks = MarkdownBlocks()
    blocks.feed(markdown)
    fence = blocks.closing_fence()
    return f"{markdown.rstrip()}\n{fence}" if fence else markdown
