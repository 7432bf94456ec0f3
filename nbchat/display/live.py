"""A reply in a notebook, shown while it comes.

In a cell of its own the reply comes as blocks of Markdown: a finished one is sent once, only
the open one again. When it is whole, one output with all of it takes their place, because
lists and reference links can break across blocks. In a cell that shows other things too,
nothing may be cleared: there the reply is one display that is updated whole, as often as the
budget of bytes allows.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import deque
from typing import TYPE_CHECKING, Any, Self

from nbchat.display.blocks import MarkdownBlocks
from nbchat.display.pace import PAINTER, Cost, Painter
from nbchat.display.reasoning_and_sources import reasoning_bundle, reasoning_html, reasoning_status
from nbchat.display.reply import (
    caption,
    choice_bundles,
    facts_bundle,
    grey_bundle,
    grey_line,
    has_something,
    player_bundle,
    reply_bundle,
    visible,
)
from nbchat.display.sanitise import frame_bundle, whole_bundle
from nbchat.display.tool_calls import asking_bundle, is_calling, round_bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nbchat.api.response import Choice
    from nbchat.display.publisher import Publisher
    from nbchat.run import Run
    from nbchat.tools import Round

_MOST_CHOICES_A_FRAME = 4
WAITING_AFTER_S = 1.5


class LiveReply:
    """Watches one run and shows it in the cell that was running when this was made."""

    def __init__(
        self,
        publisher: Publisher,
        *,
        owns_cell: bool = False,
        painter: Painter = PAINTER,
        sleep: Callable[[float], object] = time.sleep,
        above: dict[str, str] | None = None,
    ):
        self.dirty = False
        self.run: Run | None = None
        self._publisher = publisher
        self._owns_cell = owns_cell
        self._painter = painter
        self._sleep = sleep
        self._above = above
        self._status = ""
        self._status_shown = ""
        self._first_id = _new_id()
        self._is_first_used = False
        self._views: dict[int, _Whole | _Pieces] = {}
        self._lock = threading.Lock()
        self._is_finished = False
        self._rounds = _ShownRounds()
        self._hint = threading.Timer(WAITING_AFTER_S, self._say_waiting)
        self._hint.daemon = True

    def __enter__(self) -> Self:
        if self._above is not None:
            self._publisher.show(self._above)
        # a long prompt takes its time before the first token
        self._hint.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._hint.cancel()

    def status(self, line: str) -> None:
        """Show a line while nothing of the reply has come; empty to take it away."""
        self._status = line
        self._painter.want(self)

    def update(self, run: Run) -> None:
        """Take note that there is more. Costs next to nothing."""
        if self.run is None:
            self._hint.cancel()
        self.run = run
        if not self.dirty:
            self._painter.want(self)

    def _say_waiting(self) -> None:
        if not self._is_finished and self.run is None and not self._status:
            self.status("waiting for the first token…")

    def paint(self) -> Cost:
        """Send one frame. The painter calls it."""
        with self._lock:
            self.dirty = False
            if self._is_finished:
                return Cost(0, 0)
            sizes = [size for size in self._frame() if size]
            return Cost(len(sizes), sum(sizes))

    def finish(self, run: Run) -> None:
        """Send the last frame: the whole reply, byte for byte, and the grey line."""
        self.run = run
        self._hint.cancel()
        pending: deque[Callable[[], object]] = deque()
        try:
            with self._lock:
                self._is_finished = True
            self._painter.drop(self)
            pending.extend(self._last_frame(run))
            self._send(pending, self._sleep)
        except KeyboardInterrupt:
            # what has come is shown all the same; where it is cleared first, from the start
            rest = deque(self._last_frame(run)) if self._clears or not pending else pending
            self._send(rest, lambda _: None)
            raise

    def _send(self, pending: deque[Callable[[], object]], sleep: Callable[[float], object]) -> None:
        while pending:
            sleep(self._painter.reserve())
            pending[0]()
            pending.popleft()

    @property
    def _clears(self) -> bool:
        return self._owns_cell and (self._is_first_used or self._rounds.has_shown)

    def _frame(self) -> Iterator[int]:
        rounds = [] if self.run is None else self.run.rounds
        while len(self._rounds.past) < len(rounds):
            asked = rounds[len(self._rounds.past)]
            is_answered = asked.is_answered
            yield from self._paint_texts(asked.completion.choices)
            yield from self._paint_calls(round_bundle(asked))
            if not is_answered:
                return
            self._end_round()
        choices = _choices(self.run)
        is_asking = len(choices) == 1 and is_calling(choices[0].message)
        if not is_asking and not any(choice.message.text for choice in choices):
            yield self._show_status()
            return
        yield from self._paint_texts(choices)
        if is_asking:
            yield from self._paint_calls(asking_bundle(choices[0].message))

    def _paint_calls(self, data: dict[str, str]) -> Iterator[int]:
        shown = self._rounds
        if shown.calls_html == data["text/html"]:
            return
        shown.calls_html = data["text/html"]
        is_update = bool(shown.calls_id)
        if not is_update:
            is_update = self._take_first_for_calls()
        yield self._publisher.show(data, shown.calls_id, is_update=is_update)

    def _take_first_for_calls(self) -> bool:
        """Choose the display of a round's calls; tell whether it takes a status line's place."""
        shown, is_free = self._rounds, not self._views
        shown.has_shown = True
        shown.calls_id = self._first_id if is_free else _new_id()
        is_update = is_free and self._is_first_used
        if is_free:
            self._first_id, self._is_first_used = _new_id(), False
        return is_update

    def _end_round(self) -> None:
        """Begin anew below the calls: what the model says now is another reply."""
        shown = self._rounds
        is_shown = bool(shown.calls_id)
        if not is_shown:
            is_shown = self._take_first_for_calls()
        shown.past.append((self._views.get(0), shown.calls_id, is_shown))
        shown.calls_id = shown.calls_html = ""
        self._views = {}
        self._first_id, self._is_first_used = _new_id(), False
        if self._status == self._status_shown:
            self._status = ""
        self._status_shown = ""

    def _paint_texts(self, choices: list[Choice]) -> Iterator[int]:
        with_text = [choice for choice in choices if choice.message.text]
        if not with_text:
            return
        count = _count(self.run, choices)
        todo = sorted(with_text, key=lambda choice: self._seen(choice.index))
        for choice in todo[:_MOST_CHOICES_A_FRAME]:
            yield from self._open_views(choice.index, choices, count)
            yield from self._views[choice.index].paint(choice.message.text or "")
        if len(todo) > _MOST_CHOICES_A_FRAME:
            self._painter.want(self)

    def _seen(self, index: int) -> int:
        view = self._views.get(index)
        return 0 if view is None else view.seen

    def _show_status(self) -> int:
        line = reasoning_status(_choices(self.run)) or self._status
        if line == self._status_shown:
            return 0
        self._status_shown = line
        return self._show_first(grey_bundle(line))

    def _show_first(self, data: dict[str, str]) -> int:
        is_update, self._is_first_used = self._is_first_used, True
        return self._publisher.show(data, self._first_id, is_update=is_update)

    def _open_views(self, index: int, choices: list[Choice], count: int) -> Iterator[int]:
        """Open the displays of the choices up to this one, so that they stand in order."""
        messages = {choice.index: choice.message for choice in choices}
        has_reasoning = any(message.reasoning for message in messages.values())
        for position in sorted(messages.keys() - self._views.keys()):
            if position > index:
                break
            if count == 1:
                kind = _Pieces if self._owns_cell else _Whole
                reasoning_id = self._first_id if has_reasoning else ""
                if has_reasoning:
                    yield self._show_first(reasoning_bundle(messages[position]))
                    self._first_id, self._is_first_used = _new_id(), False
                view = kind(self._publisher, self._first_id, is_shown=self._is_first_used)
                self._is_first_used = True
            else:
                view = _Whole(self._publisher, _new_id(), is_shown=False)
                data = grey_bundle(caption(position))
                yield (self._publisher.show(data) if self._views else self._show_first(data))
                reasoning_id = _new_id() if has_reasoning else ""
                if has_reasoning:
                    yield self._publisher.show(reasoning_bundle(messages[position]), reasoning_id)
                if position < index:
                    yield view.show_empty()
            view.reasoning_id = reasoning_id
            self._views[position] = view

    def _last_frame(self, run: Run) -> Iterator[Callable[[], object]]:
        if self._clears:
            yield self._publisher.clear
            if self._above is not None:
                yield self._sender(self._above)
        while not self._owns_cell and len(self._rounds.past) < len(run.rounds):
            self._end_round()
        for place, asked in enumerate(run.rounds):
            yield from self._last_of_round(place, asked)
        if self._owns_cell or not self._views:
            yield from self._last_anew(run)
            return
        choices = _choices(run)
        for choice in choices:
            yield from self._last_of_choice(run, choice, len(choices))
        yield self._sender(facts_bundle(run))

    def _last_anew(self, run: Run) -> Iterator[Callable[[], object]]:
        """Send all as new outputs; a status line that may not be cleared becomes the first."""
        replies = [] if run.ends_in_calls else _choices(run)
        choices = [c for c in replies if has_something(c.message) or c.message.reasoning]
        bundles = []
        for choice in choices:
            if len(choices) > 1:
                bundles.append(grey_bundle(caption(choice.index)))
            bundles += choice_bundles(run, choice.message)
        if choices or run.rounds or run.status == "complete":
            bundles.append(facts_bundle(run))
        if self._is_first_used and not self._owns_cell:
            first = bundles.pop(0) if bundles else grey_bundle(grey_line(run))
            yield lambda: self._show_first(first)
        for data in bundles:
            yield self._sender(data)

    def _last_of_round(self, place: int, asked: Round) -> Iterator[Callable[[], object]]:
        view, calls_id, is_shown = None, "", False
        if not self._owns_cell:
            view, calls_id, is_shown = self._rounds.past[place]
        thought = reasoning_html(choice.message for choice in asked.completion.choices)
        if thought and self._owns_cell:
            yield self._sender(reasoning_bundle(asked.completion.choices[0].message))
        if asked.text:
            text = whole_bundle(asked.text) | {"text/plain": visible(asked.text)}
            yield (lambda: view.show(text)) if isinstance(view, _Whole) else self._sender(text)
        calls = round_bundle(asked)
        if thought and not self._owns_cell and not (view is not None and view.reasoning_id):
            calls["text/html"] = f"<div>{thought}{calls['text/html']}</div>"
        yield lambda: self._publisher.show(calls, calls_id, is_update=is_shown)

    def _last_of_choice(
        self, run: Run, choice: Choice, count: int
    ) -> Iterator[Callable[[], object]]:
        view = self._views.get(choice.index)
        if not isinstance(view, _Whole):
            bundles = choice_bundles(run, choice.message)
            if bundles and count > 1:
                yield self._sender(grey_bundle(caption(choice.index)))
            for bundle in bundles:
                yield self._sender(bundle)
            return
        data, thought = reply_bundle(choice.message), reasoning_bundle(choice.message)
        reasoning_id = view.reasoning_id
        if reasoning_id:
            yield lambda: self._publisher.show(thought, reasoning_id, is_update=True)
        elif choice.message.reasoning:
            yield self._sender(thought)
        yield lambda: view.show(data)
        player = player_bundle(run, choice.message)
        if player is not None:
            yield self._sender(player)

    def _sender(self, data: dict[str, str]) -> Callable[[], object]:
        return lambda: self._publisher.show(data)


class _ShownRounds:
    """What is shown of rounds of tool calls.

    `past`: for each that has ended, the view of its text, and its calls' display and whether
    that is there already; `calls_id`, `calls_html`: those of the calls that come now.
    """

    def __init__(self) -> None:
        self.past: list[tuple[_Whole | _Pieces | None, str, bool]] = []
        self.calls_id = ""
        self.calls_html = ""
        self.has_shown = False


class _Whole:
    """A reply as one display, sent whole each time."""

    def __init__(self, publisher: Publisher, display_id: str, *, is_shown: bool):
        self.seen = 0
        self.reasoning_id = ""
        self._publisher = publisher
        self._display_id = display_id
        self._is_shown = is_shown

    def paint(self, text: str) -> Iterator[int]:
        if len(text) == self.seen:
            return
        self.seen = len(text)
        yield self.show(frame_bundle(text))

    def show_empty(self) -> int:
        return self.show({"text/markdown": ""})

    def show(self, data: dict[str, str]) -> int:
        is_update, self._is_shown = self._is_shown, True
        return self._publisher.show(data, self._display_id, is_update=is_update)


class _Pieces:
    """A reply as displays below one another, of which only the last is sent again."""

    def __init__(self, publisher: Publisher, display_id: str, *, is_shown: bool):
        self.seen = 0
        self.reasoning_id = ""
        self._publisher = publisher
        self._display_id = display_id
        self._is_shown = is_shown
        self._blocks = MarkdownBlocks()

    def paint(self, text: str) -> Iterator[int]:
        if len(text) == self.seen:
            return
        finished = "".join(self._blocks.feed(text[self.seen :]))
        self.seen = len(text)
        if finished.strip():
            yield self._show(finished)
            self._display_id, self._is_shown = _new_id(), False
        still_open = self._blocks.open
        if still_open.strip():
            yield self._show(still_open)

    def _show(self, markdown: str) -> int:
        is_update, self._is_shown = self._is_shown, True
        return self._publisher.show(frame_bundle(markdown), self._display_id, is_update=is_update)


def _choices(run: Run | None) -> list[Choice]:
    completion = None if run is None else run.completion
    return [] if completion is None else sorted(completion.choices, key=lambda c: c.index)


def _count(run: Run | None, choices: list[Choice]) -> int:
    """Say how many choices there will be."""
    asked: Any = run.params.given().get("n") if run is not None else None
    return max(len(choices), asked or 1)


def _new_id() -> str:
    return f"nbchat-{uuid.uuid4().hex[:16]}"
