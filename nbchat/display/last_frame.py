"""The last frame: a whole reply and its grey line, in the place of what stood there.

Pure, and it leaves the page as it was: an interrupt while it is sent can ask for it again.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from typing import TYPE_CHECKING

from nbchat.api.inline_reasoning import parted
from nbchat.display.characters import visible
from nbchat.display.fragments import grey_bundle
from nbchat.display.grey_line import facts_bundle, grey_line
from nbchat.display.growing import Show, Slot, WholeText
from nbchat.display.inline_reasoning import without_inline_reasoning
from nbchat.display.page import Page, PastRound, choices_of
from nbchat.display.reasoning_and_sources import (
    reasoning_bundle,
    reasoning_html,
    reasoning_plain,
)
from nbchat.display.reply import caption, choice_bundles, has_something, player_bundle, reply_bundle
from nbchat.display.sanitise import whole_bundle
from nbchat.display.tool_calls import round_bundle

if TYPE_CHECKING:
    from nbchat.api.response import Choice
    from nbchat.display.shown_run import ShownRound, ShownRun


def last_frame(page: Page, run: ShownRun) -> list[Show]:
    """Give what is to be shown at the end; where `page` has to be cleared, after that."""
    if page.owns_cell:
        rounds = [show for tool_round in run.rounds for show in _round_anew(tool_round)]
        return [*rounds, *_reply_anew(page, run)]
    page = _with_all_rounds(page, len(run.rounds))
    shows = [
        show
        for tool_round, past in zip(run.rounds, page.past, strict=False)
        for show in _round_in_place(tool_round, past)
    ]
    if not page.texts:
        return [*shows, *_reply_anew(page, run)]
    choices = choices_of(run)
    shows += [show for c in choices for show in _choice_in_place(page, run, c, len(choices))]
    return [*shows, Show(facts_bundle(run))]


def _with_all_rounds(page: Page, count: int) -> Page:
    page = copy(page)
    page.past = list(page.past)
    while len(page.past) < count:
        page.end_round()
    return page


def _in_place(slot: Slot, data: dict[str, str]) -> Show:
    return Show(data, slot.id, slot.is_shown)


def _reply_anew(page: Page, run: ShownRun) -> Iterator[Show]:
    """Give all as new outputs; a status line that may not be cleared becomes the first."""
    replies = [] if run.ends_in_calls else choices_of(run)
    choices = [c for c in replies if has_something(c.message) or c.message.reasoning]
    bundles = []
    for choice in choices:
        if len(choices) > 1:
            bundles.append(grey_bundle(caption(choice.index)))
        bundles += choice_bundles(run, choice)
    if choices or run.rounds or run.status == "complete":
        bundles.append(facts_bundle(run))
    if page.first.is_shown and not page.owns_cell:
        yield _in_place(page.first, bundles.pop(0) if bundles else grey_bundle(grey_line(run)))
    yield from map(Show, bundles)


def _text_bundle(tool_round: ShownRound) -> dict[str, str]:
    _, text = parted(tool_round.text)
    return whole_bundle(text) | {"text/plain": visible(text)} if text else {}


def _round_anew(tool_round: ShownRound) -> Iterator[Show]:
    messages = [c.message for c in without_inline_reasoning(tool_round.completion.choices)]
    if any(message.reasoning for message in messages):
        yield Show(reasoning_bundle(messages[0]))
    if text := _text_bundle(tool_round):
        yield Show(text)
    yield Show(round_bundle(tool_round))


def _round_in_place(tool_round: ShownRound, past: PastRound) -> Iterator[Show]:
    messages = [c.message for c in without_inline_reasoning(tool_round.completion.choices)]
    calls, thought = round_bundle(tool_round), past.text.thought if past.text is not None else None
    if thought is not None:
        yield _in_place(thought, reasoning_bundle(messages[0]))
    elif any(message.reasoning for message in messages):
        calls["text/html"] = f"<div>{reasoning_html(messages)}{calls['text/html']}</div>"
        calls["text/plain"] = f"{reasoning_plain(messages)}\n{calls['text/plain']}"
    if text := _text_bundle(tool_round):
        yield _in_place(past.text.slot, text) if past.text is not None else Show(text)
    yield _in_place(past.calls, calls)


def _choice_in_place(page: Page, run: ShownRun, choice: Choice, count: int) -> Iterator[Show]:
    text = page.texts.get(choice.index)
    if not isinstance(text, WholeText):
        bundles = choice_bundles(run, choice)
        if bundles and count > 1:
            yield Show(grey_bundle(caption(choice.index)))
        yield from map(Show, bundles)
        return
    if text.thought is not None:
        yield _in_place(text.thought, reasoning_bundle(choice.message))
    elif choice.message.reasoning:
        yield Show(reasoning_bundle(choice.message))
    yield _in_place(text.slot, reply_bundle(run, choice))
    player = player_bundle(run, choice.message)
    if player is not None:
        yield Show(player)
